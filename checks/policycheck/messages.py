"""Messages: the sentence of a rule with the values of its variables in it."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from policycheck_engine import NONE, Row, Value
from policycheck_engine.norms import Judged
from policycheck_engine.values import NEVER, NEVER_DATE

TIME = re.compile(r"\d\d:\d\d:\d\d")

NO_MORE: Mapping[str, Any] = {}

COUNTS = frozenset({"cases", "failed"})
"""What a message can tell of any subject: how many cases it has, and how many of them fail."""

LISTED = 3
"""How many values of one variable a sentence lists before it counts the rest."""


class Sentence:
    """A text with names in it. The values of constants are put in once, the others for each finding."""

    def __init__(self, text: str, constants: Mapping[str, Any]) -> None:
        self.parts: list[tuple[str, str]] = []
        literal = ""
        for before, name, _, _ in string.Formatter().parse(text):
            literal += before
            if name is not None and name in constants:
                literal += listed(as_list(constants[name]))
            elif name is not None:
                self.parts.append((literal, name))
                literal = ""
        self.end = literal
        self.names = [name for _, name in self.parts]
        self.counts = not COUNTS.isdisjoint(self.names)
        self.form = "%s".join(text.replace("%", "%%") for text in (*(t for t, _ in self.parts), literal))

    def about(self, judged: Judged, more: Mapping[str, Any] = NO_MORE) -> str:
        """The sentence about a subject, which can tell how many cases it has."""
        if self.counts:
            more = {**more, "cases": sum(judged.cases.values()), "failed": len(judged.decided)}
        return self.of(judged.shown or judged.decisive or [judged.subject], more)

    def of_rows(self, rows: Sequence[Row], places: Sequence[int], spoken: Mapping[Value, str]) -> str:
        """The sentence with the values of rows, at the place of each name: what `of` says, only faster."""
        if len(rows) == 1:
            return self.form % tuple([spoken[rows[0][place]] for place in places])
        return self.form % tuple([enumerated([spoken[row[place]] for row in rows]) for place in places])

    def of(self, rows: Sequence[Mapping[str, Value]], more: Mapping[str, Any] = NO_MORE) -> str:
        """The sentence with the values of these rows, and with those of names in `more`."""
        text = ""
        for literal, name in self.parts:
            if name in more:
                values = as_list(more[name])
            else:
                values = [bounded(row, name) for row in rows if name in row]
            text += literal + listed(values)
        return text + self.end


class Spoken(dict[Value, str]):
    """Values as they are said in sentences. Texts are remembered; of the others, some that are equal are said
    differently, as 1 and true are."""

    def __missing__(self, value: Value) -> str:
        said = shown(value)
        if isinstance(value, str):
            self[value] = said
        return said


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
    return shown(values[0]) if len(values) == 1 else enumerated(map(shown, values))


def enumerated(texts: Iterable[str]) -> str:
    """The different ones of some texts as a list in a sentence."""
    texts = list(dict.fromkeys(texts))
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
