"""Values as whole numbers that compare as the values do.

Texts are numbered in their order, so all texts must be known from the start. A date is its number in the
calendar, a datetime and a time are seconds, a decimal is in millionths.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from policycheck_engine.functions import MILLION
from policycheck_engine.values import NEVER_DATE, Type, Value

DAY = 86_400
NEVER_DAY = dt.date.fromisoformat(NEVER_DATE).toordinal()


class Codes:
    """The numbers of values, and the values of numbers."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = sorted(set(texts))
        self.numbers = {text: i for i, text in enumerate(self.texts)}

    def number(self, value: Value, type_: Type) -> int:
        """The number of a value that is known."""
        if isinstance(value, str):
            return self.of_text(value, type_)
        assert value is not None, "an unknown has no number"
        return round(value * MILLION) if type_ == "decimal" else int(value)

    def of_text(self, value: str, type_: Type) -> int:
        if type_ == "date":
            return day_number(value)
        if type_ == "time":
            return clock(value)
        if type_ == "datetime":
            return day_number(value) * DAY + clock(value[11:])
        return self.numbers[value]

    def value(self, number: int, type_: Type) -> Value:
        """The value of a number."""
        match type_:
            case "text":
                return self.texts[number]
            case "bool":
                return bool(number)
            case "decimal":
                return number / MILLION
            case "date":
                return dt.date.fromordinal(number).isoformat()
            case "time":
                return shown_clock(number)
            case "datetime":
                day, seconds = divmod(number, DAY)
                return f"{dt.date.fromordinal(day).isoformat()}T{shown_clock(seconds)}"
        return number


def day_number(moment: str) -> int:
    """The number of a date, or of the date of a datetime."""
    return dt.date.fromisoformat(moment[:10]).toordinal()


def clock(time: str) -> int:
    """A time of day in seconds; 24:00:00 never comes."""
    hours, minutes, seconds = (int(part) for part in time.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def shown_clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def kind_of(value: Value) -> Type:
    """The type of a value that stands alone, by how it looks."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "decimal"
    text = str(value)
    if len(text) == 8 and text[2::3] == "::":
        return "time"
    if len(text) in (10, 19) and text[4:5] == text[7:8] == "-" and text[:4].isdigit():
        return "date" if len(text) == 10 else "datetime"
    return "text"
