"""The functions of terms over values that depend on what is not known.

Of plain values they are what `policycheck_engine.functions` makes of them. Months and calendars are tables
over the days that can occur; a step by a number that is not known is beyond them.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Sequence

from msgspec import Struct

from policycheck_engine.functions import FAR, FUNCTIONS, MILLION, Days, apply
from policycheck_engine.symbolic.codes import DAY, NEVER_DAY, day_number
from policycheck_engine.symbolic.formulas import (
    CannotSayError,
    Number,
    Ratio,
    Sym,
    Truth,
    V,
    Values,
    choose,
    compared,
    conj,
    disj,
    divided,
    least,
    most,
    neg,
    product,
    type_of,
    unknown,
)
from policycheck_engine.values import NEVER, Type

NEVER_TIME = NEVER_DAY * DAY
WEEK = 7
ARITHMETIC = ("plus", "minus", "times", "over", "earlier", "later")


class Window(Struct, frozen=True):
    """The days that can occur, as numbers; months are looked up among them."""

    first: int
    last: int


class Functions:
    """Calls over values, some of which are not known."""

    def __init__(self, values: Values, window: Window) -> None:
        self.values, self.window = values, window
        self.ranks: dict[tuple[int, int, bool], Number] = {}

    def call(self, name: str, args: Sequence[V], days: Days | None) -> V:
        """The value of a call; `days` are those of its calendar."""
        if not any(isinstance(a, Sym | Ratio) for a in args):
            return apply(name, list(args), days)  # type: ignore[arg-type]
        nulls = [unknown(a) for a in args]
        if True in nulls:
            return None
        null = disj(nulls)
        if name in ("add", "between"):
            if days is None:
                return None
            return self.by_calendar(name, args, days, null)
        made: V = CALLS[name](self, args, null) if name in CALLS else self.arithmetic(name, args, null)
        return made

    def day(self, value: V) -> Number:
        """A date, or the date of a datetime, as a number."""
        return self.values.number(value, "date")

    def may_never(self, value: V) -> bool:
        """Whether a moment may be one that never comes."""
        if isinstance(value, Sym):
            return value.never
        return isinstance(value, str) and value.startswith(NEVER["date"])

    def moment(self, value: V, type_: Type, number: Number, null: Truth) -> Sym:
        """A moment made from another; never stays never."""
        never = self.may_never(value)
        if never:
            end = NEVER_TIME if type_ == "datetime" else NEVER_DAY
            own = self.values.number(value, type_)
            number = choose(compared("=", own, end), end, number)
        return Sym(type_, number, null, never)

    # Parts of moments

    def date_of(self, args: Sequence[V], null: Truth) -> V:
        return self.moment(args[0], "date", self.day(args[0]), null)

    def week_of(self, args: Sequence[V], null: Truth) -> V:
        day = self.day(args[0])
        return self.moment(args[0], "date", day - (day - 1) % WEEK, null)

    def time_of(self, args: Sequence[V], null: Truth) -> V:
        moment = self.values.number(args[0], "datetime")
        never = self.may_never(args[0])
        time = choose(compared("=", moment, NEVER_TIME), DAY, moment % DAY) if never else moment % DAY
        return Sym("time", time, null, never)

    def weekday_of(self, args: Sequence[V], null: Truth) -> V:
        return Sym("int", (self.day(args[0]) - 1) % WEEK + 1, null)

    def month_of(self, args: Sequence[V], null: Truth) -> V:
        return self.moment(args[0], "date", self.by_month(self.day(args[0]), lambda m: m.start), null)

    # Steps

    def steps(self, value: V) -> int:
        if isinstance(value, int):
            return value
        raise CannotSayError("a step by a number that is not fixed")

    def add_days(self, args: Sequence[V], null: Truth, days: int = 1) -> V:
        value, number = args
        count = number.number if isinstance(number, Sym) and number.type == "int" else self.steps(number)
        return self.moment(value, "date", self.day(value) + count * days, null)

    def add_weeks(self, args: Sequence[V], null: Truth) -> V:
        return self.add_days(args, null, WEEK)

    def add_months(self, args: Sequence[V], null: Truth, months: int = 1) -> V:
        day, step = self.day(args[0]), self.steps(args[1]) * months

        def moved(month: Month) -> Number:
            there = month.later(step)
            return there.start + least(day - month.start, there.length - 1)

        return self.moment(args[0], "date", self.by_month(day, moved), null)

    def add_years(self, args: Sequence[V], null: Truth) -> V:
        return self.add_months(args, null, 12)

    def add_minutes(self, args: Sequence[V], null: Truth) -> V:
        value, number = args
        count = number.number if isinstance(number, Sym) and number.type == "int" else self.steps(number)
        return self.moment(value, "datetime", self.values.number(value, "datetime") + 60 * count, null)

    def by_month(self, day: Number, made: Callable[[Month], Number]) -> Number:
        """What is made of the month in which a day lies."""
        if isinstance(day, int):
            return made(Month.of(day))
        first, months = Month.of(self.window.first), []
        while first.start <= self.window.last:
            months.append(first)
            first = first.later(1)
        return stepwise(day, [m.start for m in months], [made(m) for m in months])

    # Distances

    def days_between(self, args: Sequence[V], null: Truth) -> V:
        return Sym("int", self.apart(args, "date", lambda a, b: b - a), null)

    def weeks_between(self, args: Sequence[V], null: Truth) -> V:
        days = self.apart(args, "date", lambda a, b: b - a)
        return Sym("decimal", divided(2 * MILLION * days + WEEK, 2 * WEEK), null)

    def minutes_between(self, args: Sequence[V], null: Truth) -> V:
        return Sym("int", self.apart(args, "datetime", lambda a, b: divided(b - a, 60)), null)

    def apart(self, args: Sequence[V], type_: Type, distance: Callable[[Number, Number], Number]) -> Number:
        """A distance: none when the end comes first, and far to what never comes."""
        start, end = (self.values.number(a, type_) for a in args)
        found = choose(compared("<=", end, start), 0, distance(start, end))
        never = NEVER_TIME if type_ == "datetime" else NEVER_DAY
        if self.may_never(args[1]):
            far = conj(compared("=", end, never), compared("!=", start, never))
            found = choose(far, FAR, found)
        return found

    # Calendars

    def by_calendar(self, name: str, args: Sequence[V], days: Days, null: Truth) -> V:
        if name == "between":
            return Sym("int", self.days_apart(args, days), null)
        value, steps = args
        day = self.day(value)
        own = day - (day - 1) % WEEK if days.by_week else day
        if isinstance(steps, int) and steps == 0:
            return self.moment(value, "date", day, null)
        count = steps.number if isinstance(steps, Sym) else self.steps(steps)
        ahead = self.rank(day, days)
        behind = self.rank(own - (WEEK if days.by_week else 1), days) + 1
        place = choose(compared(">", count, 0), ahead, behind) + count - 1
        numbers = [day_number(d) for d in days.days]
        before = conj(compared("<", place, 0), compared("!=", count, 0))
        found = self.nth(place, numbers)
        found = choose(compared("=", count, 0), day, found)
        made = self.moment(value, "date", found, disj((null, before)))
        return Sym("date", made.number, made.null, never=True)

    def nth(self, place: Number, numbers: list[int]) -> Number:
        """The day at a place; never past the last one."""
        if not numbers:
            return NEVER_DAY
        starts, values = [0], [numbers[0]]
        for i in range(1, len(numbers)):
            if numbers[i] - i != values[-1] - starts[-1]:
                starts.append(i)
                values.append(numbers[i])
        made = [v + place - s for s, v in zip(starts, values, strict=True)]
        return stepwise(place, [*starts, len(numbers)], [*made, NEVER_DAY])

    def days_apart(self, args: Sequence[V], days: Days) -> Number:
        start, end = (self.day(a) for a in args)
        found = most(self.rank(end, days) - self.rank(start, days), 0)
        found = choose(compared("<=", end, start), 0, found)
        if self.may_never(args[1]):
            far = conj(compared("=", end, NEVER_DAY), compared("!=", start, NEVER_DAY))
            found = choose(far, FAR, found)
        return found

    def rank(self, day: Number, days: Days) -> Number:
        """How many days of a calendar lie on or before a day, or in or before its week."""
        if isinstance(day, int):
            return days.rank(dt.date.fromordinal(day).isoformat())
        key = (day.get_id(), id(days), days.by_week)
        if key not in self.ranks:
            self.ranks[key] = self.ranked(day, days)
        return self.ranks[key]

    def ranked(self, day: Number, days: Days) -> Number:
        step = WEEK if days.by_week else 1
        numbers = [day_number(d) for d in days.days]
        starts, made = [0], [0]
        i = 0
        while i < len(numbers):
            j = i
            while j + 1 < len(numbers) and numbers[j + 1] == numbers[j] + step:
                j += 1
            starts.append(numbers[i])
            inside = divided(day - numbers[i], step) if step > 1 else day - numbers[i]
            made.append(i + least(inside + 1, j - i + 1))
            i = j + 1
        return stepwise(day, starts, made)

    # Numbers

    def arithmetic(self, name: str, args: Sequence[V], null: Truth) -> V:
        if name not in ARITHMETIC:
            raise CannotSayError(f"`{name}` of what is not known")
        left, right = args
        if name in ("earlier", "later"):
            type_ = self.values.common(left, right)
            one, two = (self.values.number(a, type_) for a in args)
            number = least(one, two) if name == "earlier" else most(one, two)
            never = (
                any(self.may_never(a) for a in args) if name == "later" else all(map(self.may_never, args))
            )
            return Sym(type_, number, null, never)
        if name == "over" or any(isinstance(a, Ratio) for a in args):
            return self.quotient(name, left, right, null)
        type_ = "decimal" if "decimal" in {type_of(a) for a in args} else "int"
        one, two = (self.values.number(a, type_) for a in args)
        if name == "plus":
            return Sym(type_, one + two, null)
        if name == "minus":
            return Sym(type_, one - two, null)
        made = product(one, two)
        return Sym(type_, made if type_ == "int" else divided(2 * made + MILLION, 2 * MILLION), null)

    def quotient(self, name: str, left: V, right: V, null: Truth) -> V:
        """A quotient, or a multiple of one; nothing is rounded."""
        (top, bottom), (other, under) = self.values.fraction(left), self.values.fraction(right)
        if name == "times":
            return Ratio(product(top, other), product(bottom, under), null)
        if name == "over":
            zero = compared("=", other, 0)
            return Ratio(product(top, under), product(bottom, other), disj((null, zero)))
        sign = 1 if name == "plus" else -1
        if name in ("plus", "minus"):
            made = product(top, under) + sign * product(other, bottom)
            return Ratio(made, product(bottom, under), null)
        raise CannotSayError(f"`{name}` of a quotient")

    def is_blank(self, args: Sequence[V], null: Truth) -> V:
        (value,) = args
        assert isinstance(value, Sym), "plain texts were looked at before"
        blank = [i for i, text in enumerate(self.values.codes.texts) if text.strip() == ""]
        found = disj(compared("=", value.number, i) for i in blank)
        return Sym("bool", choose(found, 1, 0), null)

    def same(self, args: Sequence[V], null: Truth) -> V:
        left, right = args
        equal = self.values.stand("=", left, right)
        made = left if isinstance(left, Sym | Ratio) else right
        if isinstance(made, Ratio):
            return Ratio(made.top, made.bottom, disj((null, neg(equal))))
        assert isinstance(made, Sym), "plain values were looked at before"
        return Sym(made.type, made.number, disj((null, neg(equal))), made.never)


CALLS: dict[str, Callable[[Functions, Sequence[V], Truth], V]] = {
    name: getattr(Functions, name) for name in FUNCTIONS if hasattr(Functions, name)
}


class Month(Struct, frozen=True):
    """A month: the number of its first day, and how many days it has."""

    year: int
    month: int

    @staticmethod
    def of(day: int) -> Month:
        date = dt.date.fromordinal(day)
        return Month(date.year, date.month)

    @property
    def start(self) -> int:
        return dt.date(self.year, self.month, 1).toordinal()

    @property
    def length(self) -> int:
        return calendar.monthrange(self.year, self.month)[1]

    def later(self, months: int) -> Month:
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)


def stepwise(at: Number, starts: list[int], values: list[Number]) -> Number:
    """The value of the last start that is not after a number; the first value before all of them."""
    if len(starts) == 1:
        return values[0]
    half = len(starts) // 2
    return choose(
        compared("<", at, starts[half]),
        stepwise(at, starts[:half], values[:half]),
        stepwise(at, starts[half:], values[half:]),
    )
