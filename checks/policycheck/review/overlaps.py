"""Pairs of rules of which one already says what the other says, or which cannot both be met.

Pairs are many, so only those are looked at that are about the same kind of subject, and whose scopes read a
relation in common. Signed clauses are left out: each asks for a signature of its own. The examples of the
two, laid over one another, show most pairs to be independent; the solver is asked about the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace
from policycheck_engine import Aggregate, Atom, Bind, Body, Compare, Either, Member, Not, Program, readings
from policycheck_engine.breaches import APPLIES, BREACH, MET, judged
from policycheck_engine.contain import contained
from policycheck_engine.strata import reads

from policycheck.review.bench import Bench, Goal, Nothing, Search, Shown, both
from policycheck.review.dead import WHATEVER, every_subject
from policycheck.review.proofs import DAYS, with_gaps
from policycheck.review.sides import Small


class Reach(Struct, frozen=True):
    """What a rule reads of the records: `shape` of its subject; the relations that its cases need rows of,
    those that its breaches need, those that its requirement is about, and all."""

    rule: str
    shape: tuple[object, ...]
    case: frozenset[str]
    breach: frozenset[str]
    asked: frozenset[str]
    every: frozenset[str]


class Overlap(Struct, frozen=True):
    """`one` finds nothing that `other` does not find (`implied`; `both` when the other way round too), or the
    two are never met together. `why` says how that is known; when it is `open`, why it is not. `shown` are
    records that both find something in, or of which the second finds a breach and the first is met."""

    one: str
    other: str
    implied: bool
    why: str
    proved: bool = False
    open: bool = False
    both: bool = False
    shown: Shown | None = None


Tell = Callable[..., None]
"""Is told what is being looked at, and how many of how many are done."""


def reach(bench: Bench, rule: str) -> Reach:
    """What a rule reads."""
    side = bench.side(rule)
    program = judged(side.plain.program, side.norm)
    case = side.norm.case
    asked = []
    for fails in program.heads[side.norm.fails]:
        demand = tuple(x for x in fails.body if not (isinstance(x, Atom) and x.relation == case))
        asked += [name for name, _, _ in reads(demand)]
        if tests_alone(demand):
            asked += [name for own in program.heads[case] for name, _, _ in reads(own.body)]
    return Reach(
        rule,
        side.shape,
        frozenset(needed_rows(program, case) - bench.fixed),
        frozenset(needed_rows(program, BREACH) - bench.fixed),
        frozenset(base_relations(program, asked) - bench.fixed),
        frozenset(side.cone.relations),
    )


def overlaps(bench: Bench, rules: Sequence[str], tell: Tell) -> Iterator[Overlap]:
    """What there is to say of pairs of these rules, given in the order of the document. A rule that finds
    just what an earlier one finds is not looked at any further."""
    found = [reach(bench, rule) for rule in rules if not bench.policy.rules[rule].attested]
    pairs = [(a, b) for a, b in combinations(found, 2) if a.shape == b.shape and a.case & b.case]
    same: set[str] = set()
    for i, (first, second) in enumerate(pairs):
        tell(f"rules {first.rule} and {second.rule}", i, len(pairs))
        if same.isdisjoint((first.rule, second.rule)):
            for overlap in _Pair(bench, first, second).found():
                same |= {overlap.one} if overlap.both else set()
                yield overlap


class _Pair:
    """Two rules, the first of which stands first in the document."""

    def __init__(self, bench: Bench, first: Reach, second: Reach) -> None:
        self.bench, self.first, self.second = bench, first, second

    def found(self) -> Iterator[Overlap]:
        yield from self.implied()
        if self.first.asked & self.second.asked and not self.ranked():
            yield from self.never_both_met()

    # One that is already said by another

    def implied(self) -> Iterator[Overlap]:
        """Whether one of the two finds nothing that the other does not find for the same subject."""
        ways = [self.implies(self.second, self.first), self.implies(self.first, self.second)]
        found = [way for way in ways if way is not None and not way.open]
        if len(found) == 2:
            proved = all(way.proved for way in found)
            why = next((way.why for way in found if not way.proved), WHATEVER)
            yield replace(found[0], both=True, proved=proved, why=why)
        else:
            yield from (way for way in ways if way is not None)

    def implies(self, one: Reach, other: Reach) -> Overlap | None:
        """Whether all that the one rule finds the other finds too, also where something is unknown. It does
        not when a breach of the other takes records that the one never looks at, since they need not be
        there."""
        if not other.breach <= one.every or self.told_apart(one.rule, other.rule):
            return None
        if self.proved(one.rule, other.rule):
            return Overlap(one.rule, other.rule, True, WHATEVER, True, shown=self.example(one, other))
        rules = [one.rule, other.rule]
        found = self.apart(rules, gaps=False)
        if isinstance(found, Nothing) and not found.open:
            found = self.apart(rules, gaps=True)
        if isinstance(found, Shown):
            return None
        shown = None if found.open else self.example(one, other)
        return Overlap(one.rule, other.rule, True, found.why, open=found.open, shown=shown)

    def apart(self, rules: Sequence[str], gaps: bool) -> Shown | Nothing:
        """Records in which the first of two rules finds what the second does not."""

        def shows(records: Small, engine: str) -> bool:
            ones, others = (self.bench.failing(rule, records, engine) for rule in rules)
            return bool(ones - others)

        program = readings(self.bench.program(*rules, gaps=gaps)).program
        goal = Goal((program, f"{BREACH}0"), (program, f"{BREACH}1"), shows)
        (found,) = Search(self.bench, rules, program, gaps).look(goal)
        return found

    def told_apart(self, one: str, other: str) -> bool:
        """Whether some example of the one fails it and not the other, alone or with one of the other laid
        over it."""
        outcome = self.bench.policy.rules[one].outcome
        for failing in self.bench.examples(one, outcome):
            for met in (None, *self.bench.examples(other, "met", "not_applicable")):
                made = self.bench.laid([failing, met], [one, other])
                if made is None or not self.bench.failing(one, made[1]) - self.bench.failing(other, made[1]):
                    continue
                if met is None or self.bench.sound(made[1]):
                    return True
        return False

    def proved(self, one: str, other: str) -> bool:
        sides = self.bench.side(one), self.bench.side(other)
        return all(
            contained(with_gaps(sides[0], day, True), with_gaps(sides[1], day, True), BREACH)
            for day in (None, *DAYS)
        )

    def example(self, one: Reach, other: Reach) -> Shown | None:
        """Records of an example that both rules find something in."""
        rules = [one.rule, other.rule]

        def shows(records: Small, engine: str) -> bool:
            ones, others = (self.bench.failing(rule, records, engine) for rule in rules)
            return bool(ones & others)

        for failing in self.bench.examples(one.rule, self.bench.policy.rules[one.rule].outcome):
            made = self.bench.laid([failing], rules)
            if made and shows(made[1], "memory"):
                return self.bench.believed(made[0], shows, rules)
        return None

    # Two that cannot both be met

    def ranked(self) -> bool:
        """Whether one of the two yields to a clause of the other, by the ranks of the policy."""
        rules = [self.bench.policy.rules[r.rule] for r in (self.first, self.second)]
        return any(
            one.data.get("explained_by", {}).get("clause") in other.clauses
            for one, other in (rules, rules[::-1])
        )

    def never_both_met(self) -> Iterator[Overlap]:
        """Whether no subject meets both, though each is met by some to which the other applies too. Where one
        is never met when the other applies, the other is about what to do once that is so."""
        rules = [self.first.rule, self.second.rule]
        if self.met_together(rules):
            return
        pairs = ((MET, MET), (MET, APPLIES), (APPLIES, MET))
        program, names = both(self.bench.program(*rules), [(f"{a}0", f"{b}1") for a, b in pairs])
        shows = (self.both_meet, self.first_meets, self.second_meets)
        goals = [Goal((program, name), None, show) for name, show in zip(names, shows, strict=True)]
        together, first, second = Search(self.bench, rules, program).look(*goals)
        if isinstance(together, Shown) or any(isinstance(x, Nothing) and not x.open for x in (first, second)):
            return
        unsure = [x.why for x in (together, first, second) if isinstance(x, Nothing) and x.open]
        if unsure:
            yield Overlap(rules[0], rules[1], False, unsure[0], open=True)
        elif isinstance(first, Shown):
            shown = self.bench.believed(first, self.first_meets, rules)
            yield Overlap(rules[0], rules[1], False, together.why, shown=shown)

    def met_together(self, rules: Sequence[str]) -> bool:
        """Whether a subject meets both in the scene or in an example of each, laid over one another."""
        for first in (None, *self.bench.examples(rules[0], "met")):
            for second in (None, *self.bench.examples(rules[1], "met")):
                made = self.bench.laid([first, second], rules)
                if made and self.both_meet(made[1]) and self.bench.sound(made[1]):
                    return True
        return False

    def both_meet(self, records: Small, engine: str = "memory") -> bool:
        one, two = (self.bench.judgement(r.rule, records, engine) for r in (self.first, self.second))
        return bool({*one.met} & {*two.met})

    def first_meets(self, records: Small, engine: str) -> bool:
        one, two = (self.bench.judgement(r.rule, records, engine) for r in (self.first, self.second))
        return bool({*one.met} & every_subject(two))

    def second_meets(self, records: Small, engine: str) -> bool:
        one, two = (self.bench.judgement(r.rule, records, engine) for r in (self.first, self.second))
        return bool(every_subject(one) & {*two.met})


def tests_alone(body: Body) -> bool:
    """Whether a body, or one in it, is about values that it has from outside and reads nothing."""
    inner = [x.body for x in body if isinstance(x, Not)]
    inner += [branch for x in body if isinstance(x, Either) for branch in x.bodies]
    if any(tests_alone(x) for x in inner):
        return True
    return any(isinstance(x, Compare | Member | Bind) for x in body) and not any(
        isinstance(x, Atom | Aggregate) for x in body
    )


def base_relations(program: Program, names: Iterable[str]) -> set[str]:
    """The base relations that some relations rest on."""
    heads = program.heads
    queue, out = list(names), set()
    seen = set(queue)
    while queue:
        name = queue.pop()
        if name not in heads:
            out.add(name)
        for rule in heads.get(name, ()):
            for read, _, _ in reads(rule.body):
                if read not in seen:
                    seen.add(read)
                    queue.append(read)
    return out


def needed_rows(program: Program, name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The base relations that must have a row for a relation to have one."""
    rules = program.heads.get(name)
    if rules is None:
        return {name}
    if name in seen:
        return set()
    ways = [
        set().union(
            *(needed_rows(program, x.relation, seen | {name}) for x in rule.body if isinstance(x, Atom))
        )
        for rule in rules
    ]
    return set.intersection(*ways)
