"""The versioned public form of coverage, `policycheck/coverage/1`, and the table that is made from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from policycheck.messages import moment
from policycheck.report.table import wrapped

if TYPE_CHECKING:
    from policycheck.coverage import ClauseCoverage, Coverage, Exercise

FORM = "policycheck/coverage/1"
WAYS = ("rule", "attestation", "definition", "unaccounted")
FEW = 40
"""So many rules are named one by one; of more, only how many in which section, unless all is asked for."""

EXERCISE = {
    "Rules that the records never exercise": "never_exercised",
    "Rules that are undecided in every case": "only_undecided",
}

Form = Mapping[str, Any]


def coverage_as_json(coverage: Coverage) -> dict[str, Any]:
    """The form of a coverage, in a fixed order of keys."""
    policy = coverage.policy
    return {
        "form": FORM,
        "policy": {"id": policy.id, "version": policy.version, "title": policy.title},
        "summary": {**counted(coverage.clauses), "rules": len(policy.rules)},
        "sections": [
            {
                "id": section.id,
                "heading": section.heading,
                **counted([c for c in coverage.clauses if c.section == section.id]),
            }
            for section in policy.sections
        ],
        "clauses": [
            {"id": c.id, "section": c.section, "decided_by": c.decided_by, "rules": list(c.rules)}
            for c in coverage.clauses
        ],
        "unaccounted": list(coverage.unaccounted),
        "rules_without_clause": list(coverage.stray_rules),
        "open": [
            {"file": p.file, "at": p.where, "code": p.code, "message": p.message, "help": p.help}
            for p in coverage.open
        ],
        "unused": {
            name: list(getattr(coverage.unused, name))
            for name in ("relations", "fields", "definitions", "parameters")
        },
        "records": None if coverage.exercise is None else exercise_as_json(coverage.exercise),
    }


def counted(clauses: Iterable[ClauseCoverage]) -> dict[str, int]:
    """How many clauses there are, and how many are decided in each way."""
    ways = Counter(c.decided_by or "unaccounted" for c in clauses)
    return {"clauses": sum(ways.values()), **{way: ways[way] for way in WAYS}}


def exercise_as_json(exercise: Exercise) -> dict[str, Any]:
    return {
        "school": exercise.records.school,
        "term": exercise.records.term,
        "as_of": exercise.records.as_of,
        "sources": list(exercise.records.sources),
        "never_exercised": list(exercise.never),
        "only_undecided": list(exercise.undecided),
    }


def coverage_as_table(form: Form, clauses: bool = False) -> str:
    """A line for each section, then what is open; with `clauses` each clause and rule is named."""
    policy = form["policy"]
    version = f", in force from {moment(policy['version'])}" if policy["version"] else ""
    parts = [f"{policy['title']}{version}", "", summary(form), ""]
    if clauses:
        parts += [clause_lines(form), ""]
    for heading, lines in findings(form, every=clauses):
        parts += [heading, *lines, ""]
    return "\n".join([*parts, last_line(form)]) + "\n"


def summary(form: Form) -> str:
    """A row for each section: how many clauses, and how many are decided in which way."""
    ways = WAYS if form["unaccounted"] else WAYS[:-1]
    rows = [
        [name, part["clauses"], *(part[way] or "" for way in ways)]
        for name, part in [*((s["id"], s) for s in form["sections"]), ("all", form["summary"])]
    ]
    align = ["left"] + ["right"] * (1 + len(ways))
    return tabulate(rows, ["section", "clauses", *ways], tablefmt="simple", colalign=align)


def clause_lines(form: Form) -> str:
    """A row for each clause: how it is decided, and by which rules."""
    rows = [[c["id"], c["decided_by"] or "NOTHING", ", ".join(c["rules"])] for c in form["clauses"]]
    return tabulate(rows, ["clause", "decided by", "rules"], tablefmt="simple")


def findings(form: Form, every: bool) -> Iterator[tuple[str, list[str]]]:
    """What is open, then what the records do not exercise, then what is of no use."""
    if form["open"]:
        lines = [f"  {p['file']}:{p['at']}: {p['message']} [{p['code']}]" for p in form["open"]]
        yield f"Open ({len(lines)})", lines
    said = [("Clauses that nothing decides", form["unaccounted"])]
    said.append(("Rules with no clause of their name", form["rules_without_clause"]))
    if form["records"] is not None:
        said += [(heading, form["records"][key]) for heading, key in EXERCISE.items()]
    said += [(f"{name.capitalize()} that no rule uses", names) for name, names in form["unused"].items()]
    for heading, names in said:
        if names:
            many = heading in EXERCISE and len(names) > FEW and not every
            yield (
                f"{heading} ({len(names)})",
                wrapped(by_section(names, form) if many else ", ".join(names), 2, 2),
            )


def by_section(rules: list[str], form: Form) -> str:
    """How many of some rules stand in which section."""
    section = {rule: c["section"] for c in reversed(form["clauses"]) for rule in c["rules"]}
    counts = Counter(section.get(rule, "an earlier version") for rule in rules)
    return ", ".join(f"{number} in {name}" for name, number in counts.items()) + "; --clauses names them"


def last_line(form: Form) -> str:
    """The upshot in one line."""
    clauses, open_ = form["summary"]["clauses"], len(form["unaccounted"])
    if open_:
        return f"{open_} of {clauses} clauses {'are' if open_ > 1 else 'is'} not accounted for."
    return f"All {clauses} clauses are accounted for."
