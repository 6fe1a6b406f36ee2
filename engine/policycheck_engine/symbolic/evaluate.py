"""Rules over rows that may not be there: the naive evaluator, with a condition on every match.

A condition is a tuple of formulas that must all hold. Rows that are written alike are one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from policycheck_engine.functions import Days
from policycheck_engine.order import ordered
from policycheck_engine.program import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Compare,
    Const,
    Either,
    Literal,
    Member,
    Not,
    Program,
    Rule,
    Term,
    Var,
    taken,
)
from policycheck_engine.strata import recursive, strata
from policycheck_engine.symbolic.aggregates import Aggregates, Rows
from policycheck_engine.symbolic.formulas import (
    CannotSayError,
    Ratio,
    Sym,
    Truth,
    V,
    choose,
    conj,
    disj,
    key_of,
    neg,
    unknown,
)
from policycheck_engine.symbolic.functions import Functions

Env = Mapping[str, V]
Matches = Iterator[tuple[Env, Truth]]

MOST_ROWS = 4_000
"""So many rows a relation may have."""

MOST_STEPS = 400_000
"""So many literals are matched before it is given up."""


class TooMuchError(Exception):
    """More than can be written down in the time there is."""


class World:
    """Rows that may be there, and what follows from them. Derived relations among the `facts` are taken as
    they are."""

    def __init__(
        self,
        program: Program,
        facts: Mapping[str, Rows],
        calendars: Mapping[str, Days | None],
        functions: Functions,
        late: Callable[[], bool],
    ) -> None:
        self.program, self.facts, self.calendars = program, dict(facts), calendars
        self.functions, self.values = functions, functions.values
        self.aggregates = Aggregates(functions)
        self.late = late
        self.steps = 0

    def solve(self) -> None:
        """Derive all relations that are not there yet."""
        heads, loops, there = self.program.heads, recursive(self.program), set(self.facts)
        for group in strata(self.program):
            if there.issuperset(group):
                continue
            rules = [rule for head in group for rule in heads[head]]
            for head in group:
                self.facts[head] = []
            self.round(group, rules)
            if not loops.isdisjoint(group):
                self.until_stable(group, rules)

    def round(self, group: tuple[str, ...], rules: list[Rule]) -> None:
        """The rows that the rules derive from what there is."""
        found: dict[str, dict[object, tuple[tuple[V, ...], list[Truth]]]] = {head: {} for head in group}
        for rule in rules:
            into = found[rule.head]
            for env, truth in self.matches(rule.body, {}, True):
                row = tuple(self.value(term, env) for _, term in rule.args)
                into.setdefault(tuple(map(key_of, row)), (row, []))[1].append(truth)
            if len(into) > MOST_ROWS:
                raise TooMuchError(f"`{rule.head}` may have more than {MOST_ROWS:,} rows")
        for head, rows in found.items():
            made = [(row, disj(truths)) for row, truths in rows.values()]
            self.facts[head] = [(row, truth) for row, truth in made if truth is not False]

    def until_stable(self, group: tuple[str, ...], rules: list[Rule]) -> None:
        """Rows of relations that need each other: a fact is derived in no more steps than there are rows."""
        while True:
            before = sum(len(self.facts[head]) for head in group)
            self.round(group, rules)
            if sum(len(self.facts[head]) for head in group) == before:
                break
        if before > 60:
            raise CannotSayError(f"`{group[0]}`, which needs itself and may have {before} rows")
        for _ in range(before):
            self.round(group, rules)

    # Bodies

    def matches(self, body: Body, env: Env, truth: Truth) -> Matches:
        """All ways to match a body, each with when it is one."""
        yield from self.match_all(ordered(body, set(env)), env, truth)

    def match_all(self, body: Body, env: Env, truth: Truth) -> Matches:
        if not body:
            yield env, truth
            return
        for found, more in self.match(body[0], env):
            both = conj(truth, more)
            if both is not False:
                yield from self.match_all(body[1:], found, both)

    def match(self, literal: Literal, env: Env) -> Matches:
        self.steps += 1
        if self.steps > MOST_STEPS or (self.steps % 64 == 0 and self.late()):
            raise TooMuchError("the rules have too many matches to be looked through")
        match literal:
            case Atom():
                yield from self.atom(literal, env)
            case Compare():
                left, right = self.value(literal.left, env), self.value(literal.right, env)
                yield env, self.values.compare(literal.op, left, right, literal.sure)
            case Member():
                yield env, self.member(literal, self.value(literal.term, env))
            case Bind():
                yield {**env, literal.var.name: self.value(literal.term, env)}, True
            case Not():
                yield env, neg(self.some_match(literal.body, env))
            case Either():
                yield env, disj(self.some_match(body, env) for body in literal.bodies)
            case Aggregate():
                yield {**env, literal.into.name: self.aggregate(literal, env)}, True

    def some_match(self, body: Body, env: Env) -> Truth:
        """Whether a body has a match."""
        found = []
        for _, truth in self.matches(body, env, True):
            if truth is True:
                return True
            found.append(truth)
        return disj(found)

    def member(self, literal: Member, value: V) -> Truth:
        equal = [self.values.compare("=", value, c.value, True) for c in literal.values]
        return disj(equal if literal.sure else [*equal, unknown(value)])

    def atom(self, atom: Atom, env: Env) -> Matches:
        relation = self.program.relations[atom.relation]
        places = [(relation.index(column), term) for column, term in atom.args]
        for row, there in self.facts[atom.relation]:
            found = dict(env)
            truths = [there]
            for place, term in places:
                if isinstance(term, Var) and term.name not in found:
                    found[term.name] = row[place]
                    continue
                value = self.value(term, found)
                truths.append(self.values.compare("=", row[place], value, atom.sure))
                if truths[-1] is False:
                    break
                if isinstance(term, Var):
                    found[term.name] = met(value, row[place], atom.sure)
            else:
                yield found, conj(*truths)

    def value(self, term: Term, env: Env) -> V:
        match term:
            case Var():
                return env[term.name]
            case Const():
                return term.value
        days = self.calendars[term.calendar] if term.calendar else None
        if term.calendar and days is None:
            return None
        return self.functions.call(term.function, [self.value(arg, env) for arg in term.args], days)

    def aggregate(self, literal: Aggregate, env: Env) -> V:
        def rows(body: Body) -> Rows:
            return [
                (tuple(self.value(t, m) for t in taken(literal)), truth)
                for m, truth in self.matches(body, env, True)
            ]

        window = tuple(self.value(t, env) for t in literal.window or ())
        against = rows(literal.against) if literal.against else []
        return self.aggregates.made(
            literal, rows(literal.body), against, window, lambda name: self.calendars[name]
        )


def met(known: V, found: V, sure: bool) -> V:
    """The value of a variable after a row was found that agrees with it: the plainer of the two, or what the
    row has where it was unknown."""
    if sure:
        return found if isinstance(known, Sym | Ratio) and not isinstance(found, Sym | Ratio) else known
    null = unknown(known)
    if null is False or isinstance(known, Ratio):
        return known
    if null is True:
        return found
    assert isinstance(known, Sym), "plain values are known or not"
    if not isinstance(found, Sym):
        return known if found is None or isinstance(found, Ratio) else found
    number = choose(null, found.number, known.number)
    return Sym(known.type, number, conj(null, found.null), known.never or found.never)
