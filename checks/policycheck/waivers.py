"""Waivers and exceptions: recorded decisions to accept a failure for a while, and which cases they cover.

A *waiver* stands in a school's own settings, and covers failures of a rule whatever its policy says. An
*exception* is a row of the records that asks for what the policy itself allows; only the policy's rules
decide what it excuses, and here it is only told which cases it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct
from policycheck_engine import Value
from policycheck_engine.norms import Accepts, nothing_accepted
from policycheck_engine.readings import high

from policycheck.policy.model import RuleText
from policycheck.spans import standing

Status = Literal["excuses", "met", "nothing", "expired", "not started", "not valid", "undecided", "pending"]


class Flaw(Struct, frozen=True):
    """Why a claim changes nothing whatever the records say: the status it gives it, and a sentence."""

    status: Status
    says: str


class Claim(Struct, frozen=True):
    """A waiver or an exception, as it was recorded.

    `to` is the rule or clause it names, and `rules` are the ids of the rules that judge it. A waiver's
    `subject` has variables of the rule, an exception's one relation with the key of its row. `starts` and
    `expires` are ISO dates, or None where no date could be read; `source` and `at` say where it stands, and
    `relation` of which relation an exception is a row.
    """

    kind: Literal["waiver", "exception"]
    id: str
    to: str
    rules: frozenset[str]
    subject: Mapping[str, Value]
    reason: str
    approved_by: str
    starts: str | None
    expires: str | None
    source: str
    at: str
    relation: str = ""
    flaws: tuple[Flaw, ...] = ()


def day_of(rule: RuleText, case: Mapping[str, Value], as_of: str | None) -> str | None:
    """The day that decides whether a claim covers a case: the case's own where the rule is `dated`, for the
    policy of that day judges it as well; else the as-of date. None when it is not known."""
    if "dated" not in rule.data:
        return as_of
    day = known(case, rule.data["dated"].removeprefix("$"))
    return None if day is None else str(day)[:10]


def known(case: Mapping[str, Value], name: str) -> Value:
    """The value of a variable of a case; None also where only its bounds are known."""
    return None if high(name) in case else case.get(name)


def names(waiver: Claim, case: Mapping[str, Value]) -> bool | None:
    """Whether a waiver is for this case, by its subject; None when an unknown value could make it so."""
    said = [same(wanted, known(case, name)) for name, wanted in waiver.subject.items()]
    if False in said:
        return False
    return None if None in said else True


def same(wanted: Value, value: Value) -> bool | None:
    """Whether a value in a settings file means this value of the records."""
    if value is None:
        return None
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    return wanted == value or str(wanted) == str(value)


def covers(waiver: Claim, rule: RuleText, case: Mapping[str, Value], as_of: str | None) -> bool:
    """Whether a failure of this case is accepted by a waiver."""
    if waiver.flaws or rule.id not in waiver.rules or not names(waiver, case):
        return False
    day = day_of(rule, case, as_of)
    return day is not None and standing(waiver.starts, waiver.expires, day) == "holds"


def accepting(waivers: Iterable[Claim], rule: RuleText, as_of: str | None) -> Accepts:
    """Which failures of a rule the waivers accept."""
    mine = [w for w in waivers if rule.id in w.rules and not w.flaws]
    if not mine:
        return nothing_accepted
    return lambda case: any(covers(w, rule, case, as_of) for w in mine)


def covering(
    waivers: Iterable[Claim], rule: RuleText, cases: Iterable[Mapping[str, Value]], as_of: str | None
) -> Iterator[Claim]:
    """The waivers that accept at least one of these failures."""
    cases = list(cases)
    for waiver in waivers:
        if any(covers(waiver, rule, case, as_of) for case in cases):
            yield waiver
