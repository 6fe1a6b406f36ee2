"""Results that were written to a file: reading one back, running it again, comparing two.

A result is the public form `policycheck/findings/1` as JSON.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from policycheck.errors import UsageError, shown_path
from policycheck.prepare import Progress
from policycheck.report.json_form import FORM, judged_hash
from policycheck.run import run

Form = Mapping[str, Any]

COMPARISON = "policycheck/comparison/1"
LOOKED_AT = ("outcome", "severity", "binds", "message", "notes", "missing", "cases", "remedy")
"""What of a finding can differ while it is the same finding; wording counts as well."""
WAIVED = ("status", "to", "subject", "approved_by", "reason", "starts", "expires")
"""What of a waiver or an exception can differ while it is the same one."""


def read_result(file: Path) -> Form:
    """The result in a file, or UsageError when there is none in it."""
    try:
        form = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"{shown_path(file)}: is not text in UTF-8, so no result of policycheck") from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{shown_path(file)}:{error.lineno}:{error.colno}: is not JSON ({error.msg}); "
            "give a file that `policycheck run --format json` wrote"
        ) from None
    named = form.get("form") if isinstance(form, dict) else None
    if named != FORM:
        said = f"its form is `{named}`" if named else "it has no `form`"
        raise UsageError(
            f"{shown_path(file)}: is no result of policycheck: {said}, where `{FORM}` is expected; "
            "give a file that `policycheck run --format json` wrote"
        )
    wrong = shape_problems(form)
    if wrong:
        listed = "\n".join(f"    {w}" for w in wrong)
        raise UsageError(f"{shown_path(file)}: the result is damaged:\n{listed}")
    return dict(form)


def shape_problems(form: Form) -> list[str]:
    """Where a result differs from the schema of its form."""
    from jsonschema.exceptions import relevance

    from policycheck.structure import validator

    errors = sorted(validator("findings").iter_errors(form), key=relevance, reverse=True)
    return [f"/{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors[:10]]


class Again(Struct, frozen=True):
    """A result run again: whether it came out the same, and what differs in what went in and came out.

    `inputs` are sentences on rules, records, parameters and program; `comparison` is None when all findings
    are the same.
    """

    same: bool
    inputs: tuple[str, ...]
    comparison: Form | None


def run_again(form: Form, records: Path | None = None, progress: Progress = lambda stage: None) -> Again:
    """Run what a result says was run, on the records it names or on those that are given.

    Raises PolicycheckError when it cannot be run again.
    """
    receipt = form["receipt"]
    asked = dict(receipt["asked"])
    place = records or Path(asked.pop("records"))
    asked.pop("records", None)
    if not place.exists():
        raise UsageError(
            f"there are no records at `{place}`, where the result says they were; say where they are with "
            "--records PATH"
        )
    result = run(place, **asked, progress=progress)
    new = result.as_json()
    said = list(changed_inputs(receipt, new["receipt"]))
    if receipt["sha256"]["result"] != judged_hash(form):
        said.insert(0, "the result itself was changed after it was written")
    same = judged_hash(new) == receipt["sha256"]["result"] == judged_hash(form)
    comparison = None if same else compared(form, new)
    return Again(same, tuple(said), comparison)


def changed_inputs(old: Form, new: Form) -> list[str]:
    """What of the inputs is no longer what it was, in sentences."""
    said = []
    if old["program"] != new["program"]:
        said.append(f"the result was made by {old['program']}, and this is {new['program']}")
    if old["engine"] != new["engine"]:
        said.append(f"it was evaluated by `{old['engine']}`, and now by `{new['engine']}`")
    hashes = {**old["sha256"]}
    for name, value in new["sha256"].items():
        before = hashes.pop(name, None)
        if name == "result" or before == value:
            continue
        what = what_is(name)
        said.append(f"{what} have changed" if before else f"{what} were not part of it")
    said += [f"{name} was part of it and is not any more" for name in hashes]
    return said


def what_is(name: str) -> str:
    """What a hash in a receipt is of, in words."""
    plain = {"records": "the records", "settings": "the school's settings"}
    return plain.get(name, f"the rules of {name}")


def compared(old: Form, new: Form) -> dict[str, Any]:
    """Two results by the ids of their findings: `policycheck/comparison/1`.

    Raises UsageError when they are of different policies or schools.
    """
    for part, name in (("policy", "id"), ("records", "school")):
        if old[part][name] != new[part][name]:
            what = {"policy": "policies", "records": "schools"}[part]
            raise UsageError(
                f"the results are of two {what}, `{old[part][name]}` and `{new[part][name]}`; "
                "only results of the same one can be compared"
            )
    before, after = by_id(old), by_id(new)
    changed, unchanged = [], 0
    for key, finding in after.items():
        if key not in before:
            continue
        differs = [k for k in LOOKED_AT if before[key][k] != finding[k]]
        if differs:
            changed.append({"old": before[key], "new": finding, "differs": differs})
        else:
            unchanged += 1
    made = [f for k, f in after.items() if k not in before]
    gone = [f for k, f in before.items() if k not in after]
    waivers = waivers_compared(old["waivers"], new["waivers"])
    return {
        "form": COMPARISON,
        "old": side(old),
        "new": side(new),
        "summary": {
            "new": len(made),
            "resolved": len(gone),
            "changed": len(changed),
            "unchanged": unchanged,
            "waivers": sum(map(len, waivers.values())),
            "outcomes": {
                name: {"old": old["summary"]["outcomes"][name], "new": count}
                for name, count in new["summary"]["outcomes"].items()
            },
        },
        "new_findings": made,
        "resolved": gone,
        "changed": changed,
        "waivers": waivers,
    }


def waivers_compared(old: Sequence[Form], new: Sequence[Form]) -> dict[str, list[Any]]:
    """The waivers and exceptions that only one of two results has, and those that differ."""
    before, after = ({(e["kind"], e["relation"], e["id"]): e for e in entries} for entries in (old, new))
    pairs = [(before[key], entry) for key, entry in after.items() if key in before]
    differing = [(a, b, [k for k in WAIVED if a[k] != b[k]]) for a, b in pairs]
    return {
        "new": [entry for key, entry in after.items() if key not in before],
        "gone": [entry for key, entry in before.items() if key not in after],
        "changed": [{"old": a, "new": b, "differs": differs} for a, b, differs in differing if differs],
    }


def side(form: Form) -> dict[str, Any]:
    """What one of two results is of."""
    records = form["records"]
    return {
        "policy": form["policy"]["id"],
        "version": form["policy"]["version"],
        **{name: records[name] for name in ("school", "term", "as_of")},
        "program": form["receipt"]["program"],
    }


def by_id(form: Form) -> dict[tuple[str, int], Mapping[str, Any]]:
    """The findings of a result by id; two with one id, from two versions of a rule, are counted through."""
    seen: dict[str, int] = defaultdict(int)
    found = {}
    for finding in form["findings"]:
        found[finding["id"], seen[finding["id"]]] = finding
        seen[finding["id"]] += 1
    return found
