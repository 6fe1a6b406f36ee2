"""What is not known: rows that may be there, values that they may have, and what must hold of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import z3
from msgspec import Struct, field

from policycheck_engine.program import Body, Const, Member, Program, Term, terms, walk
from policycheck_engine.readings import possible
from policycheck_engine.symbolic.codes import Codes
from policycheck_engine.symbolic.formulas import Sym, Truth, V, Values, compared, conj, disj, neg, unknown
from policycheck_engine.values import NEVER, NONE, Row, Type, Value

STEPS: dict[Type, int] = {"decimal": 10_000, "time": 60, "datetime": 60}
"""Decimals have two places, and times are whole minutes."""


class Open(Struct, frozen=True):
    """A value that is not known: one of `values`, or one of a span, ends included.

    A decimal has two places, and a time whole minutes. `gap` says that it may also be unknown.
    """

    type: Type
    values: tuple[Value, ...] = ()
    spans: tuple[tuple[Value, Value], ...] = ()
    gap: bool = False


class Slot(Struct, frozen=True):
    """A row that may be there."""

    relation: str
    values: tuple[Value | Open, ...]


class Refers(Struct, frozen=True):
    """A column's values are found in a column of another relation, but for nothing."""

    relation: str
    column: int
    target: str
    target_column: int
    nothing: Value = None


class InOrder(Struct, frozen=True):
    """The first column comes before the second, or at the same time when `touching`; never is no time."""

    relation: str
    first: int
    second: int
    touching: bool


class Space(Struct, frozen=True):
    """All the facts that are considered: rows that are there, rows that may be, and what must hold.

    `keys` are the columns by which no two rows of a relation are the same. Of `alike` slots, each a list of
    positions, none is there without the one before it: which of them are does not matter.
    """

    rows: Mapping[str, Sequence[Row]]
    slots: tuple[Slot, ...]
    keys: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    refers: tuple[Refers, ...] = ()
    ordered: tuple[InOrder, ...] = ()
    alike: tuple[tuple[int, ...], ...] = ()


class Made(Struct, frozen=True):
    """A slot as it stands in the formulas."""

    relation: str
    row: tuple[V, ...]
    there: Any


class Ground:
    """The variables of a space, and the formulas that must hold of them."""

    def __init__(self, space: Space, programs: Iterable[Program]) -> None:
        self.space = space
        self.codes = Codes([*texts_of(space), *(t for p in programs for t in texts_in(p))])
        self.values = Values(self.codes)
        self.must: list[Truth] = []
        self.made = [self.slot(slot, i) for i, slot in enumerate(space.slots)]
        self.facts: dict[str, list[tuple[tuple[V, ...], Truth]]] = {
            name: [(tuple(row), True) for row in rows] for name, rows in space.rows.items()
        }
        for made in self.made:
            self.facts.setdefault(made.relation, []).append((made.row, made.there))
        self.must += [truth for truth in self.constraints() if truth is not True]

    def slot(self, slot: Slot, i: int) -> Made:
        there = z3.Bool(f"{slot.relation}{i}")
        row = tuple(
            self.open(value, f"{slot.relation}{i}.{j}") if isinstance(value, Open) else value
            for j, value in enumerate(slot.values)
        )
        return Made(slot.relation, row, there)

    def open(self, value: Open, name: str) -> V:
        """The variable of a value."""
        if len(value.values) == 1 and not value.spans and not value.gap:
            return value.values[0]
        step = STEPS.get(value.type, 1)
        count = z3.Int(name)
        number = count if step == 1 else count * step
        null = z3.Bool(f"{name}?") if value.gap else False
        cases = [
            compared("=", count, code // step)
            for code in (self.codes.number(v, value.type) for v in value.values)
        ]
        for span in value.spans:
            low, high = (self.codes.number(v, value.type) // step for v in span)
            cases.append(conj(count >= low, count <= high))
        self.must.append(disj(cases))
        never = value.type in NEVER and NEVER[value.type] in value.values
        return Sym(value.type, number, null, never)

    def constraints(self) -> Iterable[Truth]:
        """What must hold of the rows that are there."""
        for name, columns in self.space.keys.items():
            rows = self.facts.get(name, [])
            for i, (row, there) in enumerate(rows):
                for other, also in rows[:i]:
                    same = conj(*(self.values.same(row[c], other[c]) for c in columns))
                    yield neg(conj(there, also, same))
        for places in self.space.alike:
            for one, next_ in pairwise(places):
                yield disj((self.made[one].there, neg(self.made[next_].there)))
        for reference in self.space.refers:
            yield from self.found(reference)
        for order in self.space.ordered:
            for row, there in self.facts.get(order.relation, []):
                yield disj((neg(there), self.in_order(row[order.first], row[order.second], order.touching)))

    def found(self, reference: Refers) -> Iterable[Truth]:
        targets = self.facts.get(reference.target, [])
        for row, there in self.facts.get(reference.relation, []):
            value = row[reference.column]
            if there is True and not isinstance(value, Sym):
                continue
            hits = [conj(t, self.values.same(value, r[reference.target_column])) for r, t in targets]
            nothing = False if reference.nothing is None else self.values.same(value, reference.nothing)
            yield disj((neg(there), unknown(value), nothing, *hits))

    def in_order(self, first: V, second: V, touching: bool) -> Truth:
        if not isinstance(first, Sym) and not isinstance(second, Sym):
            return True
        op = "<=" if touching else "<"
        type_ = first.type if isinstance(first, Sym) else second.type  # type: ignore[union-attr]
        never = [self.values.compare("=", v, NEVER[type_], True) for v in (first, second)]
        return disj((*never, self.values.compare(op, first, second, False)))

    def tables(self, program: Program) -> dict[str, list[tuple[tuple[V, ...], Truth]]]:
        """The rows of a program's base relations, and of their possible readings where they have one."""
        out = {}
        for name, rows in self.facts.items():
            if name in program.relations:
                out[name] = rows
                if possible(name) in program.relations:
                    out[possible(name)] = rows
        return out


def texts_of(space: Space) -> Iterable[str]:
    """All texts of a space."""
    yield str(NONE["text"])
    for rows in space.rows.values():
        for row in rows:
            yield from (v for v in row if isinstance(v, str))
    for slot in space.slots:
        for value in slot.values:
            if isinstance(value, Open):
                yield from (v for v in value.values if isinstance(v, str))
            elif isinstance(value, str):
                yield value


def texts_in(program: Program) -> Iterable[str]:
    """All texts of a program."""
    for rule in program.rules:
        for term in (*(t for _, t in rule.args), *body_terms(rule.body)):
            if isinstance(term, Const) and isinstance(term.value, str):
                yield term.value


def body_terms(body: Body) -> Iterable[Term]:
    for literal in walk(body):
        if isinstance(literal, Member):
            yield from literal.values
        for term in terms(literal):
            yield from parts(term)


def parts(term: Term) -> Iterable[Term]:
    yield term
    for arg in getattr(term, "args", ()):
        yield from parts(arg)
