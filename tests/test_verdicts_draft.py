"""The draft's verdicts: as worked out by hand, and never against a search through records near its examples.

The search shares nothing with the hunt that finds witnesses but the examples themselves: every field of an
example's own rows takes every value that some example gives to that field, and what lies just beside it.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import yaml
from policycheck.policy.load import load_policy
from policycheck.policy.model import Policy
from policycheck.review.change import Change
from policycheck.review.compare import compared
from policycheck.review.scenes import WHOLE_WEEKS, later, moved, scene, seeds
from policycheck.review.verdicts import Verdict, verdict

from tests.support import ROOT

pytest.importorskip("z3")

Records = dict[str, list[dict[str, Any]]]

HAND = yaml.safe_load((ROOT / "tests" / "review" / "draft.yaml").read_text(encoding="utf-8"))
MOST = 250
"""So many records are looked at for each rule."""

DIRECTIONS = {
    "equivalent": set(),
    "stricter": {"stricter"},
    "looser": {"looser"},
    "incomparable": {"stricter", "looser"},
}


@cache
def versions() -> tuple[Policy, Policy]:
    old = ROOT / "policies" / "woodlands-progress-mentor" / "2021-03-19"
    return load_policy(old), load_policy(ROOT / "fixtures/drafts/woodlands-progress-mentor/2022-03-18")


def names(case: dict[str, Any]) -> tuple[str | None, str | None]:
    """The rule in the old and in the new version."""
    return case.get("old", case["rule"]), case.get("new", case["rule"])


@cache
def said(old: str | None, new: str | None) -> Verdict:
    return verdict(*versions(), old, new)


def test_every_rule_that_can_judge_otherwise_has_one() -> None:
    changes = compared(*versions())
    expected = {(rule.old, rule.new) for rule in changes.rules if rule.judges_otherwise}
    assert {names(case) for case in HAND} == expected


@pytest.mark.parametrize("case", HAND, ids=lambda case: case["rule"])
def test_a_verdict_is_the_one_worked_out_by_hand(case: dict[str, Any]) -> None:
    found = said(*names(case))
    assert found.verdict == case["verdict"], found.why
    assert {w.direction for w in found.witnesses} == DIRECTIONS[case["verdict"]]


@pytest.mark.parametrize("case", [c for c in HAND if None not in names(c)], ids=lambda case: case["rule"])
def test_no_records_near_the_examples_speak_against_it(case: dict[str, Any]) -> None:
    change = Change(*versions(), *names(case))
    found: dict[str, Records] = {}
    judged = 0
    for records, as_of in sampled(change):
        made = change.tables(records, as_of)
        if made is not None and change.sound(made):
            judged += 1
            for difference in change.differences(records, made):
                found.setdefault(difference.direction, records)
    assert judged > 100
    assert found.keys() >= {*case.get("nearby", ())}
    assert found.keys() <= DIRECTIONS[case["verdict"]], next(iter(found.values()))


def test_a_witness_reads_like_records_of_a_school() -> None:
    """Codes are no dates, and dates lie about the term; what may lie long before it are days since when."""
    odd = []
    for case in HAND:
        for witness in said(*names(case)).witnesses:
            (term, *_) = sorted(witness.records["terms"], key=lambda t: t["starts_on"], reverse=True)
            for name, rows in witness.records.items():
                for row in rows if name not in ("terms", "school", "school_days") else ():
                    odd += [(name, f, v) for f, v in row.items() if is_odd(f, v, term["starts_on"])]
    assert odd == []


def is_odd(field: str, value: Any, start: str) -> bool:
    if not isinstance(value, str):
        return False
    try:
        day = dt.date.fromisoformat(value[:10])
    except ValueError:
        return False
    away = abs((day - dt.date.fromisoformat(start)).days)
    return not field.endswith(("_on", "_at", "date", "_from", "_to")) or away > 3 * 365


def sampled(change: Change) -> Iterator[tuple[Records, str | None]]:
    """Records one value or two away from an example, at random but the same in every run."""
    chance = random.Random(0)
    starts = list(examples(change))
    before = moved(scene(change.policies[1], change.relations), change.model, change.years)
    values = known_values([records for records, _ in starts])
    for _ in range(MOST):
        records, as_of = chance.choice(starts)
        made = deepcopy(records)
        for _ in range(chance.choice((1, 1, 2))):
            own = [(n, r) for n, rows in made.items() for r in rows if r not in before.get(n, ())]
            own = [(n, r) for n, r in own if change.fields.get(n)]
            if own:
                name, row = chance.choice(own)
                field = chance.choice(sorted(change.fields[name]))
                row[field] = chance.choice([*values[name, field], None])
        yield made, as_of


def examples(change: Change) -> Iterator[tuple[Records, str | None]]:
    for side in change.sides:
        for records, as_of in seeds(side.policy, side.rules[0], change.relations):
            yield moved(records, change.model, change.years), later(as_of, change.years * WHOLE_WEEKS)


def known_values(several: list[Records]) -> dict[tuple[str, str], list[Any]]:
    """What the examples have in each field, and the days and numbers beside it."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for records in several:
        for name, rows in records.items():
            for row in rows:
                for field, value in row.items():
                    for near in (value, *beside(value)):
                        if near not in found[name, field]:
                            found[name, field].append(near)
    return found


def beside(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value - 1, value + 1)
    elif isinstance(value, str):
        try:
            day = dt.date.fromisoformat(value[:10])
        except ValueError:
            return
        for days in (-30, -1, 1, 3, 30):
            yield str(day + dt.timedelta(days)) + value[10:]
