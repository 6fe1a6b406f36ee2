"""Messages: the sentence of a rule with the values of its variables in it."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from policycheck_engine import NONE, Value
from policycheck_engine.norms import Judged
from policycheck_engine.values import NEVER, NEVER_DATE

TIME = re.compile(r"\d\d:\d\d:\d\d")

COUNTS = frozenset({"cases", "failed"})
"""What a message can tell of any subject: how many cases it has, and how many of them fail."""

LISTED = 3
"""How many values of one variable a sentence lists before it counts the rest."""


def written(text: str, judged: Judged, constants: Mapping[str, Any]) -> str:
    """The message of a finding."""
    rows = judged.shown or judged.decisive or [judged.subject]
    if COUNTS.isdisjoint(name for _, name in pieces(text)):
        return filled(text, rows, constants)
    counts = {"cases": sum(judged.cases.values()), "failed": len(judged.decisive)}
    return filled(text, rows, {**constants, **counts})


def filled(text: str, rows: Sequence[Mapping[str, Value]], constants: Mapping[str, Any]) -> str:
    """The text with its names replaced by their values in these rows."""
    parts = pieces(text)
    if len(parts) == 1 and parts[0][1] is None:
        return parts[0][0]
    out = []
    for literal, name in parts:
        out.append(literal)
        if name is not None:
            values = (
                as_list(constants[name])
                if name in constants
                else [bounded(row, name) for row in rows if name in row]
            )
            out.append(listed(values))
    return "".join(out)


@cache
def pieces(text: str) -> tuple[tuple[str, str | None], ...]:
    """A text as what stands before each name, and the name."""
    return tuple((literal, name) for literal, name, _, _ in string.Formatter().parse(text))


def as_list(value: Any) -> list[Value]:
    """The values of a parameter, which may be a list of them."""
    return value if isinstance(value, list) else [value]


def bounded(row: Mapping[str, Value], name: str) -> Value:
    """A value, or the bounds it lies between."""
    value = row[name]
    upper = row.get(name + ">", value)
    if upper == value:
        return value
    low = "?" if value is None else shown(value)
    high = "?" if upper is None else shown(upper)
    return f"between {low} and {high}"


def listed(values: Sequence[Value]) -> str:
    """The different values as a list in a sentence."""
    if len(values) == 1:
        return shown(values[0])
    texts = list(dict.fromkeys(map(shown, values)))
    if len(texts) == 1:
        return texts[0]
    if len(texts) > LISTED + 1:
        return ", ".join(texts[:LISTED]) + f" and {len(texts) - LISTED} more"
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def shown(value: Value) -> str:
    """A value in a sentence."""
    if isinstance(value, str):
        return moment(value) if value else "nobody"
    if value is None:
        return "(not recorded)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if value != int(value) else str(int(value))
    return "none" if value == NONE["int"] else str(value)


def moment(text: str) -> str:
    """A date as 27 April 2021, a datetime with its time, a time as 14:30; any other text as it is."""
    if len(text) not in (8, 10, 19):
        return text
    if text.startswith(NEVER_DATE) or text == NEVER["time"]:
        return "never"
    if TIME.fullmatch(text):
        return text[:5]
    if len(text) == 8 or text[4:5] != "-" or text[7:8] != "-" or not text[:4].isdigit():
        return text
    if not (text[5:7].isdigit() and text[8:10].isdigit() and 1 <= int(text[5:7]) <= 12):
        return text
    day = f"{int(text[8:10])} {MONTHS[int(text[5:7]) - 1]} {text[:4]}"
    return day if len(text) == 10 else f"{day} {text[11:16]}"
