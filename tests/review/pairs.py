"""Random pairs of rules over a tiny record model, and all small records of it.

A rule is rendered from a list of choices; its other version has one or two of them changed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace
from policycheck.policy.load import load_policy
from policycheck.policy.model import Policy, RuleText
from policycheck.records.model import load_model

T = TypeVar("T")

FOLDER = Path(__file__).parent / "tiny"

VALUES: dict[str, tuple[Any, ...]] = {
    "kind": ("red", "blue"),
    "size": (0, 2, None),
    "made_on": ("2021-04-30", "2021-05-04"),
    "gone_on": ("2021-05-05", None),
    "box_id": ("B1", None),
    "room": (0, 1),
}
"""The values of fields in the records that are all looked through; other fields have the first."""

FIELDS = {"items": ("kind", "size", "made_on", "gone_on", "box_id"), "boxes": ("room",)}

CHOICES = 24


@cache
def tiny() -> Policy:
    """The policy whose rule is replaced."""
    return load_policy(FOLDER, load_model(FOLDER / "records.yaml"))


def policy_with(data: Mapping[str, Any]) -> Policy:
    """The tiny policy with another rule."""
    policy = tiny()
    (rule,) = policy.rules.values()
    return replace(policy, rules={rule.id: made(rule, data)})


def made(rule: RuleText, data: Mapping[str, Any]) -> RuleText:
    return replace(rule, data={"id": rule.id, "message": rule.data["message"], **data})


def pair(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two versions of a random rule."""
    chance = random.Random(seed)
    choices = [chance.randrange(60) for _ in range(CHOICES)]
    old = new = Author(choices).rule()
    other = list(choices)
    while new == old:
        for _ in range(chance.choice((1, 1, 2))):
            other[chance.randrange(CHOICES)] = chance.randrange(60)
        new = Author(other).rule()
    return old, new


@dataclass
class Author:
    """Writes a rule by a list of choices, each place of it with its own meaning."""

    choices: list[int]

    def pick(self, place: int, options: Sequence[T]) -> T:
        return options[self.choices[place] % len(options)]

    def rule(self) -> dict[str, Any]:
        """Scope, requirement and exemptions of a rule."""
        scope: list[Any] = [{"items": {"item_id": "$item", **self.item(0)}}]
        subject = self.pick(22, ["$item", "$item", "$item", "$box"])
        boxed = subject == "$box" or self.choices[3] % 3 == 0
        if boxed:
            scope[0]["items"]["box_id"] = "$box"
            scope.append({"boxes": {"box_id": "$box", **self.pick(4, [{}, {}, {"room": {"at_least": 1}}])}})
        rule: dict[str, Any] = {"for_each": scope, "subject": [subject]}
        if subject == "$box":
            rule |= self.pick(23, [{}, {"allow": 1}, {"holds_for": 0.5}, {"holds_for": 0.6}])
        rule |= self.pick(5, [{}, {}, {"unless": {"items": {"item_id": "$item", **self.item(6)}}}])
        rule |= self.pick(9, [{}, {}, {"excuse": {"items": {"item_id": "$item", **self.item(10)}}}])
        rule |= self.pick(13, [{}, {}, {}, {"due": self.pick(14, ["2021-05-05", "2021-05-04"])}])
        demand = self.demand(boxed)
        negative = demand.pop("forbid", None)
        rule["forbid" if negative is not None else "require"] = negative or demand["require"]
        return rule

    def item(self, place: int) -> dict[str, Any]:
        """Patterns of an item."""
        size = self.pick(place + 1, [0, 1, 2])
        options: list[dict[str, Any]] = [
            {},
            {"kind": self.pick(place + 1, ["red", "blue"])},
            {"size": {self.pick(place + 2, ["at_least", "less_than", "more_than", "is"]): size}},
            {"made_on": {self.pick(place + 1, ["before", "on_or_after"]): "2021-05-04"}},
            {"gone_on": self.pick(place + 1, [None, {"not": None}, {"before": "2021-05-05"}])},
            {"kind": ["red", "blue"]},
            {"box_id": self.pick(place + 1, [None, {"not": None}])},
        ]
        return self.pick(place, options)

    def demand(self, boxed: bool) -> dict[str, Any]:
        own = {"items": {"item_id": "$item", **self.item(16)}}
        another: dict[str, Any] = {"item_id": {"is": "$other", "not": "$item"}, **self.item(16)}
        if boxed and self.choices[20] % 2:
            another["box_id"] = "$box"
        lone = {**another, "item_id": {"not": "$item"}}
        limit = self.pick(19, [0, 1, 2])
        test = self.pick(20, ["at_most", "at_least", "is"])
        shifted = self.pick(19, [{"days": 3, "after": "$made"}, {"open_days": limit, "after": "$made"}])
        days = {"items": {"item_id": "$item", "made_on": "$made", "gone_on": {"on_or_before": shifted}}}
        count = {"count": "$other", "where": {"items": another}, test: limit}
        total = {
            "sum": "$size",
            "each": "$other",
            "where": {"items": {**another, "size": "$size"}},
            test: limit,
        }
        share = {
            "share": "$other",
            "of": {"items": {"item_id": "$other"}},
            "have": {"items": {"item_id": "$other", **self.item(16)}},
            self.pick(20, ["at_least", "less_than"]): self.pick(19, [0.5, 0.6, 1.0]),
        }
        latest = {
            self.pick(20, ["latest", "earliest"]): "$day",
            "where": {"items": {**lone, "made_on": "$day"}},
            self.pick(19, ["before", "on_or_after"]): "2021-05-04",
        }
        gap = {
            "largest_gap": "$day",
            "where": {"items": {**self.item(16), "made_on": "$day"}},
            "from": "2021-04-29",
            "to": "2021-05-06",
            "in": self.pick(20, ["days", "open_days", "weeks"]),
            "at_most": self.pick(19, [1, 2, 3, 5]),
        }
        options: list[dict[str, Any]] = [
            {"require": own},
            {"forbid": own},
            {"require": {"not": {"items": lone}}},
            {"require": {"items": lone}},
            {"require": days},
            {"forbid": days},
            {"require": [count]},
            {"forbid": [count]},
            {"require": [total]},
            {"require": [share]},
            {"require": [latest]},
            {"forbid": [gap]},
            {"require": {"any": [own, {"not": {"items": lone}}]}},
            {
                "require": {
                    "every": {"items": another},
                    "has": {"items": {"item_id": "$other", "kind": "red"}},
                }
            },
            {"require": {"linked": {"one": "$item", "other": {"not": "$item"}}}},
        ]
        return self.pick(15, options)


# All small records


def all_records(fields: Mapping[str, set[str]], most: int) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """All records with up to two items and one box, in which the fields that are read have every value; or
    so many of them at random."""
    items = [rows("items", ids, fields) for ids in ((), ("I1",), ("I1", "I2"))]
    boxes = [*rows("boxes", (), fields), *rows("boxes", ("B1",), fields)]
    every = [
        {"items": list(i), "boxes": list(b)} for group in items for i in group for b in boxes if fits(i, b)
    ]
    if len(every) > most:
        every = random.Random(0).sample(every, most)
    yield from every


def fits(items: tuple[dict[str, Any], ...], boxes: tuple[dict[str, Any], ...]) -> bool:
    """Whether every box that is named is there, and nothing is gone before it was made."""
    return all(i["box_id"] is None or boxes for i in items)


def rows(name: str, ids: tuple[str, ...], fields: Mapping[str, set[str]]) -> list[tuple[dict[str, Any], ...]]:
    key = {"items": "item_id", "boxes": "box_id"}[name]
    choices = [
        VALUES[f] if f in fields.get(name, ()) else VALUES[f][-1:] if f == "box_id" else VALUES[f][:1]
        for f in FIELDS[name]
    ]
    plain = [dict(zip(FIELDS[name], values, strict=True)) for values in product(*choices)]
    return [
        tuple({key: id_, **row} for id_, row in zip(ids, picked, strict=True))
        for picked in combinations_with_replacement(plain, len(ids))
    ]
