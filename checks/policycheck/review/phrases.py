"""Bodies, patterns, terms and values of the rule language in words, for somebody who reviews a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policycheck.policy.bodies import AGGREGATES, PAIRS, PARTS, TESTS

Item = tuple[str, Any]
"""One thing that a body asks: its key, and what stands there; an aggregate or `every` is there whole."""

AGGREGATE_WORDS = {"count": "the number of", "sum": "the sum of", "share": "the share of"}
LEADS = {"each": "for each", "weight": "weighed by", "from": "from", "to": "to", "in": "in"}
PART_WORDS = {
    "date_of": "the day of",
    "week_of": "the week of",
    "month_of": "the month of",
    "weekday_of": "the weekday of",
}
PAIR_WORDS = {"plus": "plus", "minus": "minus", "times": "times", "over": "divided by"}


def plain(value: Any) -> str:
    """A value as it is written in a policy; a list with commas."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "nothing"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def term(data: Any) -> str:
    """A value, a variable, or what is computed: "3 school days after $date"."""
    if not isinstance(data, Mapping):
        return plain(data)
    if len(data) == 2 and ({"after", "before"} & set(data)):
        unit = next(key for key in data if key not in ("after", "before"))
        side = "after" if "after" in data else "before"
        return f"{counted(data[unit], unit.replace('_', ' '))} {side} {term(data[side])}"
    if len(data) == 2 and "to" in data:
        unit = next(key for key in data if key != "to")
        name = unit.removesuffix("_from").replace("_", " ")
        return f"the {name} from {term(data[unit])} to {term(data['to'])}"
    name, inside = next(iter(data.items()))
    if name in PARTS:
        return f"{PART_WORDS[name]} {term(inside)}"
    if name in ("earlier", "later"):
        return f"the {name} of {' and '.join(map(term, inside))}"
    if name in PAIRS:
        return f" {PAIR_WORDS[name]} ".join(map(term, inside))
    return plain(str(dict(data)))


def counted(number: Any, unit: str) -> str:
    """`1 school day`, `5 school days`."""
    return f"{term(number)} {unit.removesuffix('s') if number == 1 else unit}"


def pattern(data: Any) -> str:
    """What a value must be: "before $starts and not blank"."""
    if isinstance(data, list):
        return f"one of {plain(data)}"
    if isinstance(data, Mapping) and any(key in TESTS for key in data):
        return " and ".join(test(key, value) for key, value in data.items())
    return term(data)


def test(key: str, value: Any) -> str:
    """One test of a value."""
    if key == "is":
        return term(value)
    if key == "not":
        return "given" if value is None else f"not {term(value)}"
    if key == "blank":
        return "blank" if value else "filled in"
    return f"{key.replace('_', ' ')} {term(value)}"


def body(data: Any) -> str:
    """All that a body asks, in one line."""
    return "; ".join(item(one) for one in items(data))


def items(data: Any) -> Iterator[Item]:
    """The things that a body asks, one by one, however they are laid out."""
    if isinstance(data, list):
        for part in data:
            yield from items(part)
    elif isinstance(data, Mapping):
        word = next((key for key in data if key in AGGREGATES), None)
        if word is not None:
            yield word, data
            return
        for key, value in data.items():
            if key == "every":
                yield key, {"every": value, "has": data.get("has")}
            elif key != "has":
                yield key, value
    else:
        yield "always", data


def item(one: Item) -> str:
    """One thing that a body asks."""
    key, value = one
    if key == "always":
        return "always"
    if key.startswith("$"):
        return f"{key} is {pattern(value)}"
    if key == "not":
        return f"no ({body(value)})"
    if key == "any":
        return "either " + " or ".join(f"({body(v)})" for v in value)
    if key == "every":
        return f"every ({body(value['every'])}) has ({body(value['has'])})"
    if key in AGGREGATES:
        return aggregate(key, value)
    fields = ", ".join(f"{name} {pattern(p)}" for name, p in value.items())
    return f"`{key}` with {fields}" if fields else f"some `{key}`"


def aggregate(word: str, data: Mapping[str, Any]) -> str:
    """`the number of $lesson where (...) is at most 3`."""
    said = [aggregate_part(word, data)]
    for key, lead in LEADS.items():
        if key in data:
            said.append(f"{lead} {listed(data[key])}")
    if "where" in data:
        said.append(f"where ({body(data['where'])})")
    if "of" in data:
        said.append(f"of ({body(data['of'])}) that have ({body(data['have'])})")
    said += [f"is {test(key, value)}" for key, value in data.items() if key in TESTS]
    return " ".join(said)


def aggregate_part(word: str, data: Mapping[str, Any]) -> str:
    """`the number of $lesson`."""
    return f"{AGGREGATE_WORDS.get(word, 'the ' + word.replace('_', ' '))} {listed(data[word])}"


def listed(data: Any) -> str:
    """A term, or several of them."""
    return " and ".join(map(term, data)) if isinstance(data, list) else term(data)
