"""The functions that terms can call: what they take, what they give, and what they do in Python.

A function of an unknown is unknown. A moment that never comes stays so under every shift; a shift past
the year 9999 never comes, and one before the year 1 is unknown.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from functools import cache

from msgspec import Struct

from policycheck_engine.values import NEVER, NEVER_DATE, Type, Value

FAR = 10**6
"""The distance to a moment that never comes, in any unit."""

MILLION = 1_000_000


def rounded(number: float) -> float:
    """A decimal to six places, by the same steps in every evaluator, so that 0.1 + 0.2 is 0.3."""
    return int(number * MILLION + (0.5 if number >= 0 else -0.5)) / MILLION


class Days:
    """The days of a calendar in order: counts between dates, and steps from one to another."""

    def __init__(self, dates: Iterable[str], by_week: bool = False) -> None:
        self.days = sorted({week_of(d) for d in dates} if by_week else set(dates))
        self.by_week = by_week

    def rank(self, date: str) -> int:
        """How many of the days lie on or before the date (in or before its week)."""
        return bisect_right(self.days, week_of(date) if self.by_week else date)

    def between(self, start: str, end: str) -> int:
        """How many lie strictly after the start and up to the end; none when the end comes first."""
        if start == end:
            return 0
        if NEVER_DATE in (start, end):
            return FAR if end == NEVER_DATE else 0
        return max(0, self.rank(end) - self.rank(start))

    def shift(self, date: str, steps: int) -> str | None:
        """The n-th day after the date, or before it; never past the last one, unknown before the first."""
        if steps == 0 or date == NEVER_DATE:
            return date
        own = week_of(date) if self.by_week else date
        place = (bisect_right(self.days, own) if steps > 0 else bisect_left(self.days, own) + 1) + steps - 1
        if place < 0:
            return None
        return self.days[place] if place < len(self.days) else NEVER_DATE


def date_of(moment: str) -> str:
    return moment[:10]


def time_of(moment: str) -> str:
    return NEVER["time"] if moment.startswith(NEVER_DATE) else moment[11:]


@cache
def week_of(moment: str) -> str:
    if moment.startswith(NEVER_DATE):
        return NEVER_DATE
    day = dt.date.fromisoformat(moment[:10])
    return (day - dt.timedelta(day.weekday())).isoformat()


def month_of(moment: str) -> str:
    return NEVER_DATE if moment.startswith(NEVER_DATE) else moment[:8] + "01"


def weekday_of(moment: str) -> int:
    return dt.date.fromisoformat(moment[:10]).isoweekday()


@cache
def add_days(moment: str, number: int) -> str | None:
    if moment.startswith(NEVER_DATE):
        return NEVER_DATE
    day = dt.date.fromisoformat(moment[:10]).toordinal() + number
    if day < 1:
        return None
    return dt.date.fromordinal(day).isoformat() if day < dt.date.max.toordinal() else NEVER_DATE


def add_weeks(moment: str, number: int) -> str | None:
    return add_days(moment, 7 * number)


def add_months(moment: str, number: int) -> str | None:
    if moment.startswith(NEVER_DATE):
        return NEVER_DATE
    from calendar import monthrange

    day = dt.date.fromisoformat(moment[:10])
    year, month = divmod(day.year * 12 + day.month - 1 + number, 12)
    if year < 1:
        return None
    if year > dt.MAXYEAR:
        return NEVER_DATE
    return day.replace(year, month + 1, min(day.day, monthrange(year, month + 1)[1])).isoformat()


def add_years(moment: str, number: int) -> str | None:
    return add_months(moment, 12 * number)


@cache
def add_minutes(moment: str, number: int) -> str | None:
    if moment == NEVER["datetime"]:
        return moment
    try:
        return (dt.datetime.fromisoformat(moment) + dt.timedelta(minutes=number)).isoformat()
    except OverflowError:
        return NEVER["datetime"] if number > 0 else None


@cache
def days_between(start: str, end: str) -> int:
    start, end = start[:10], end[:10]
    if start == end:
        return 0
    if NEVER_DATE in (start, end):
        return FAR if end == NEVER_DATE else 0
    return max(0, (dt.date.fromisoformat(end) - dt.date.fromisoformat(start)).days)


def weeks_between(start: str, end: str) -> float:
    return rounded(days_between(start, end) / 7)


@cache
def minutes_between(start: str, end: str) -> int:
    if start == end:
        return 0
    if NEVER["datetime"] in (start, end):
        return FAR if end == NEVER["datetime"] else 0
    if end < start:
        return 0
    return int((dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds() // 60)


def over(left: float, right: float) -> float | None:
    return None if right == 0 else rounded(left / right)


def arithmetic(result: float) -> float:
    return rounded(result) if isinstance(result, float) else result


class Function(Struct, frozen=True):
    """A function: the types it takes ("moment" and "number" are any of theirs, "any" any, but all the
    same), the type it gives (None: that of its arguments), and its meaning in Python."""

    takes: tuple[str, ...]
    gives: Type | None
    call: Callable[..., Value]
    may_fail: bool = False


FUNCTIONS: dict[str, Function] = {
    "date_of": Function(("moment",), "date", date_of),
    "time_of": Function(("datetime",), "time", time_of),
    "week_of": Function(("moment",), "date", week_of),
    "month_of": Function(("moment",), "date", month_of),
    "weekday_of": Function(("moment",), "int", weekday_of),
    "add_days": Function(("moment", "int"), "date", add_days, may_fail=True),
    "add_weeks": Function(("moment", "int"), "date", add_weeks, may_fail=True),
    "add_months": Function(("moment", "int"), "date", add_months, may_fail=True),
    "add_years": Function(("moment", "int"), "date", add_years, may_fail=True),
    "add_minutes": Function(("datetime", "int"), "datetime", add_minutes, may_fail=True),
    "days_between": Function(("moment", "moment"), "int", days_between),
    "weeks_between": Function(("moment", "moment"), "decimal", weeks_between),
    "minutes_between": Function(("datetime", "datetime"), "int", minutes_between),
    "add": Function(("moment", "int"), "date", lambda days, d, n: days.shift(d[:10], n), may_fail=True),
    "between": Function(
        ("moment", "moment"), "int", lambda days, a, b: days.between(a[:10], b[:10]), may_fail=True
    ),
    "plus": Function(("number", "number"), None, lambda a, b: arithmetic(a + b)),
    "minus": Function(("number", "number"), None, lambda a, b: arithmetic(a - b)),
    "times": Function(("number", "number"), None, lambda a, b: arithmetic(a * b)),
    "over": Function(("number", "number"), "decimal", over, may_fail=True),
    "earlier": Function(("any", "any"), None, min),
    "later": Function(("any", "any"), None, max),
    "is_blank": Function(("text",), "bool", lambda text: text.strip() == ""),
    "same": Function(("any", "any"), None, lambda a, b: a if a == b else None, may_fail=True),
}
"""`add` and `between` count by a calendar, whose days are their first argument."""


def apply(name: str, args: list[Value], days: Days | None = None) -> Value:
    """The value of a call; unknown when an argument is."""
    if any(arg is None for arg in args):
        return None
    function = FUNCTIONS[name]
    return function.call(days, *args) if name in ("add", "between") else function.call(*args)
