"""The versioned public form of lint, `policycheck/lint/1`, and the text that is made from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policycheck.policy.model import Policy
    from policycheck.review.lint import Lint

FORM = "policycheck/lint/1"

Form = Mapping[str, Any]


def lints_as_json(policy: Policy, lints: Sequence[Lint]) -> dict[str, Any]:
    """The form of what lint found, in a fixed order of keys."""
    told = [lint for lint in lints if not lint.open]
    loud = [lint for lint in told if lint.accepted is None]
    return {
        "form": FORM,
        "policy": {"id": policy.id, "version": policy.version, "title": policy.title},
        "summary": {
            "found": len(loud),
            "accepted": len(told) - len(loud),
            "not_decided": len(lints) - len(told),
            "codes": dict(sorted(Counter(lint.code for lint in loud).items())),
            "rules": len(policy.rules),
        },
        "lints": [as_json(lint) for lint in told],
        "not_decided": [as_json(lint) for lint in lints if lint.open],
    }


def as_json(lint: Lint) -> dict[str, Any]:
    return {
        "code": lint.code,
        "about": list(lint.about),
        "at": lint.place,
        "says": lint.says,
        "why": lint.why,
        "proved": lint.proved,
        "accepted": lint.accepted,
        "records": lint.records,
    }


def lints_as_text(form: Form) -> str:
    """What was found, then what is accepted, then what could not be told, and how much it is."""
    loud = [lint for lint in form["lints"] if lint["accepted"] is None]
    quiet = [lint for lint in form["lints"] if lint["accepted"] is not None]
    parts = [
        "".join([f"{title}\n" if title else "", *(line for lint in part for line in told(lint))])
        for title, part in (("", loud), ("Accepted", quiet), ("Not decided", form["not_decided"]))
        if part
    ]
    n = form["summary"]
    last = f"{n['found']} found, {n['accepted']} accepted, {n['not_decided']} not decided"
    return "\n".join([*parts, f"{last}, in {n['rules']} rules\n"])


def told(lint: Form) -> Iterator[str]:
    """One finding: where, what, how it is known, and why it is accepted."""
    yield f"{lint['at']}: {lint['says']} [{lint['code']}]\n"
    if lint["why"]:
        yield f"    {lint['why']}\n"
    if lint["accepted"] is not None:
        yield f"    accepted: {lint['accepted']}\n"
