"""The versioned public form of lint, `policycheck/lint/1`, and the text that is made from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from policycheck.messages import moment
from policycheck.report.table import wrapped

if TYPE_CHECKING:
    from policycheck.review.lint import Lint, Linted
    from policycheck.review.versions import Version

FORM = "policycheck/lint/1"

Form = Mapping[str, Any]

TITLES = {
    "never-applies": "rules that can never apply",
    "never-breached": "rules that can never be breached",
    "implied": "rules that another implies",
    "never-both-met": "rules that cannot both be met",
    "unused": "parameters and definitions that nothing uses",
    "words-only": "clauses that changed in words only",
    "stale": "annotations that accept nothing any more",
}

QUOTING = ("words-only", "stale")
"""Findings whose reason quotes what was, or is, written."""


def lint_as_json(linted: Linted) -> dict[str, Any]:
    """The form of what lint found, in a fixed order of keys."""
    policy = linted.policy.policy
    loud = [one for one in linted.lints if one.accepted is None]
    found = [one for one in loud if not one.open]
    quiet = [one for one in linted.lints if one.accepted is not None]
    unsure = [one for one in loud if one.open]
    counts = Counter(one.code for one in found)
    not_made = dict(linted.not_made)
    return {
        "form": FORM,
        "policy": {"id": policy.id, "title": policy.title, **version(linted.policy)},
        "since": None if linted.since is None else version(linted.since),
        "summary": {
            "found": len(found),
            "annotated": len(quiet),
            "not_decided": len(unsure),
            "clauses": sum(1 for _ in policy.clauses()),
            "rules": len(policy.rules),
        },
        "checks": [
            {"code": code, "found": counts[code], "not_made": not_made.get(code)}  # type: ignore[index, call-overload]
            for code in TITLES
        ],
        "looked_at": {"rows": linted.rows, "as_of": linted.as_of},
        "findings": as_json(linted, found),
        "annotated": as_json(linted, quiet),
        "not_decided": as_json(linted, unsure),
    }


def version(of: Version) -> dict[str, Any]:
    """Which version it is, how the user named it, and its git commit."""
    return {"version": of.policy.version, "given": of.given, "commit": of.commit}


def as_json(linted: Linted, lints: Sequence[Lint]) -> list[dict[str, Any]]:
    return [
        {
            "code": lint.code,
            "at": linted.policy.where(lint.place),
            "about": [{"kind": n.kind, "id": n.id, "says": n.says} for n in lint.about],
            "says": lint.says,
            "why": lint.why,
            "proved": lint.proved,
            "witness": lint.witness
            and {
                "says": lint.witness.says,
                "as_of": lint.witness.shown.as_of,
                "records": lint.witness.shown.records,
            },
            "mend": lint.mend,
            "accepted": lint.accepted,
        }
        for lint in lints
    ]


def lint_as_text(form: Form, annotated: bool = False) -> str:
    """What was found, what could not be told, which checks were not made, and how much it is; when asked for,
    what the policy accepts too."""
    parts = [f"{form['policy']['title']} ({form['policy']['given']})\n"]
    parts += ["\n".join(told(one)) + "\n" for one in form["findings"]]
    if form["annotated"] and annotated:
        parts.append("Annotated\n" + "".join("\n".join(brief(one)) + "\n" for one in form["annotated"]))
    if form["not_decided"]:
        parts.append("Not decided\n" + "".join("\n".join(brief(one)) + "\n" for one in form["not_decided"]))
    parts.append("\n".join([*checks(form), "", total(form)]) + "\n")
    return "\n".join(parts)


def told(one: Form) -> Iterator[str]:
    """One finding: where, what, the words of the policy, how it is known, and what to do."""
    yield f"{one['at']}: {one['says']} [{one['code']}]"
    if one["code"] != "stale":
        for named in one["about"]:
            yield from wrapped(f"{named['id']}: {named['says']}")
    yield from wrapped(one["why"] if one["code"] in QUOTING else f"why: {one['why']}")
    if one["witness"]:
        day = one["witness"]["as_of"]
        yield from wrapped(f"e.g.: {one['witness']['says']}{f' (As of {moment(day)}.)' if day else ''}")
    yield from wrapped(f"mend: {one['mend']}")


def brief(one: Form) -> Iterator[str]:
    """One thing that is accepted, or that could not be told, in few lines."""
    yield f"{one['at']}: {one['says']} [{one['code']}]"
    yield from wrapped(f"why: {one['why']}")
    if one["accepted"]:
        yield from wrapped(f"accepted: {one['accepted']}")


def checks(form: Form) -> Iterator[str]:
    """How much each check found."""
    width = max(len(title) for title in TITLES.values())
    for check in form["checks"]:
        why = f" (not looked for: {check['not_made']})" if check["not_made"] else ""
        if (check["not_made"] and check["found"]) or str(check["not_made"]).startswith("only"):
            why = f" ({check['not_made']})"
        number = "-" if why.startswith(" (not") else f"{check['found']}"
        yield f"{TITLES[check['code']]:<{width}}  {number:>3}{why}"


def total(form: Form) -> str:
    """How much it is, in a sentence."""
    n = form["summary"]
    findings = f"{n['found']:,} finding{'' if n['found'] == 1 else 's'}"
    return (
        f"{findings}, {n['annotated']:,} more annotated, {n['not_decided']:,} not decided; "
        f"{n['clauses']:,} clauses, {n['rules']:,} rules."
    )
