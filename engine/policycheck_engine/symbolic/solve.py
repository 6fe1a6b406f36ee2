"""Facts from which one program derives something that another does not, found by z3."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import z3

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


@dataclass(frozen=True, slots=True)
class Solution:
    """Whether there are such facts, and if so the rows of the slots by relation; `why` names what could not
    be said."""

    answer: Answer
    rows: Mapping[str, list[Row]]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Are there facts from which `finds` derives a row of `relation`, and `other`, if there is one, does not
    derive the same row? Nothing may be derived of the relations of `never`. The programs are plain ones (see
    `readings`)."""

    finds: Program
    relation: str
    other: Program | None = None
    never: tuple[tuple[Program, str], ...] = ()


def solved(question: Question, space: Space, window: tuple[str, str], seconds: float) -> Solution:
    """Facts of a space that are the answer to a question, found in so many seconds. Days lie in the window
    (first and last day): months are looked up in it."""
    until = time.monotonic() + seconds
    try:
        return _Solver(question, space, window, until).answer()
    except CannotSayError as error:
        return Solution("cannot say", {}, str(error))
    except TooMuchError as error:
        return Solution("too long", {}, str(error))


class _Solver:
    def __init__(self, question: Question, space: Space, window: tuple[str, str], until: float) -> None:
        self.question, self.until = question, until
        programs = [question.finds, *(p for p, _ in question.never)]
        programs += [question.other] if question.other else []
        self.ground = Ground(space, programs)
        first, last = (day_number(day) for day in window)
        self.functions = Functions(self.ground.values, Window(first, last))

    def late(self) -> bool:
        return time.monotonic() >= self.until

    def derived(self, program: Program, relation: str) -> Rows:
        """The rows of a relation, each with when it is derived."""
        part = needed(program, [relation])
        calendars = {name: self.days(part, name) for name in part.calendars}
        world = World(part, self.ground.tables(part), calendars, self.functions, self.late)
        world.solve()
        return list(world.facts[relation])

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

    def goal(self) -> Truth:
        """What has to be so for a row that only one program derives."""
        asked = self.question
        rows = self.derived(asked.finds, asked.relation)
        others = self.derived(asked.other, asked.relation) if asked.other else []
        return disj(conj(there, neg(self.among(row, others))) for row, there in rows)

    def wrong(self) -> Iterator[Truth]:
        """What must not be derived is not."""
        for program, relation in self.question.never:
            yield from (neg(there) for _, there in self.derived(program, relation))

    def among(self, row: tuple[V, ...], others: Rows) -> Truth:
        same = self.ground.values.same
        return disj(
            conj(there, *(same(a, b) for a, b in zip(row, other, strict=True))) for other, there in others
        )

    def answer(self) -> Solution:
        goal = self.goal()
        if goal is False:
            return Solution("none", {})
        solver = z3.Solver()
        for truth in (*self.ground.must, *self.wrong(), goal):
            solver.add(truth)
        found = self.check(solver)
        if found == z3.unsat:
            return Solution("none", {})
        if found != z3.sat:
            return Solution("too long", {}, "z3 found nothing in the time there was")
        return Solution("found", self.rows(self.fewest(solver)))

    def check(self, solver: Any) -> Any:
        left = max(1, int((self.until - time.monotonic()) * 1000))
        solver.set("timeout", left)
        return solver.check()

    def fewest(self, solver: Any) -> Any:
        """A solution with few rows: one row after the other is left out, as long as there is time for it."""
        model = solver.model()
        theres = [made.there for made in self.ground.made]
        while not self.late():
            used = [there for there in theres if z3.is_true(model.eval(there, model_completion=True))]
            unused = [there for there in theres if there not in used]
            solver.push()
            solver.add(*(z3.Not(there) for there in unused), z3.Not(z3.And(used)) if used else False)
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
