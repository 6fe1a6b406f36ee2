"""Random pairs of rules: no verdict contradicts a search through all small records.

The search is real: every record set with up to two items and a box whose fields have all their values, or six
hundred of them at random where there are more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from policycheck.errors import PolicyError
from policycheck.review.change import Change
from policycheck.review.verdicts import Verdict, verdict

from tests.review.pairs import all_records, pair, policy_with

pytest.importorskip("z3")

PAIRS = 200
BATCH = 20
MOST = 600
SEARCHED = 2
"""Rows a relation in the records that are all looked through."""

IMPLIES: dict[str, set[str]] = {
    "equivalent": set(),
    "stricter": {"stricter"},
    "looser": {"looser"},
    "incomparable": {"stricter", "looser"},
}
"""What a verdict says of the directions in which there is a difference."""


@pytest.mark.parametrize("first", range(0, PAIRS, BATCH))
def test_no_verdict_contradicts_all_small_records(first: int) -> None:
    wrong = []
    decided = 0
    for seed in range(first, first + BATCH):
        one, two = pair(seed)
        try:
            change = Change(policy_with(one), policy_with(two), "tiny.1", "tiny.1")
            fields = change.fields
        except PolicyError:
            continue
        said = verdict(*change.policies, "tiny.1", "tiny.1", bound=SEARCHED, seconds=1.0)
        found = differences(change, fields)
        decided += said.verdict != "not decided"
        if contradicts(said, found):
            wrong.append((seed, said.verdict, said.why, found, one, two))
        assert {w.direction for w in said.witnesses} == IMPLIES.get(said.verdict, set())
    assert wrong == []
    assert decided > BATCH / 2


def differences(change: Change, fields: Mapping[str, set[str]]) -> dict[str, Any]:
    """The directions in which some small records differ, each with the first of them."""
    found: dict[str, Any] = {}
    days = change.policies[0].scene["rows"]["days"]
    for records in all_records(fields, MOST):
        made = change.tables({**records, "days": days})
        if made is not None:
            for difference in change.differences(records, made, "naive"):
                found.setdefault(difference.direction, records)
        if len(found) == 2:
            break
    return found


def contradicts(said: Verdict, found: Mapping[str, Any]) -> bool:
    """Whether records were found in a direction in which there are none, by the verdict."""
    if said.verdict == "not decided" or not (said.proved or said.bound >= SEARCHED):
        return False
    return not set(found) <= IMPLIES[said.verdict]
