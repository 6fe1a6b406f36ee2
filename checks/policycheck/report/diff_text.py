"""A review as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tabulate import tabulate

from policycheck.report.diff_words import (
    STATUSES,
    Form,
    clause_figures,
    clause_title,
    clause_verdicts,
    figures,
    replay_head,
    rule_replays,
    rule_title,
    side,
    totals,
    upshot,
    upshot_of_rules,
    verdict_words,
    witness_words,
)
from policycheck.report.table import WIDTH

LABEL = 12
"""How wide the column is that says what kind of change it is."""


def review_as_text(form: Form, examples: int = 3) -> str:
    """The whole review; of the findings that a replay gained or lost, so many examples for each rule."""
    parts = [form["policy"]["title"], f"old: {side(form, 'old')}", f"new: {side(form, 'new')}", ""]
    parts += [upshot(form)]
    if upshot_of_rules(form):
        parts.append(upshot_of_rules(form))
    if form["clauses"]:
        parts += ["", overview(form)]
    for replay in form["replay"]:
        parts += ["", f"Replay: {replay_head(replay)}", *wrapped(totals(replay), 2)]
    parts += [*policy_lines(form), *named_lines(form)]
    if form["clauses"]:
        parts += ["", "Clauses"]
    for clause in form["clauses"]:
        parts += ["", *clause_lines(form, clause, examples)]
    if form["remarks"]:
        parts += ["", "Not counted as changes", *(line for r in form["remarks"] for line in wrapped(r, 2))]
    return "\n".join(parts) + "\n"


def overview(form: Form) -> str:
    """A row for each clause that changed."""
    rows = [
        [
            clause_title(c),
            STATUSES[c["status"]],
            ", ".join(k for k in c["kinds"] if k != c["status"]),
            clause_verdicts(c),
            clause_figures(form, c),
        ]
        for c in form["clauses"]
    ]
    heads = ["clause", "became", "what", "verdict", "replay"]
    if not form["replay"]:
        rows, heads = [row[:-1] for row in rows], heads[:-1]
    return tabulate(rows, heads, tablefmt="simple")


def policy_lines(form: Form) -> Iterator[str]:
    """What changed in the policy as a whole."""
    if form["changes"]:
        yield from ("", "The policy as a whole")
        for change in form["changes"]:
            yield from change_lines(change, 2)


def named_lines(form: Form) -> Iterator[str]:
    """What rules rest on: parameters, definitions and the records."""
    for key in ("parameters", "definitions", "records"):
        if not form[key]:
            continue
        yield from ("", key.capitalize())
        for named in form[key]:
            yield from ("", f"{named['name']}  ({named['status']})")
            for change in named["changes"]:
                yield from change_lines(change, 2)
            if named["rules"]:
                yield from lines("used by", ", ".join(named["rules"]), 2)


def clause_lines(form: Form, clause: Form, examples: int) -> Iterator[str]:
    """A clause with its rules."""
    yield f"{clause_title(clause)}  ({STATUSES[clause['status']]}; section {clause['section']})"
    if clause["status"] in ("added", "removed"):
        yield from wrapped(clause["says"]["new"] or clause["says"]["old"], 2)
    for change in clause["changes"]:
        yield from change_lines(change, 2)
    for rule in clause["rules"]:
        yield f"  rule {rule_title(rule)}"
        for change in rule["changes"]:
            yield from change_lines(change, 4)
        yield from lines("verdict", verdict_words(rule["verdict"]), 4)
        for witness in rule["verdict"]["witnesses"]:
            yield from lines("", witness_words(witness), 4)
        for term, found in rule_replays(form, rule):
            yield from lines(term, figures(found), 4)
            yield from example_lines(found, examples)


def change_lines(change: Form, indent: int) -> Iterator[str]:
    """A change, with the old and the new words where words changed."""
    yield from lines(change["kind"], change["says"], indent)
    if change["kind"] == "wording" and isinstance(change["old"], str) and isinstance(change["new"], str):
        yield from lines("", f"was: {change['old'] or '(nothing)'}", indent)
        yield from lines("", f"now: {change['new'] or '(nothing)'}", indent)


def example_lines(found: Form, examples: int) -> Iterator[str]:
    """Some findings that came, went or changed."""
    for key, mark in (("gained", "+"), ("lost", "-")):
        for f in found[key][:examples]:
            yield from lines("", f"{mark} {f['outcome']}, {f['severity']}: {f['message']}", 4)
    for pair in found["changed"][:examples]:
        was, now = (f"{f['outcome']}, {f['severity']}" for f in (pair["old"], pair["new"]))
        yield from lines("", f"~ {was} -> {now}: {pair['new']['message']}", 4)
    left = sum(max(0, len(found[key]) - examples) for key in ("gained", "lost", "changed"))
    if left and examples:
        yield from lines("", f"and {left:,} more; --format json has all of them", 4)


def lines(label: str, text: str, indent: int = 0) -> list[str]:
    """A label and a text beside it."""
    start = " " * indent + f"{label:<{LABEL}} "
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * (indent + LABEL + 3),
        break_on_hyphens=False,
        break_long_words=False,
    )


def wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
