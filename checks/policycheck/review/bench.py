"""The rules of one policy on a bench: each compiled once, and tried on the examples of any of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from policycheck_engine import Atom, Program, Relation, readings
from policycheck_engine.breaches import judged
from policycheck_engine.norms import Judgement
from policycheck_engine.program import Rule, Var
from policycheck_engine.strata import reads
from policycheck_engine.symbolic.solve import Derived, Solution

from policycheck.policy.compile import compile_policy
from policycheck.policy.model import Policy
from policycheck.review.formulas import Questions, most_of
from policycheck.review.scenes import frame_relations, last_day_of_term, only, scene
from policycheck.review.sides import Checks, Records, Side, Small, fields_in, plain_base, small
from policycheck.review.widths import widths
from policycheck.trials import Layer, layered

BOTH = "both:"
"""The relation of subjects that are in a relation of each of two rules."""


class Bench:
    """What a policy's rules make of small records. `seconds` may be spent on one question to the solver,
    which looks at records with up to `rows` rows a relation."""

    def __init__(self, policy: Policy, rows: int, seconds: float, solver: bool) -> None:
        self.policy, self.rows, self.seconds, self.solver = policy, rows, seconds, solver
        self.model = policy.model
        self.checks = Checks(policy.model)
        self.known: dict[str, Side] = {}
        self.fixed = {c.relation for c in self.model.calendars.values()} | frame_relations(self.model)
        self.as_of = last_day_of_term(scene(policy, frame_relations(self.model)), self.model)

    def side(self, rule: str, parameters: Mapping[str, Any] | None = None) -> Side:
        """A rule by itself; with parameters of an example it is made anew."""
        if parameters:
            return Side(self.policy, [rule], None, self.as_of, parameters)
        if rule not in self.known:
            self.known[rule] = Side(self.policy, [rule], None, self.as_of)
        return self.known[rule]

    @property
    def everywhere(self) -> str:
        """Where the solver looked when it found nothing."""
        return f"in any records with up to {self.rows} rows a relation, as of {self.as_of}"

    # Trying

    def examples(self, rule: str, outcome: str) -> Sequence[Layer]:
        """The examples of a rule that have an outcome."""
        found: Sequence[Layer] = (self.policy.rules[rule].data.get("examples") or {}).get(outcome, ())
        return found

    def laid(self, layers: Sequence[Layer], rules: Sequence[str]) -> tuple[Records, str | None] | None:
        """Examples laid over the scene, with what these rules read; None when they cannot be read."""
        made = layered(self.policy, layers)
        kept = frame_relations(self.model).union(*(self.side(r).cone.relations for r in rules))
        return None if made.problems else (only(made.data, kept), made.as_of)

    def small(self, layers: Sequence[Layer], rules: Sequence[str]) -> Small | None:
        found = self.laid(layers, rules)
        return None if found is None else small(found[0], self.model, found[1])

    def judged(self, rule: str, records: Small) -> Judgement:
        """What a rule makes of records."""
        return self.side(rule).judged(records)[0]

    @cached_property
    def scene(self) -> Records:
        return scene(self.policy, self.model.relations)

    # Asking

    def program(self, *rules: str) -> Program:
        """The checked program of one rule or two, with the relations of their norms marked 0 and 1."""
        compiled = compile_policy(
            self.policy, plain_base(self.model), self.side(rules[0]).setting(None), set(rules)
        )
        program = compiled.program
        norms = {norm.rule: norm for norm in compiled.norms}
        for mark, rule in enumerate(rules):
            program = judged(program, norms[rule], mark=str(mark))
        return program

    def questions(self, rules: Sequence[str], programs: Sequence[Program]) -> Questions:
        """Questions about records that these rules read."""
        fields = fields_in(self.side(rule).cone for rule in rules)
        for calendar in self.model.calendars.values():
            if calendar.relation in fields:
                fields[calendar.relation].add(calendar.field)
        return Questions(self.policy, self.checks, fields, self.scene, programs)

    def asked(
        self,
        questions: Questions,
        rules: Sequence[str],
        one: Derived,
        other: Derived | None,
        real: Callable[[Records], bool],
    ) -> Solution | Records:
        """Records with up to so many rows a relation, and then with enough to count, that are as they were
        looked for in the evaluator too; or why there are none."""
        until = time.process_time() + self.seconds
        wider = most_of(widths(self.side(r).plain.program, self.side(r).norm) for r in rules)
        looked: Solution = Solution("none", {})
        tries: list[tuple[int, dict[str, int] | None]] = [(n, None) for n in range(1, self.rows + 1)]
        if max(wider.values(), default=0) > self.rows:
            tries.append((min(2, self.rows), wider))
        for rows, more in tries:
            looked = questions.ask(one, other, rows, until - time.process_time(), more)
            if looked.answer == "found":
                records = questions.records(looked)
                if real(records):
                    return records
                return Solution("cannot say", {}, "the solver's records did not show it")
            if looked.answer != "none":
                return looked
        return looked


def both(program: Program, first: str, second: str) -> Derived:
    """A plain program that derives the subjects which are in both of two relations."""
    one = program.relations[first]
    args = tuple((name, Var(name)) for name in one.names)
    rule = Rule(BOTH, args, (Atom(first, args), Atom(second, args)))
    relations = {**program.relations, BOTH: Relation(BOTH, one.columns)}
    return readings(Program(relations, (*program.rules, rule), program.calendars)).program, BOTH


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
