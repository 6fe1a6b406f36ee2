"""What aggregates make of rows that may not be there: see `policycheck_engine.aggregates`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policycheck_engine.aggregates import FLIPPED
from policycheck_engine.functions import FAR, MILLION, Days
from policycheck_engine.program import Aggregate, Bound
from policycheck_engine.symbolic.codes import NEVER_DAY
from policycheck_engine.symbolic.formulas import (
    CannotSayError,
    Number,
    Ratio,
    Sym,
    Truth,
    V,
    choose,
    compared,
    conj,
    disj,
    divided,
    key_of,
    most,
    neg,
    type_of,
    unknown,
)
from policycheck_engine.symbolic.functions import WEEK, Functions
from policycheck_engine.values import Type

Rows = list[tuple[tuple[V, ...], Truth]]
"""Rows, each with whether it is there."""

MOST = 40
"""So many rows can be counted."""


class Aggregates:
    """Aggregates over rows that may not be there."""

    def __init__(self, functions: Functions) -> None:
        self.functions, self.values = functions, functions.values

    def made(
        self,
        literal: Aggregate,
        rows: Rows,
        against: Rows,
        window: Sequence[V],
        days: Callable[[str], Days | None],
    ) -> V:
        """The value of an aggregate over the rows that it takes from its matches."""
        if len(rows) > MOST or len(against) > MOST:
            raise CannotSayError(f"an aggregate over {max(len(rows), len(against))} rows")
        weighed = literal.weight is not None
        if literal.kind == "share":
            part = self.total(rows, weighed, literal.bound)
            rest = self.total(against, weighed, FLIPPED[literal.bound])
            return self.share(part, rest)
        if literal.kind in ("count", "sum"):
            return self.total(rows, weighed, literal.bound)
        values = [(row[-1], there) for row, there in rows]
        if literal.kind == "gap":
            return self.gap(values, window, literal.unit, literal.bound, days)
        return self.extreme(values, literal.kind == "max", literal.bound)

    def different(self, rows: Rows) -> Rows:
        """The rows, each there only when no equal one stands before it."""
        merged: dict[tuple[object, ...], tuple[tuple[V, ...], list[Truth]]] = {}
        for row, there in rows:
            merged.setdefault(tuple(map(key_of, row)), (row, []))[1].append(there)
        found = [(row, disj(theres)) for row, theres in merged.values()]
        out: Rows = []
        for i, (row, there) in enumerate(found):
            before = [conj(other, self.equal(row, earlier)) for earlier, other in found[:i]]
            out.append((row, conj(there, neg(disj(before)))))
        return out

    def equal(self, one: tuple[V, ...], other: tuple[V, ...]) -> Truth:
        return conj(*(self.values.same(a, b) for a, b in zip(one, other, strict=True)))

    def total(self, rows: Rows, weighed: bool, bound: Bound) -> V:
        """A count or a sum; a low bound leaves rows with unknowns out, a high one is unknown with them."""
        gaps = [disj(unknown(v) for v in row) for row, _ in rows]
        some_gap = disj(conj(there, gap) for (_, there), gap in zip(rows, gaps, strict=True))
        null = some_gap if bound == "high" else False
        shaky = [disj(unknown(v) for v in (row[:-1] if weighed else row)) for row, _ in rows]
        kept = [(row, conj(there, neg(s))) for (row, there), s in zip(rows, shaky, strict=True)]
        known = self.different(kept)
        if not weighed:
            count = summed([choose(there, 1, 0) for _, there in known])
            low = conj(disj(shaky), neg(disj(t for _, t in known)), disj(there for _, there in rows))
            return self.finished("int", choose(low, 1, count), null)
        type_: Type = "decimal" if any(type_of(row[-1]) == "decimal" for row, _ in known) else "int"
        parts = []
        for row, there in known:
            weight = row[-1]
            if weight is None:
                continue
            there = conj(there, neg(unknown(weight)))
            parts.append(choose(there, self.values.number(weight, type_), 0))
        return self.finished(type_, summed(parts), null)

    def finished(self, type_: Type, number: Number, null: Truth) -> V:
        """A number as a value; a plain one when nothing about it is open."""
        if null is True:
            return None
        if isinstance(number, int) and null is False:
            return number / MILLION if type_ == "decimal" else number
        return Sym(type_, number, null)

    def share(self, part: V, rest: V) -> V:
        null = disj((unknown(part), unknown(rest)))
        if null is True:
            return None
        type_: Type = "decimal" if "decimal" in (type_of(part), type_of(rest)) else "int"
        top = self.values.number(part, type_)
        whole = top + self.values.number(rest, type_)
        if isinstance(top, int) and isinstance(whole, int) and null is False:
            return top / whole if whole else None
        return Ratio(top, whole, disj((null, compared("=", whole, 0))))

    def extreme(self, values: list[tuple[V, Truth]], largest: bool, bound: Bound) -> V:
        """The largest or smallest; unknown when there is none."""
        shaky = disj(conj(there, unknown(v)) for v, there in values)
        known = [(v, conj(there, neg(unknown(v)))) for v, there in values if v is not None]
        known = [(v, there) for v, there in known if there is not False]
        spoilt = shaky if bound == ("high" if largest else "low") else False
        if not known or spoilt is True:
            return None
        types = {type_of(v) for v, _ in known}
        syms = {v.type for v, _ in known if isinstance(v, Sym)}
        type_ = next(iter(syms or types)) if len(types) == 1 or not types & {"decimal"} else "decimal"
        best, some = self.values.number(known[0][0], type_), known[0][1]
        for value, there in known[1:]:
            number = self.values.number(value, type_)
            better = conj(there, disj((neg(some), compared(">" if largest else "<", number, best))))
            best, some = choose(better, number, best), disj((some, there))
        never = any(self.functions.may_never(v) for v, _ in known)
        null = disj((spoilt, neg(some)))
        if isinstance(best, int) and null is False:
            return self.values.codes.value(best, type_)
        return Sym(type_, best, null, never)

    def gap(
        self,
        values: list[tuple[V, Truth]],
        window: Sequence[V],
        unit: str | None,
        bound: Bound,
        days: Callable[[str], Days | None],
    ) -> V:
        """The largest distance between neighbours inside a window."""
        start, end = window
        calendar = None if unit in (None, "days", "weeks") else days(str(unit))
        null = disj((unknown(start), unknown(end)))
        if bound == "low":
            null = disj((null, *(conj(there, unknown(v)) for v, there in values)))
        if null is True or (calendar is None and unit not in (None, "days", "weeks")):
            return None
        first, last = self.functions.day(start), self.functions.day(end)
        last = most(first, last)
        known = [(v, conj(there, neg(unknown(v)))) for v, there in values if v is not None]
        dates = [(self.functions.day(v), there) for v, there in known if there is not False]
        begun, some = first, False
        for day, there in dates:
            before = conj(there, compared("<=", day, first))
            better = conj(before, disj((neg(some), compared(">", day, begun))))
            begun, some = choose(better, day, begun), disj((some, before))
        never = any(map(self.functions.may_never, (*window, *(v for v, _ in known))))
        marks = [(begun, True)]
        inner = [
            (day, conj(there, compared(">", day, first), compared("<", day, last))) for day, there in dates
        ]
        marks += [(day, there) for day, there in inner if there is not False]
        widest: Number = 0
        for day, there in marks:
            after = last
            for other, its in marks[1:]:
                nearer = conj(its, compared(">", other, day), compared("<", other, after))
                after = choose(nearer, other, after)
            width = self.distance(day, after, calendar, never)
            widest = choose(conj(there, compared(">", width, widest)), width, widest)
        if unit == "weeks":
            return self.finished("decimal", divided(2 * MILLION * widest + WEEK, 2 * WEEK), null)
        return self.finished("int", widest, null)

    def distance(self, start: Number, end: Number, calendar: Days | None, never: bool) -> Number:
        """How far it is from one day to a later one."""
        apart = end - start
        if calendar is not None:
            apart = self.functions.rank(end, calendar) - self.functions.rank(start, calendar)
        if not never:
            return apart
        far = conj(compared("=", end, NEVER_DAY), compared("!=", start, NEVER_DAY))
        return choose(far, FAR, apart)


def summed(parts: list[Number]) -> Number:
    """The sum of numbers."""
    plain = sum(p for p in parts if isinstance(p, int))
    rest = [p for p in parts if not isinstance(p, int)]
    if not rest:
        return plain
    total = rest[0]
    for part in rest[1:]:
        total = total + part
    return total + plain if plain else total
