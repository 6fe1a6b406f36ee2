"""A review as Markdown, for the minutes: the old and the new wording side by side, verdicts and figures.

No finding of a replay stands in it, only how many there were: minutes are read by many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from policycheck.report.diff_words import (
    STATUSES,
    Form,
    clause_figures,
    clause_title,
    clause_verdicts,
    counted,
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

MARKS = re.compile(r"[\\*\[\]<>#]|(?<!\w)_|_(?!\w)")
"""What Markdown or HTML would take for more than itself; an underscore inside a word is none."""


def review_as_markdown(form: Form) -> str:
    """The whole review."""
    return (
        "\n".join([*head(form), *overview(form), *replays(form), *rest(form), *clauses(form), *remarks(form)])
        + "\n"
    )


def head(form: Form) -> Iterator[str]:
    """Which versions, and the upshot."""
    yield from (f"# Review: {safe(form['policy']['title'])}", "")
    yield from (f"- Old: {safe(side(form, 'old'))}", f"- New: {safe(side(form, 'new'))}", "", upshot(form))
    if upshot_of_rules(form):
        yield upshot_of_rules(form)
    yield ""


def overview(form: Form) -> Iterator[str]:
    """A row for each clause that changed."""
    if not form["clauses"]:
        return
    yield from ("## At a glance", "")
    rows = []
    for clause in form["clauses"]:
        kinds = ", ".join(kind for kind in clause["kinds"] if kind != clause["status"])
        row = [clause_title(clause), STATUSES[clause["status"]], kinds, clause_verdicts(clause)]
        rows.append([*row, *([clause_figures(form, clause)] if form["replay"] else [])])
    heads = [
        "clause",
        "became",
        "what changed",
        "verdict",
        *(["findings in replay"] if form["replay"] else []),
    ]
    yield from table(heads, rows)


def replays(form: Form) -> Iterator[str]:
    """What came of each term as a whole."""
    if not form["replay"]:
        return
    yield from ("## Replay", "", "Both versions judged these records as if they had been in force.", "")
    for replay in form["replay"]:
        yield f"- {safe(replay_head(replay))}: {totals(replay)}."
    yield ""


def rest(form: Form) -> Iterator[str]:
    """The policy as a whole, parameters, definitions and the records."""
    if form["changes"]:
        yield from ("## The policy as a whole", "", *map(change_line, form["changes"]), "")
        for change in form["changes"]:
            yield from side_by_side(change["old"], change["new"]) if worded(change) else ()
    for key in ("parameters", "definitions", "records"):
        if form[key]:
            yield from (f"## {key.capitalize()}", "")
        for named in form[key]:
            yield from (f"### {safe(named['name'])}", "")
            yield from map(change_line, named["changes"])
            if named["rules"]:
                used = ", ".join(f"`{rule}`" for rule in named["rules"])
                yield f"- used by {counted(len(named['rules']), 'rule')}: {used}"
            yield ""
            for change in named["changes"]:
                yield from side_by_side(change["old"], change["new"]) if worded(change) else ()


def clauses(form: Form) -> Iterator[str]:
    """Clause by clause: the wording, what changed, the verdicts and the figures."""
    if form["clauses"]:
        yield from ("## Clause by clause", "")
    for clause in form["clauses"]:
        yield from (f"### {clause_title(clause)}: {STATUSES[clause['status']]}", "")
        yield from side_by_side(clause["says"]["old"], clause["says"]["new"])
        told = ("added", "removed")  # the heading says so
        changes = [c for c in clause["changes"] if c["kind"] not in told and c["what"] != "says"]
        if changes:
            yield from (*map(change_line, changes), "")
        for change in changes:
            yield from side_by_side(change["old"], change["new"]) if worded(change) else ()
        for rule in clause["rules"]:
            yield from rule_lines(form, rule)


def remarks(form: Form) -> Iterator[str]:
    """What changed and does not count."""
    if form["remarks"]:
        yield from ("## Not counted as changes", "", *(f"- {safe(remark)}" for remark in form["remarks"]))


def rule_lines(form: Form, rule: Form) -> Iterator[str]:
    """A rule: what changed, the verdict with its witness, and what it found in each term."""
    yield from (f"Rule `{rule_title(rule)}`:", "")
    yield from map(change_line, rule["changes"])
    yield f"- **{safe(verdict_words(rule['verdict']))}**"
    for witness in rule["verdict"]["witnesses"]:
        yield f"- for example: {safe(witness_words(witness))}"
    for term, found in rule_replays(form, rule):
        yield f"- in {safe(term)}: {figures(found)}"
    yield ""
    for change in rule["changes"]:
        yield from side_by_side(change["old"], change["new"]) if worded(change) else ()


def change_line(change: Form) -> str:
    return f"- *{change['kind']}*: {safe(change['says'])}"


def worded(change: Form) -> bool:
    """Whether a change is one of sentences that can stand side by side."""
    return change["kind"] == "wording" and all(isinstance(change[key], str) for key in ("old", "new"))


def side_by_side(old: str, new: str) -> Iterator[str]:
    """The old words and the new; once, when they are the same."""
    if old == new:
        yield from (f"> {safe(new)}", "")
    else:
        yield from table(["old", "new"], [[old or "(nothing)", new or "(nothing)"]])


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(heads) + " |"
    yield "| " + " | ".join("---" for _ in heads) + " |"
    yield from ("| " + " | ".join(cell(text) for text in row) + " |" for row in rows)
    yield ""


def cell(text: str) -> str:
    """A text in a table."""
    return safe(text).replace("\n", " ").replace("|", "\\|")


def safe(text: str) -> str:
    """A text as itself, whatever marks of Markdown and HTML are in it; code stays code."""
    parts = text.split("`")
    parts[::2] = [MARKS.sub(lambda mark: "&lt;" if mark[0] == "<" else "\\" + mark[0], p) for p in parts[::2]]
    return "`".join(parts)
