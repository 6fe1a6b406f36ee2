"""What was edited in a body, a pattern or a list, in words: "`lessons.date` now after $x, was before $x"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from policycheck.policy.bodies import AGGREGATES, TESTS
from policycheck.review.phrases import Item, aggregate_part, body, item, items, listed, pattern, plain, test

T = TypeVar("T")
MISSING = "\0"
"""Stands where there is nothing; no value of a policy is this."""


def same(old: Any, new: Any) -> bool:
    """Equal as YAML data, whatever the order of keys."""
    return canonical(old) == canonical(new)


def canonical(data: Any) -> str:
    """A text that is the same for data that differs in the order of keys alone."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False)


def body_edits(old: Any, new: Any) -> Iterator[str]:
    """What a body asks now and did not ask before, and the other way round."""
    before, after = unequal(list(items(old)), list(items(new)))
    for one in list(before):
        partner = nearest_item(one, after)
        if partner is not None:
            before.remove(one)
            after.remove(partner)
            yield from item_edits(one, partner)
    yield from (f"no longer: {item(one)}" for one in before)
    yield from (f"now also: {item(one)}" for one in after)


def unequal(old: Sequence[T], new: Sequence[T]) -> tuple[list[T], list[T]]:
    """What stands in one list only; each thing has one partner at most."""
    left, right = [], list(new)
    for one in old:
        partner = next((r for r in right if same(one, r)), None)
        if partner is None:
            left.append(one)
        else:
            right.remove(partner)
    return left, right


def nearest_item(one: Item, others: list[Item]) -> Item | None:
    """The item of the same kind that has most in common with this one."""
    alike = [other for other in others if other[0] == one[0]]
    return max(alike, key=lambda other: shared(one[1], other[1]), default=None)


def shared(old: Any, new: Any) -> int:
    """How many of their parts two things have in common."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return sum(1 + shared(old[key], new[key]) for key in old if key in new)
    return int(same(old, new))


def item_edits(old: Item, new: Item) -> Iterator[str]:
    """What was edited in one thing that a body asks."""
    key, before, after = old[0], old[1], new[1]
    if key.startswith("$"):
        yield from pattern_edits(key, before, after)
    elif key == "not":
        yield from (f"in what must not be: {said}" for said in body_edits(before, after))
    elif key == "any":
        left, right = unequal(before, after)
        if len(left) == len(right) == 1:
            yield from (f"in one of the alternatives: {said}" for said in body_edits(left[0], right[0]))
        else:
            yield from (f"no longer one of the alternatives: {body(one)}" for one in left)
            yield from (f"now also one of the alternatives: {body(one)}" for one in right)
    elif key == "every":
        yield from (f"in what every one is: {said}" for said in body_edits(before["every"], after["every"]))
        yield from (f"in what every one has: {said}" for said in body_edits(before["has"], after["has"]))
    elif key in AGGREGATES:
        yield from aggregate_edits(key, before, after)
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from field_edits(key, before, after)
    else:
        yield f"now {item(new)}, was {item(old)}"


def field_edits(relation: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What was edited in the patterns of a relation's fields."""
    for name in dict.fromkeys([*old, *new]):
        label = f"`{relation}.{name}`"
        if name not in new:
            yield f"{label} no longer {pattern(old[name])}"
        elif name not in old:
            yield f"{label} now {pattern(new[name])}"
        elif not same(old[name], new[name]):
            yield from pattern_edits(label, old[name], new[name])


def pattern_edits(label: str, old: Any, new: Any) -> Iterator[str]:
    """What was edited in what a value must be, test by test."""
    before, after = tests(old), tests(new)
    left = {key: value for key, value in before.items() if not same(value, after.get(key, MISSING))}
    right = {key: value for key, value in after.items() if not same(value, before.get(key, MISSING))}
    if left and right:
        now = " and ".join(test(key, value) for key, value in right.items())
        was = " and ".join(test(key, value) for key, value in left.items())
        yield f"{label} now {now}, was {was}"
    elif right:
        yield f"{label} now also {' and '.join(test(key, value) for key, value in right.items())}"
    elif left:
        yield f"{label} no longer {' and '.join(test(key, value) for key, value in left.items())}"


def tests(data: Any) -> dict[str, Any]:
    """A pattern as its tests."""
    if isinstance(data, Mapping) and any(key in TESTS for key in data):
        return dict(data)
    return {"one_of" if isinstance(data, list) else "is": data}


def aggregate_edits(word: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What was edited in an aggregate."""
    label = aggregate_part(word, new)
    for key in ("where", "of", "have"):
        if key in old and key in new:
            yield from (f"in {label}: {said}" for said in body_edits(old[key], new[key]))
    yield from pattern_edits(label, *({k: v for k, v in d.items() if k in TESTS} for d in (old, new)))
    rest = [key for key in dict.fromkeys([*old, *new]) if key not in (*TESTS, "where", "of", "have", "as")]
    for key in rest:
        if not same(old.get(key), new.get(key)):
            yield f"{label}: `{key}` now {said_or_nothing(new, key)}, was {said_or_nothing(old, key)}"


def said_or_nothing(data: Mapping[str, Any], key: str) -> str:
    if key not in data:
        return "not given"
    return listed(data[key])


def list_edits(old: Sequence[Any], new: Sequence[Any], say: Callable[[Any], str] = plain) -> str:
    """`now a and b, was a`."""
    return f"now {joined(new, say)}, was {joined(old, say)}"


def joined(things: Sequence[Any], say: Callable[[Any], str] = plain) -> str:
    """Several things in a sentence."""
    texts = [say(one) for one in things]
    if not texts:
        return "nobody"
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def renamed_data(data: Any, names: Mapping[str, str], relations: Mapping[str, str]) -> Any:
    """YAML data of an old rule with the names that its variables, parameters and definitions have now."""
    if isinstance(data, str):
        return "$" + names[data[1:]] if data[:1] == "$" and data[1:] in names else data
    if isinstance(data, list):
        return [renamed_data(one, names, relations) for one in data]
    if isinstance(data, Mapping):
        keys = {key: relations.get(key, renamed_data(key, names, relations)) for key in data}
        return {keys[key]: renamed_data(value, names, relations) for key, value in data.items()}
    return data


def renamed_text(text: str, names: Mapping[str, str]) -> str:
    """A message with the names that its variables have now."""
    return re.sub(r"\{(\w+)\}", lambda found: "{" + names.get(found[1], found[1]) + "}", text)
