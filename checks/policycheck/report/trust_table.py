"""The summary of a trust for a terminal: its schools, what could not be judged, and the policies by section
and rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tabulate import tabulate

from policycheck.messages import moment
from policycheck.report.table import OTHERS, last_line, summary_row, wrapped

Form = Mapping[str, Any]

SHOWN = 5
"""How many problems of a school are shown."""

WORST = 15
"""How many rules with breaches are shown for each policy."""


def trust_as_table(form: Form) -> str:
    """The whole report."""
    summary = form["summary"]
    lines = [f"{form['records']['source']}: {number(summary['schools'], 'school')}", ""]
    if form["schools"]:
        lines += [schools(form), ""]
    if form["failed"]:
        lines += [f"Could not be judged ({summary['failed']:,})", ""]
        for school in form["failed"]:
            lines += [*failed(school), ""]
    for policy in form["policies"]:
        lines += [*policy_lines(policy), ""]
    lines.append(upshot(form))
    return "\n".join(lines) + "\n"


def number(n: int, name: str) -> str:
    """So many of them, in words."""
    return f"{n:,} {name}" + ("" if n == 1 else "es" if name.endswith("ch") else "s")


def schools(form: Form) -> str:
    """A row for each school."""
    used = [c for c in OTHERS if form["summary"]["outcomes"][c]]
    rows = [summary_row(title(s), s["summary"], used, False) for s in form["schools"]]
    rows.append(summary_row("all", form["summary"], used, False))
    return tabulate(rows, ["school", "met of decided", *used], tablefmt="simple", colalign=alignment(used))


def title(school: Form) -> str:
    """A school by the name of its result, and its own."""
    own = school["school_name"]
    return f"{school['name']} ({own})" if own else str(school["name"])


def alignment(used: list[str]) -> list[str]:
    """Names to the left, numbers to the right."""
    return ["left"] + ["right"] * (len(used) + 1)


def failed(school: Form) -> Iterator[str]:
    """A school with the first of its problems."""
    yield f"  {school['name']}  ({school['source']})"
    for p in school["problems"][:SHOWN]:
        place = ":".join(part for part in (p["file"], p["where"]) if part)
        yield from wrapped(f"{place}: {p['message']}" if place else p["message"])
        if p["help"]:
            yield from wrapped(f"  {p['help']}")
    if len(school["problems"]) > SHOWN:
        yield f"    and {number(len(school['problems']) - SHOWN, 'more problem')}; trust.json has all of them"


def policy_lines(policy: Form) -> Iterator[str]:
    """A policy by section, and its rules with the most breaches."""
    version = f", in force from {moment(policy['version'])}" if policy["version"] else ""
    yield f"{policy['title']}{version}: {number(policy['schools'], 'school')}"
    yield ""
    used = [c for c in OTHERS if policy["outcomes"][c]]
    sections = [s for s in policy["sections"] if s["rules"]]
    rows = [[*summary_row(s["id"], s, used, False), in_breach(s)] for s in sections]
    heads = ["section", "met of decided", *used, "schools in breach"]
    yield tabulate(rows, heads, tablefmt="simple", colalign=[*alignment(used), "right"])
    worst = sorted(
        (r for r in policy["rules"] if r["outcomes"]["breach"]),
        key=lambda r: (-r["schools_with"]["breach"], -r["outcomes"]["breach"], r["id"]),
    )
    if worst:
        more = f", the {WORST} in most schools" if len(worst) > WORST else ""
        yield from ("", f"Rules with breaches ({len(worst):,}{more})", "")
        found = [[r["id"], f"{r['outcomes']['breach']:,}", in_breach(r)] for r in worst[:WORST]]
        heads = ["rule", "breaches", "schools in breach"]
        yield tabulate(found, heads, tablefmt="simple", colalign=["left", "right", "right"])


def in_breach(part: Form) -> str:
    """How many of the schools have a breach there."""
    return f"{part['schools_with']['breach']:,} of {part['schools']:,}" if part["outcomes"]["breach"] else ""


def upshot(form: Form) -> str:
    """The last line: what was found, and what could not be judged."""
    summary = form["summary"]
    said = last_line(form)
    if summary["schools_with"]["breach"]:
        said += f" {number(summary['schools_with']['breach'], 'school')} with a breach."
    if summary["failed"]:
        said += f" {number(summary['failed'], 'school')} could not be judged."
    return said
