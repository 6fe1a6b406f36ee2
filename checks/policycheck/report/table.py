"""The report for a terminal: the summary by section, then what was found, worst first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from tabulate import tabulate

from policycheck.messages import moment

Form = Mapping[str, Any]

HEADINGS = {
    "breach": "Breaches",
    "missed": "Criteria that were missed",
    "explained": "Explained: a clause that ranks higher forced it",
    "excused": "Excused: under a valid exception or waiver",
    "contradicted": "Signed yes, and the records speak against it",
    "advice": "Advice: an ideal that was not reached",
    "pending": "Pending: the time has not run out",
    "undecided": "Undecided: the records cannot tell",
}
OTHERS = ("breach", "advice", "missed", "excused", "explained", "pending", "undecided")
WIDTH = 100


def result_as_table(form: Form, undecided: int = 10) -> str:
    """The whole report; of the undecided only the first ones, since there may be thousands."""
    parts = [*head(form), "", summary(form), ""]
    for group, heading in HEADINGS.items():
        found = [
            f for f in form["findings"] if group == ("contradicted" if f["contradicts"] else f["outcome"])
        ]
        if found:
            shortened = group in ("undecided", "advice", "pending")
            shown = found[:undecided] if shortened else found
            parts += [f"{heading} ({len(found):,})", ""]
            for finding in shown:
                parts += [*one_finding(finding), ""]
            if len(shown) < len(found):
                parts += [f"  and {len(found) - len(shown):,} more; --format json has all of them", ""]
    for part in (waivers(form), defects(form)):
        if part:
            parts += [*part, ""]
    parts.append(last_line(form))
    return "\n".join(parts) + "\n"


def head(form: Form) -> Iterator[str]:
    """What was judged by what."""
    policy, records = form["policy"], form["records"]
    version = f", in force from {moment(policy['version'])}" if policy["version"] else ""
    yield f"{policy['title']}{version}"
    school = records["school_name"] or records["school"]
    parts = [school, records["term"] and f"term {records['term']}"]
    parts.append(records["as_of"] and f"as of {moment(records['as_of'])}")
    parts.append(f"{records['rows']:,} records")
    yield ", ".join(p for p in parts if p)
    for p in form["parameters"]:
        yield f"The school has set {p['name']} to {plain(p['value'])} (usually {plain(p['usual'])})."
    if records["left_out"]:
        yield ""
        many = len(records["left_out"])
        count = f"{many:,} problems" if many > 1 else "1 problem"
        yield f"LEFT OUT: {count} in the records; what depends on these rows is undecided."
        for p in records["left_out"][:10]:
            yield f"  {p['source']}{':' if p['source'] else ''} {p['at']}: {p['message']}"


def plain(value: Any) -> str:
    """A parameter's value in a sentence."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def summary(form: Form) -> str:
    """A row for each section: how many of the subjects that could be decided met it, and how the others
    came out. Sections that were not judged are left out."""
    used = [c for c in OTHERS if form["summary"]["outcomes"][c]]
    idle = bool(form["summary"]["not_exercised"])
    rows = [summary_row(s["id"], s, used, idle) for s in form["sections"] if s["rules"]]
    rows.append(summary_row("all", form["summary"], used, idle))
    heads = ["section", "met of decided", *used, *(["not exercised"] if idle else [])]
    return tabulate(rows, heads, tablefmt="simple", colalign=["left"] + ["right"] * (len(heads) - 1))


def summary_row(name: str, part: Form, used: list[str], idle: bool) -> list[str]:
    """One row of the summary."""
    outcomes = part["outcomes"]
    decided = sum(outcomes.values()) - outcomes["undecided"] - outcomes["pending"]
    met = f"{outcomes['met']:,} of {decided:,}" if decided else ""
    row = [name, met, *(f"{outcomes[c]:,}" if outcomes[c] else "" for c in used)]
    return [*row, str(part["not_exercised"] or "")] if idle else row


def one_finding(finding: Form) -> Iterator[str]:
    """A finding in a few lines."""
    clauses = ", ".join(finding["clauses"])
    binds = ", ".join(finding["binds"]).replace("_", " ")
    yield f"  {finding['severity']}  {clauses}  ({binds})"
    yield from wrapped(finding["message"])
    for note in finding["notes"]:
        yield from wrapped(f"Note: {note}")
    if finding["remedy"] and finding["outcome"] in ("breach", "missed", "undecided"):
        yield from wrapped(f"To do: {finding['remedy']}")
    places = [f"{r['relation']} {r['id']} ({r['at']})" for r in finding["records"]]
    if places:
        more = f" and {len(places) - 4} more" if len(places) > 4 else ""
        yield from wrapped(f"See: {', '.join(places[:4])}{more}")


def waivers(form: Form) -> list[str]:
    """Every exception and waiver, with what it does; those of rules that were not judged are counted."""
    judged = {rule["id"] for rule in form["rules"]}
    entries = form["waivers"]
    idle = [e for e in entries if e["status"] == "nothing" and judged.isdisjoint(e["rules"])]
    lines = [line for e in entries if e not in idle for line in one_waiver(e)]
    if idle:
        many = f"{len(idle):,} are" if len(idle) > 1 else "1 is"
        lines += ["", f"  {many} to rules that were not judged in this run"]
    return [f"Exceptions and waivers ({len(entries):,})", *lines] if entries else []


def one_waiver(entry: Form) -> Iterator[str]:
    """An exception or a waiver in a few lines."""
    yield ""
    yield f"  {entry['status']}  {waiver_named(entry)}"
    by = f"Approved by {entry['approved_by'].strip() or 'nobody'}, {span_of(entry)}"
    yield from wrapped(f"{by}: {entry['reason'].strip() or 'no reason given'}")
    yield from wrapped(entry["says"])
    if entry["to_do"]:
        yield from wrapped(f"To do: {entry['to_do']}")
    where = f"{entry['relation']} {entry['id']} ({entry['at']})"
    yield from wrapped(f"See: {where if entry['relation'] else ':'.join((entry['source'], entry['at']))}")


def waiver_named(entry: Form) -> str:
    """What an exception or a waiver is to, and about whom."""
    about = ", ".join(f"{name} {value}" for name, value in entry["subject"].items())
    parts = [entry["kind"], entry["id"], entry["to"] and f"to {entry['to']}", about and f"({about})"]
    return " ".join(p for p in parts if p)


def span_of(entry: Form) -> str:
    """From which day to which an exception or a waiver is meant to hold."""
    first, last = entry["starts"], entry["expires"]
    if first and last:
        return moment(first) if first == last else f"{moment(first)} to {moment(last)}"
    return f"from {moment(first)}" if first else f"until {moment(last)}" if last else "no days given"


def defects(form: Form) -> list[str]:
    """What is wrong with the document, which is nobody's conduct."""
    if not form["defects"]:
        return []
    lines = [f"The document itself ({len(form['defects']):,})"]
    for d in form["defects"]:
        lines += [
            "",
            f"  {', '.join(d['clauses'])}",
            *wrapped(d["says"]),
            *wrapped(f"Read as: {d['settled']}"),
        ]
    return lines


def wrapped(text: str, first: int = 4, rest: int = 6) -> list[str]:
    """A text in lines, the first and the others so far from the edge; names and ids are never broken."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * first,
        subsequent_indent=" " * rest,
        break_on_hyphens=False,
        break_long_words=False,
    )


def last_line(form: Form) -> str:
    """The upshot in one line."""
    outcomes, loud = form["summary"]["outcomes"], form["summary"]["severities"]
    breaches = outcomes["breach"]
    if not breaches:
        said = "No breach was found."
    else:
        kinds = ", ".join(f"{n} {name}" for name, n in loud.items() if n)
        said = f"{breaches:,} breach{'es' if breaches > 1 else ''}: {kinds}."
    unsure = outcomes["undecided"]
    return said + (f" {unsure:,} undecided." if unsure else "")
