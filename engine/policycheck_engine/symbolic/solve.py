"""Facts from which one program derives something that another does not, found by z3."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import z3
from msgspec import Struct

from policycheck_engine.functions import Days
from policycheck_engine.program import Program
from policycheck_engine.strata import needed
from policycheck_engine.symbolic.aggregates import Rows
from policycheck_engine.symbolic.codes import day_number
from policycheck_engine.symbolic.evaluate import TooMuchError, World
from policycheck_engine.symbolic.formulas import CannotSayError, Ratio, Sym, Truth, V, conj, disj, neg
from policycheck_engine.symbolic.functions import Functions, Window
from policycheck_engine.symbolic.space import Ground, Space
from policycheck_engine.values import Row, Value

Answer = Literal["found", "none", "too long", "cannot say"]


class Solution(Struct, frozen=True):
    """Whether there are such facts, and if so the rows of the slots by relation; else `why` names what could
    not be said or took too long."""

    answer: Answer
    rows: Mapping[str, list[Row]]
    why: str = ""


Derived = tuple[Program, str]
"""A plain program (see `readings`), and one of the relations that it derives."""

PATIENCE = 1.0
"""Seconds that may be spent on leaving out rows of a solution."""


STEPS = 10_000_000
"""Steps that z3 takes in about a second."""

SLOWEST = 5
"""So many times longer than that it may take on a busy machine."""


class Solver:
    """What can be asked of the facts of a space; nothing may be derived of the relations of `never`.

    Days lie in the window, first and last day: months are looked up in it. `programs` are all those that
    will be asked about. What a program derives is worked out once.
    """

    def __init__(
        self,
        space: Space,
        window: tuple[str, str],
        programs: Iterable[Program],
        never: Iterable[Derived] = (),
    ) -> None:
        self.never, self.context = list(never), z3.Context()
        with within(self.context):
            self.ground = Ground(space, [*programs, *(program for program, _ in self.never)])
        first, last = (day_number(day) for day in window)
        self.functions = Functions(self.ground.values, Window(first, last))
        self.known: dict[int, dict[str, Rows]] = {}
        self.until = 0.0

    def only_in(self, one: Derived, other: Derived | None, seconds: float) -> Solution:
        """Facts from which one program derives a row, and the other, if there is one, not the same row;
        found in so many seconds."""
        self.until = time.process_time() + seconds
        try:
            with within(self.context):
                return self.answer(one, other)
        except CannotSayError as error:
            return Solution("cannot say", {}, str(error))
        except TooMuchError as error:
            return Solution("too long", {}, str(error))

    def answer(self, one: Derived, other: Derived | None) -> Solution:
        rows = self.derived(*one)
        others = self.derived(*other) if other else []
        goal = disj(conj(there, neg(self.among(row, others))) for row, there in rows)
        if goal is False:
            return Solution("none", {})
        truths = [*self.ground.must, *self.wrong(), goal]
        for part, make in ((0.5, z3.SimpleSolver), (1.0, simplifying)):
            solver = make()
            solver.add(*(truth for truth in truths if truth is not True))
            found = self.check(solver, part)
            if found == z3.unsat:
                return Solution("none", {})
            if found == z3.sat:
                return Solution("found", self.rows(self.fewest(solver)))
        return Solution("too long", {}, "z3 found nothing in the time there was")

    def late(self) -> bool:
        return time.process_time() >= self.until

    def derived(self, program: Program, relation: str) -> Rows:
        """The rows of a relation, each with when it is derived."""
        known = self.known.setdefault(id(program), {})
        if relation not in known:
            part = needed(program, [relation])
            calendars = {name: self.days(part, name) for name in part.calendars}
            facts = {**self.ground.tables(part), **known}
            world = World(part, facts, calendars, self.functions, self.late)
            world.solve()
            known.update((name, world.facts[name]) for name in part.heads)
        return known[relation]

    def days(self, program: Program, name: str) -> Days | None:
        calendar = program.calendars[name]
        relation = program.relations.get(calendar.relation)
        if relation is None or relation.missing or relation.doubtful:
            return None
        place = relation.index(calendar.column)
        dates = [row[place] for row, _ in self.ground.facts.get(calendar.relation, [])]
        if any(isinstance(d, Sym) for d in dates):
            raise CannotSayError(f"`{name}`, whose days are not fixed")
        return None if None in dates else Days(map(str, dates), calendar.by_week)

    def wrong(self) -> Iterator[Truth]:
        """What must not be derived is not."""
        for program, relation in self.never:
            yield from (neg(there) for _, there in self.derived(program, relation))

    def among(self, row: tuple[V, ...], others: Rows) -> Truth:
        same = self.ground.values.same
        return disj(
            conj(there, *(same(a, b) for a, b in zip(row, other, strict=True))) for other, there in others
        )

    def check(self, solver: Any, part: float = 1.0) -> Any:
        """What z3 says in some part of the time that is left, counted in its own steps: so the answer does
        not depend on what else the machine does."""
        left = max(0.01, (self.until - time.process_time()) * part)
        solver.set("rlimit", int(left * STEPS))
        solver.set("timeout", int(left * 1000 * SLOWEST))
        return solver.check()

    def fewest(self, solver: Any) -> Any:
        """A solution with few rows: fewer and fewer of them, as long as there is time for it."""
        self.until = min(self.until, time.process_time() + PATIENCE)
        model = solver.model()
        theres = [made.there for made in self.ground.made]
        while not self.late():
            used = [there for there in theres if z3.is_true(model.eval(there, model_completion=True))]
            if not used:
                break
            solver.add(*(z3.Not(there) for there in theres if there not in used), z3.Not(z3.And(used)))
            if self.check(solver) != z3.sat:
                break
            model = solver.model()
        return model

    def rows(self, model: Any) -> dict[str, list[Row]]:
        """The rows of the slots in a solution."""
        out: dict[str, list[Row]] = {}
        for made in self.ground.made:
            if z3.is_true(model.eval(made.there, model_completion=True)):
                out.setdefault(made.relation, []).append(tuple(self.value(v, model) for v in made.row))
        return out

    def value(self, value: V, model: Any) -> Value:
        if not isinstance(value, Sym):
            assert not isinstance(value, Ratio), "a slot holds plain values"
            return value
        if value.null is not False and z3.is_true(model.eval(value.null, model_completion=True)):
            return None
        number = model.eval(value.number, model_completion=True).as_long()
        return self.ground.codes.value(number, value.type)


@contextmanager
def within(context: Any) -> Iterator[None]:
    """All of z3 in a context of its own, so that no answer depends on what was asked before it."""
    core: Any = z3.z3
    before = core.main_ctx()
    core._main_ctx = context
    try:
        yield
    finally:
        core._main_ctx = before


def simplifying() -> Any:
    """A solver for what the plain one does not see through."""
    return z3.Then("simplify", "propagate-values", "solve-eqs", "elim-uncnstr", "smt").solver()
