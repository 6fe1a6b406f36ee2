"""Two results beside each other, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policycheck.report.table import waiver_named, wrapped

Form = Mapping[str, Any]


def comparison_as_text(form: Form) -> str:
    """What is new, what is resolved, what changed, and how many findings are as they were."""
    old, new, counts = form["old"], form["new"], form["summary"]
    lines = [f"{named(old)}  ->  {named(new)}", ""]
    lines += [
        f"{counts['new']:,} new, {counts['resolved']:,} resolved, {counts['changed']:,} changed, "
        f"{counts['unchanged']:,} unchanged."
    ]
    for heading, key in (("New", "new_findings"), ("Resolved: found before, and not now", "resolved")):
        if form[key]:
            lines += ["", f"{heading} ({len(form[key]):,})", ""]
            for finding in form[key]:
                lines += one(finding)
    if form["changed"]:
        lines += ["", f"Changed ({len(form['changed']):,})", ""]
        for pair in form["changed"]:
            lines += changed(pair)
    if counts["waivers"]:
        lines += ["", f"Exceptions and waivers ({counts['waivers']:,})", "", *waivers(form["waivers"])]
    return "\n".join(lines) + "\n"


def named(side: Form) -> str:
    """Of what a result is, in a few words."""
    version = f"@{side['version']}" if side["version"] else ""
    parts = [f"{side['policy']}{version}", side["school"], side["term"]]
    as_of = side["as_of"] and f"as of {side['as_of']}"
    return " ".join(str(p) for p in (*parts, as_of) if p)


def one(finding: Form) -> Iterator[str]:
    """A finding in two lines."""
    yield f"  {finding['outcome']}  {finding['severity']}  {', '.join(finding['clauses'])}  {finding['id']}"
    yield from wrapped(finding["message"])


def changed(pair: Form) -> Iterator[str]:
    """A finding that is not as it was."""
    old, new = pair["old"], pair["new"]
    yield f"  {', '.join(new['clauses'])}  {new['id']}"
    for name in pair["differs"]:
        if name in ("outcome", "severity"):
            yield f"    {name}: {old[name]} -> {new[name]}"
        else:
            yield from wrapped(f"{name} was: {plain(old[name])}")
            yield from wrapped(f"{name} is: {plain(new[name])}")


def waivers(found: Form) -> Iterator[str]:
    """The waivers and exceptions that came, went, or do something else."""
    for entry in found["new"]:
        yield f"  new  {waiver_named(entry)}: {entry['status']}"
    for entry in found["gone"]:
        yield f"  gone  {waiver_named(entry)}: was {entry['status']}"
    for pair in found["changed"]:
        yield f"  changed  {waiver_named(pair['new'])}"
        if {"to", "subject"} & {*pair["differs"]}:
            yield from wrapped(f"was: {waiver_named(pair['old'])}")
        for name in pair["differs"]:
            if name not in ("to", "subject"):
                old, new = (plain(side[name]) for side in (pair["old"], pair["new"]))
                yield from wrapped(f"{name.replace('_', ' ')}: {old} -> {new}")


def plain(value: Any) -> str:
    """A part of a finding as text."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{n} {name}" for name, n in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return str(value)
