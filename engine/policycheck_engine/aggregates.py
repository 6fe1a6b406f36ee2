"""What aggregates make of the different rows they are over, with unknowns among them.

A bound on the side where an unknown might lie is unknown itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import pairwise

from policycheck_engine.functions import MILLION, Days, days_between, rounded
from policycheck_engine.program import AggregateKind, Bound
from policycheck_engine.values import Row, Value

FLIPPED: dict[Bound, Bound] = {"low": "high", "high": "low", "exact": "exact"}


def aggregated(
    kind: AggregateKind,
    bound: Bound,
    weighed: bool,
    unit: str | None,
    rows: Collection[Row],
    against: Collection[Row],
    window: tuple[Value, ...],
    days: Callable[[str], Days | None],
) -> Value:
    """The value of an aggregate over the different rows that it takes from its matches; the last value of
    a row is its weight, when they are weighed."""
    if kind == "share":
        return ratio(total(rows, weighed, bound), total(against, weighed, FLIPPED[bound]))
    if kind in ("count", "sum"):
        return total(rows, weighed, bound)
    values = [row[-1] for row in rows]
    if kind == "gap":
        return gap(values, window, unit, bound, days)
    return extreme(values, kind == "max", bound)


def total(rows: Collection[Row], weighed: bool, bound: Bound) -> Value:
    """The number of different rows, or the sum of their weights. Rows with an unknown may be equal to
    others: a low bound leaves them out (but there is at least one), a high bound is unknown."""
    if bound == "high" and any(None in row for row in rows):
        return None
    known = [row for row in rows if None not in (row[:-1] if weighed else row)]
    if not weighed:
        return len(known) or (1 if rows else 0)
    weights = [row[-1] or 0 for row in known]
    if all(isinstance(w, int) for w in weights):
        return sum(int(w) for w in weights)
    return sum(int(float(w) * MILLION + 0.5) for w in weights) / MILLION


def ratio(part: Value, rest: Value) -> Value:
    """Part of the whole; unknown when either is, or when there is nothing."""
    if part is None or rest is None or part + rest == 0:  # type: ignore[operator]
        return None
    return float(part) / float(part + rest)  # type: ignore[operator]


def extreme(values: Collection[Value], largest: bool, bound: Bound) -> Value:
    """The largest or smallest."""
    if None in values and bound == ("high" if largest else "low"):
        return None
    known = [v for v in values if v is not None]
    if not known:
        return None
    return max(known) if largest else min(known)


def gap(
    values: Collection[Value],
    window: tuple[Value, ...],
    unit: str | None,
    bound: Bound,
    days: Callable[[str], Days | None],
) -> Value:
    """The largest distance between neighbours inside a window, in a unit."""
    start, end = window
    if start is None or end is None or (None in values and bound == "low"):
        return None
    known = [str(v) for v in values if v is not None]
    if unit is None or unit in ("days", "weeks"):
        widest = largest_gap(known, str(start), str(end), days_between)
        return rounded(widest / 7) if unit == "weeks" else widest
    calendar = days(unit)
    return None if calendar is None else largest_gap(known, str(start), str(end), calendar.between)


def largest_gap(dates: Iterable[str], start: str, end: str, between: Callable[[str, str], int]) -> int:
    """The largest distance between neighbours among the dates inside a window and its two ends; the last
    date before the window takes the place of its start."""
    known = sorted(date[:10] for date in dates)
    start, end = start[:10], end[:10]
    before = [date for date in known if date <= start]
    marks = [before[-1] if before else start, *(d for d in known if start < d < end), max(start, end)]
    return max(between(a, b) for a, b in pairwise(marks))
