"""Questions about all records with up to so many rows a relation at once, answered by z3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from policycheck_engine import Program, readings
from policycheck_engine.breaches import BREACH, judged
from policycheck_engine.symbolic.solve import Derived, Solution, Solver

from policycheck.policy.compile import compile_policy
from policycheck.records.model import RecordModel
from policycheck.review.change import Change, Direction
from policycheck.review.proofs import base_with_gaps
from policycheck.review.sides import Checks, Records, Side, fields_in, plain_base
from policycheck.review.spaces import Spaces
from policycheck.review.widths import widths


class Questions:
    """Small records of a model, and what plain programs derive from them.

    `fields` are those that matter, by relation; `defaults` what rows usually have. The frame and the
    calendars are those of the scene, whose term ends on the as-of date of the programs; with `gaps`, what
    may be unknown may be so. The checks of the record model hold.
    """

    def __init__(
        self,
        model: RecordModel,
        checks: Checks,
        fields: Mapping[str, set[str]],
        scene: Records,
        defaults: Mapping[str, Mapping[str, Any]],
        programs: Sequence[Program],
        gaps: bool = False,
        as_of: str | None = None,
    ) -> None:
        sides = list(checks_within(checks, set(fields)))
        self.never = [plain_program(side, gaps, True, as_of) for side in sides]
        self.gaps, self.programs = gaps, programs
        read = {name: set(names) for name, names in fields.items()}
        for name, names in fields_in(side.cone for side in sides).items():
            read[name] |= names
        self.spaces = Spaces(model, read, scene, [*programs, *self.never], defaults)
        self.current: tuple[object, Solver] | None = None

    def ask(
        self,
        one: Derived,
        other: Derived | None,
        rows: int,
        seconds: float,
        wider: Mapping[str, int] | None = None,
    ) -> Solution:
        """Records with up to so many rows a relation, or as many as `wider` says, from which one program
        derives something that the other does not."""
        key = (rows, tuple((wider or {}).items()))
        if self.current is None or self.current[0] != key:
            space = self.spaces.space(rows, self.gaps, wider)
            never = [(program, BREACH) for program in self.never]
            self.current = (key, Solver(space, self.spaces.reach, self.programs, never))
        return self.current[1].only_in(one, other, seconds)

    def records(self, solution: Solution) -> Records:
        """The records of a solution."""
        return self.spaces.records(solution.rows)


class Formulas:
    """The two versions of a rule, asked about small records."""

    def __init__(self, change: Change, scene: Records, gaps: bool, as_of: str | None = None) -> None:
        self.change, self.scene, self.gaps, self.as_of = change, scene, gaps, as_of

    def ask(self, direction: Direction, rows: int, seconds: float, wide: bool = False) -> Solution:
        """Records with up to so many rows a relation on which the versions differ in a direction; when
        `wide`, with as many rows more as it takes to count up to the figures of the rules."""
        change = self.change
        finds, other = (change.new, change.old) if direction == "stricter" else (change.old, change.new)
        assert finds is not None, "a version without the rule finds nothing"
        return self.questions.ask(
            (self.programs[finds], BREACH),
            (self.programs[other], BREACH) if other else None,
            rows,
            seconds,
            self.widths if wide else None,
        )

    def records(self, solution: Solution) -> Records:
        """The records of a solution."""
        return self.questions.records(solution)

    @cached_property
    def widths(self) -> dict[str, int]:
        """How many rows of each relation the rules count up to."""
        return most_of(widths(side.plain.program, side.norm) for side in self.change.sides)

    @cached_property
    def programs(self) -> Mapping[Side, Program]:
        by_subject = self.change.by_subject
        return {s: plain_program(s, self.gaps, by_subject, self.as_of) for s in self.change.sides}

    @cached_property
    def questions(self) -> Questions:
        change = self.change
        programs = list(self.programs.values())
        return Questions(
            change.model,
            change.checks,
            change.fields,
            self.scene,
            change.defaults,
            programs,
            self.gaps,
            self.as_of,
        )


def most_of(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The largest number for each name."""
    out: dict[str, int] = {}
    for numbers in several:
        for name, number in numbers.items():
            out[name] = max(number, out.get(name, 0))
    return out


def checks_within(checks: Checks, relations: set[str]) -> Iterator[Side]:
    """The checks of a record model that read these relations alone, each by itself."""
    for side in checks.sides:
        if side.cone.relations <= relations:
            yield side


def plain_program(side: Side, gaps: bool, by_subject: bool, as_of: str | None) -> Program:
    """The plain program of a rule and of its breaches."""
    model = side.policy.model
    base = base_with_gaps(model) if gaps else plain_base(model)
    compiled = compile_policy(side.policy, base, side.setting(as_of), side.rules)
    return readings(judged(compiled.program, compiled.norms[0], by_subject)).program
