"""The rules of one policy on a bench: each compiled once, tried on the examples of any of them, and asked
about all small records."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from policycheck_engine import Atom, Program, Relation, readings
from policycheck_engine.breaches import judged
from policycheck_engine.norms import Judgement
from policycheck_engine.program import Rule, Var

from policycheck.messages import moment
from policycheck.policy.compile import compile_policy
from policycheck.policy.model import Policy
from policycheck.review.proofs import base_with_gaps
from policycheck.review.review import NO_Z3
from policycheck.review.scenes import frame_relations, last_day_of_term, only, scene
from policycheck.review.shrink import shrunk
from policycheck.review.sides import Checks, Records, Side, Small, Subject, fields_in, plain_base, small
from policycheck.review.verdicts import has_solver
from policycheck.review.widths import MOST, widths
from policycheck.trials import Layer, layered

if TYPE_CHECKING:
    from policycheck_engine.symbolic.solve import Derived

    from policycheck.review.formulas import Questions

BOTH = "both:"
"""How relations are called that have the subjects which are in a relation of each of two rules."""

ROWS = 4
"""So many rows a relation there are in the records that are all looked through."""

FEW = 2
"""Rows of most relations, when there are enough of others to count."""

SHRINKING = 2.0
"""Seconds that may be spent on making one witness small."""


class Shown(Struct, frozen=True):
    """Records that show something, and the day up to which they are judged; None: the end of their term."""

    records: Records
    as_of: str | None = None


Shows = Callable[[Small, str], bool]
"""Whether records show something, by one of the evaluators."""


class Nothing(Struct, frozen=True):
    """No records were found. `why` says where was looked; when it is `open`, why that is not known."""

    why: str
    open: bool = False


class Goal(Struct, frozen=True):
    """What records are looked for: those from which one program derives a row that the other, if there is
    one, does not, which the evaluator says by `shows`."""

    one: Derived
    other: Derived | None
    shows: Shows


class Bench:
    """What a policy's rules make of small records. About `seconds` are spent on one question to the solver,
    which looks at records with up to `ROWS` rows a relation; without z3 no question is answered."""

    def __init__(self, policy: Policy, seconds: float) -> None:
        self.policy, self.seconds, self.solver = policy, seconds, has_solver()
        self.model = policy.model
        self.checks = Checks(policy.model)
        self.frame = frame_relations(self.model)
        self.fixed = {c.relation for c in self.model.calendars.values()} | self.frame
        self.defaults: Mapping[str, Mapping[str, Any]] = policy.scene.get("defaults") or {}
        usual = policy.scene.get("as_of")
        self.as_of = last_day_of_term(scene(policy, self.frame), self.model) or usual
        self.sides: dict[str, Side] = {}

    def side(self, rule: str, parameters: Mapping[str, Any] | None = None) -> Side:
        """A rule by itself; with parameters of an example it is made anew."""
        if parameters:
            return Side(self.policy, [rule], None, self.as_of, parameters)
        if rule not in self.sides:
            self.sides[rule] = Side(self.policy, [rule], None, self.as_of)
        return self.sides[rule]

    @property
    def everywhere(self) -> str:
        """Where the solver looked when it found nothing."""
        day = f", as of {moment(self.as_of)}" if self.as_of else ""
        return f"in any records with up to {ROWS} rows a relation{day}"

    def fields(self, rules: Sequence[str]) -> dict[str, set[str]]:
        """The fields that these rules read, by relation."""
        found = dict(fields_in(self.side(rule).cone for rule in rules))
        for calendar in self.model.calendars.values():
            if calendar.relation in found:
                found[calendar.relation].add(calendar.field)
        return found

    # Trying

    def examples(self, rule: str, *outcomes: str) -> Iterator[Layer]:
        """The examples of a rule that have one of these outcomes, or all of them."""
        found = self.policy.rules[rule].data.get("examples") or {}
        for outcome in outcomes or found:
            yield from found.get(outcome, ())

    def laid(self, layers: Sequence[Layer | None], rules: Sequence[str]) -> tuple[Shown, Small] | None:
        """Examples laid over the scene, with what these rules read; None when they need other parameters or
        cannot be read."""
        given = [layer for layer in layers if layer]
        if any(layer.get("parameters") for layer in given):
            return None
        made = layered(self.policy, given)
        if made.problems:
            return None
        kept = self.frame.union(*(self.side(rule).cone.relations for rule in rules))
        shown = Shown(only(made.data, kept), made.as_of)
        found = small(shown.records, self.model, shown.as_of)
        return None if found is None else (shown, found)

    def sound(self, records: Small) -> bool:
        """Whether the checks of the record model find nothing wrong."""
        return not self.checks.problems(records)

    def judgement(self, rule: str, records: Small, engine: str = "memory") -> Judgement:
        """What a rule makes of records."""
        return self.side(rule).judged(records, engine)[0]

    def failing(self, rule: str, records: Small, engine: str = "memory") -> frozenset[Subject]:
        """The subjects that a rule finds in breach."""
        return self.side(rule).failing(records, engine)

    def believed(self, shown: Shown, shows: Shows, rules: Sequence[str]) -> Shown | None:
        """The records, made small, when the reference evaluator says that they show it; else None."""
        until = time.process_time() + SHRINKING

        def holds(records: Records, engine: str = "memory") -> bool:
            made = small(records, self.model, shown.as_of)
            return made is not None and shows(made, engine) and self.sound(made)

        if not holds(shown.records):
            return None
        records = shrunk(
            shown.records,
            holds,
            self.model,
            self.fields(rules),
            self.defaults,
            lambda: time.process_time() >= until,
        )
        if not holds(json.loads(json.dumps(records)), "naive"):
            return None
        usual = last_day_of_term(records, self.model)
        return Shown(records, None if shown.as_of in (None, usual) and usual else shown.as_of or self.as_of)

    # Asking

    @cached_property
    def scene(self) -> Records:
        return scene(self.policy, self.model.relations)

    def program(self, *rules: str, gaps: bool = False) -> Program:
        """The checked program of one rule or two, with the relations of their norms marked 0 and 1; with
        `gaps`, over records in which whatever may be unknown is."""
        base = base_with_gaps(self.model) if gaps else plain_base(self.model)
        compiled = compile_policy(self.policy, base, self.side(rules[0]).setting(None), set(rules))
        program = compiled.program
        norms = {norm.rule: norm for norm in compiled.norms}
        for mark, rule in enumerate(rules):
            program = judged(program, norms[rule], mark=str(mark))
        return program


class Search:
    """A search through all small records for some that show a thing of some rules. What is asked about is
    derived by the program. With `gaps`, what may be unknown may be so."""

    def __init__(self, bench: Bench, rules: Sequence[str], program: Program, gaps: bool = False) -> None:
        self.bench, self.rules, self.program, self.gaps = bench, rules, program, gaps
        several = [widths(bench.side(rule).plain.program, bench.side(rule).norm) for rule in rules]
        self.widths = {n: max(w.get(n, 0) for w in several) for w in several for n in w}

    @cached_property
    def questions(self) -> Questions:
        from policycheck.review.formulas import Questions

        bench = self.bench
        fields = bench.fields(self.rules)
        return Questions(
            bench.model, bench.checks, fields, bench.scene, bench.defaults, [self.program], self.gaps
        )

    def look(self, *goals: Goal) -> list[Shown | Nothing]:
        """Records that show each goal: with ever more rows, and then with enough to count. It is over as soon
        as the first goal is shown, and the others are then left as they are."""
        bench = self.bench
        if not bench.solver:
            return [Nothing(NO_Z3, open=True) for _ in goals]
        until = time.process_time() + bench.seconds
        most = max(self.widths.values(), default=0)
        tries: list[tuple[int, Mapping[str, int] | None]] = [(n, None) for n in range(1, ROWS + 1)]
        if most > ROWS:
            tries.append((FEW, self.widths))
        found: list[Shown | Nothing | None] = [None for _ in goals]
        for rows, wider in tries:
            for i, goal in enumerate(goals):
                if found[i] is None:
                    found[i] = self.ask(goal, rows, until - time.process_time(), wider)
                if found[0] is not None:
                    break
        last = Nothing(bench.everywhere)
        if most >= MOST:
            last = Nothing(f"it counts further than the {MOST} rows that were looked at", open=True)
        return [x or last for x in found]

    def ask(
        self, goal: Goal, rows: int, seconds: float, wider: Mapping[str, int] | None
    ) -> Shown | Nothing | None:
        """What the solver says of records with up to so many rows; None: none of them show the goal. Those
        that come are believed when they show it in the evaluator too."""
        said = self.questions.ask(goal.one, goal.other, rows, seconds, wider)
        if said.answer == "none":
            return None
        if said.answer != "found":
            return Nothing(said.why, open=True)
        shown = Shown(self.questions.records(said), None if self.bench.model.frame.term else self.bench.as_of)
        made = small(shown.records, self.bench.model, shown.as_of)
        if made is None or not goal.shows(made, "memory"):
            return Nothing("the solver's records did not show it", open=True)
        return shown


def both(program: Program, pairs: Sequence[tuple[str, str]]) -> tuple[Program, list[str]]:
    """The plain program with a relation for each pair of relations: the subjects that are in both."""
    rules, relations, names = [*program.rules], dict(program.relations), []
    for i, (first, second) in enumerate(pairs):
        one, name = program.relations[first], f"{BOTH}{i}"
        args = tuple((column, Var(column)) for column in one.names)
        rules.append(Rule(name, args, (Atom(first, args), Atom(second, args))))
        relations[name] = Relation(name, one.columns)
        names.append(name)
    return readings(Program(relations, tuple(rules), program.calendars)).program, names
