"""The values that facts are made of, and what each type can do.

A value is a JSON scalar. Dates, times and datetimes are ISO 8601 texts in one canonical spelling
(`2021-04-19`, `09:05:00`, `2021-04-19T09:05:00`), so that they compare as texts do. `None` is a value
that is there but not known.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

Type = Literal["text", "int", "decimal", "bool", "date", "time", "datetime"]
Value = str | int | float | bool | None
Row = tuple[Value, ...]

NUMBERS = frozenset({"int", "decimal"})
MOMENTS = frozenset({"date", "datetime"})

NEVER_DATE = "9999-12-31"
NEVER: dict[str, str] = {"date": NEVER_DATE, "datetime": NEVER_DATE + "T00:00:00", "time": "24:00:00"}
"""A moment that never comes; it sorts after every other."""

NONE: dict[str, Value] = {"text": "", "int": -(2**31), "decimal": -(2.0**31), **NEVER}
"""The value of a field that holds nothing, where the record model says that nothing is a value."""


NOTHING = "\0nothing"
"""A constant that stands for nothing, whatever the type of what it is compared with."""


def is_nothing(value: Value, type_: Type) -> bool:
    """Whether a value stands for nothing, or for never."""
    return type_ in NONE and value == NONE[type_]


def canonical(value: object, type_: Type) -> Value:
    """The value in its one spelling, or ValueError with what would be right."""
    if type_ == "text":
        if isinstance(value, str):
            return value
        raise ValueError("a text, in quotation marks")
    if type_ == "bool":
        if isinstance(value, bool):
            return value
        raise ValueError("true or false")
    if type_ == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        raise ValueError("a whole number")
    if type_ == "decimal":
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise ValueError("a number")
    if isinstance(value, str):
        return canonical_moment(value, type_)
    raise ValueError(SPELLING[type_])


SPELLING: dict[str, str] = {
    "date": "a date as year-month-day, such as 2021-09-03",
    "time": "a time of day such as 09:05",
    "datetime": "a date and time such as 2021-09-03T09:05:00",
}


def canonical_moment(text: str, type_: Type) -> str:
    """A date, time or datetime in its one spelling, or ValueError with what would be right."""
    try:
        if type_ == "date":
            if len(text) == 10:
                return dt.date.fromisoformat(text).isoformat()
        elif type_ == "time":
            if text[2:3] == ":":
                return dt.time.fromisoformat(text).replace(tzinfo=None).isoformat("seconds")
        elif text[4:5] == "-" and len(text) >= 16:
            moment = dt.datetime.fromisoformat(text)
            if moment.tzinfo is None:
                return moment.isoformat("T", "seconds")
    except ValueError:
        pass
    raise ValueError(SPELLING[type_])
