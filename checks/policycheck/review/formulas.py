"""The hunt with formulas: all records with up to so many rows a relation at once, by z3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from policycheck_engine import Program, readings
from policycheck_engine.breaches import BREACH, judged
from policycheck_engine.symbolic.solve import Solution, Solver

from policycheck.policy.compile import compile_policy
from policycheck.review.change import Change, Direction
from policycheck.review.proofs import base_with_gaps
from policycheck.review.sides import Checks, Records, Side, fields_in, plain_base
from policycheck.review.spaces import Spaces
from policycheck.review.widths import widths


class Formulas:
    """The two versions of a rule as plain programs, and the spaces of records that matter to them: with the
    frame and calendars of a scene whose term ends on the as-of date; with `gaps`, they may have unknowns."""

    def __init__(self, change: Change, scene: Records, gaps: bool, as_of: str | None = None) -> None:
        self.change, self.scene, self.gaps, self.as_of = change, scene, gaps, as_of
        self.current: tuple[tuple[int, bool], Solver] | None = None

    def ask(self, direction: Direction, rows: int, seconds: float, wide: bool = False) -> Solution:
        """Records with up to so many rows a relation on which the versions differ in a direction; when
        `wide`, with as many rows more as it takes to count up to the figures of the rules."""
        change = self.change
        finds, other = (change.new, change.old) if direction == "stricter" else (change.old, change.new)
        assert finds is not None, "a version without the rule finds nothing"
        return self.solver(rows, wide).only_in(
            (self.programs[finds], BREACH), (self.programs[other], BREACH) if other else None, seconds
        )

    def solver(self, rows: int, wide: bool) -> Solver:
        """The solver for so many rows; the one before is done with."""
        if self.current is None or self.current[0] != (rows, wide):
            never = [(program, BREACH) for program in self.checks]
            space = self.spaces.space(rows, self.gaps, self.widths if wide else None)
            made = Solver(space, self.spaces.reach, self.programs.values(), never)
            self.current = ((rows, wide), made)
        return self.current[1]

    @cached_property
    def widths(self) -> dict[str, int]:
        """How many rows of each relation the rules count up to."""
        out: dict[str, int] = {}
        for side in self.change.sides:
            for name, rows in widths(side.plain.program, side.norm).items():
                out[name] = max(rows, out.get(name, 0))
        return out

    @cached_property
    def programs(self) -> Mapping[Side, Program]:
        return {
            side: plain_program(side, self.gaps, self.change.by_subject, self.as_of)
            for side in self.change.sides
        }

    @cached_property
    def checking(self) -> list[Side]:
        """The checks of the record model that look at nothing but these relations."""
        return list(checks_within(self.change.checks, set(self.change.fields)))

    @cached_property
    def checks(self) -> list[Program]:
        return [plain_program(side, self.gaps, True, self.as_of) for side in self.checking]

    @cached_property
    def spaces(self) -> Spaces:
        fields = {name: set(names) for name, names in self.change.fields.items()}
        for name, names in fields_in(side.cone for side in self.checking).items():
            fields[name] |= names
        programs = [*self.programs.values(), *self.checks]
        return Spaces(self.change.model, fields, self.scene, programs, self.change.defaults)


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
