"""docs/records.md: every relation and field of the record model that comes with policycheck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from policycheck.policy.model import Policy
from policycheck.records.model import Field, RecordModel, RelationModel

from pages.markdown import MADE, code, codes, counted, table, text, whole
from pages.reading import Reading

FEW = 15
"""So many clauses are named one by one; of more, only how many in which section."""

Policies = Mapping[str, tuple[Policy, Mapping[str, Reading]]]

TYPES = {
    "text": "text",
    "int": "whole number",
    "decimal": "number",
    "bool": "true or false",
    "date": "date",
    "time": "time",
    "datetime": "date and time",
}
MISSING = {
    "required": "must be given",
    "unknown": "unknown",
    "never": "never",
    "none": "none",
    "blank": "empty box",
}

INTRODUCTION = """\
A school's records are *relations*: tables with one row for each thing. This page lists every relation and
every field. It is made from `policies/records.yaml`.

## How to write them

- **A folder of CSV files**, one for each relation: `lessons.csv`, `deployments.csv`. The first line holds the
  names of the fields. Save as UTF-8. NDJSON (one JSON object a line) and Parquet files work the same way.
- **One JSON file**: `{"lessons": [{...}, {...}], "deployments": [...]}`. `policycheck schema term` prints a
  JSON Schema for it.

An id is a text that names a row: `M07`, `10Ma4`. Dates are `2021-09-03`. Times are `09:05`. A date and time
is `2021-09-03 09:05` or `2021-09-03T09:05`, in local school time, without a zone. In CSV, true and false may
also be yes and no, or 1 and 0.

Columns that no relation has are errors; so are relations with a name that is not on this page. Fields that a
school does not keep can be left out, unless they must be given.

## What a missing value means

| when missing | a value that is left out, null or an empty cell |
| --- | --- |
| must be given | is an error |
| unknown | is not recorded. What depends on it is undecided |
| never | is a day that has not come, such as the last day of a role that is still held |
| none | is a value of its own: nobody, nothing, not applicable |
| empty box | is an empty box of a form that is on file, but unknown when no row of the input has the field |

In a CSV file an empty cell of a text is a text with nothing in it, also where a missing value is unknown.
Leave the column out when the school does not keep it.

A relation that the input does not have is unknown as a whole, unless it says here that there are none. One
that is there counts as complete, even when it has no rows. Each relation says which clauses need it: without
it they are undecided, unless what else is there is already enough to decide a case.

*Personal* and *special* mark personal data and special-category data (UK GDPR).
"""


def page(model: RecordModel, policies: Policies) -> str:
    """The whole page."""
    lines = ["# The records", "", MADE, "", *INTRODUCTION.splitlines(), "", "## All relations", ""]
    lines += table(
        ["relation", "one row is", "clauses that need it"],
        (
            [f"[{code(name)}](#{name})", text(r.says), said_number(name, policies)]
            for name, r in model.relations.items()
        ),
    )
    lines += frame_lines(model)
    for relation in model.relations.values():
        lines += relation_lines(relation, model, policies)
    lines += check_lines(model)
    return whole(lines)


def frame_lines(model: RecordModel) -> Iterator[str]:
    """Which relations say what the records are of, and by which days the rules count."""
    school, term = model.frame.school, model.frame.term
    if school:
        field = code(f"{school['relation']}.{school['field']}")
        yield f"The school is named in {field}; one input has one school."
    if term:
        yield f"The term under test is the row of {code(term['relation'])} that began last by the as-of date."
    for name, calendar in model.calendars.items():
        unit = "weeks" if calendar.by_week else "days"
        yield f"{code(name)} counts the {unit} of {code(calendar.relation + '.' + calendar.field)}."
    yield ""


def relation_lines(relation: RelationModel, model: RecordModel, policies: Policies) -> Iterator[str]:
    """The section of one relation."""
    yield from (f"## {relation.name}", "", text(relation.says), "")
    ids = {
        name
        for name, data in model.document.data["relations"][relation.name]["fields"].items()
        if data["type"] == "id"
    }
    yield from table(
        ["field", "kind", "when missing", "notes"],
        (field_row(f, name in ids, name in relation.key) for name, f in relation.fields.items()),
    )
    for line in facts_about(relation, model):
        yield f"- {line}"
    for line in clauses_about(relation.name, policies):
        yield f"- {line}"
    yield ""


def field_row(f: Field, is_id: bool, in_key: bool) -> list[str]:
    """The row of one field."""
    kind = ("id" if is_id else TYPES[f.type]) + (f", in {text(f.unit)}" if f.unit else "")
    if f.one_of:
        kind = "one of " + codes(f.one_of)
    if f.minimum is not None:
        kind += f", at least {f.minimum:g}"
    if f.maximum is not None:
        kind += f", at most {f.maximum:g}"
    missing = MISSING[f.missing] + (f": {text(f.missing_says)}" if f.missing_says else "")
    notes = [text(f.says)] if f.says else []
    if f.to is not None:
        target = f.to.partition(".")[0]
        notes.append(f"a row of [{code(target)}](#{target})")
    notes += [word for word, marked in (("**personal**", f.personal), ("**special**", f.special)) if marked]
    return [code(f.name) + (" (key)" if in_key else ""), kind, missing, "; ".join(notes)]


def facts_about(relation: RelationModel, model: RecordModel) -> Iterator[str]:
    """What else is true of a relation."""
    if relation.nested is not None:
        repeated = codes(model.parent_keys(relation))
        yield (
            f"In JSON it may stand as a list {code(relation.nested.name)} in a row of "
            f"{code(relation.nested.parent)}, without {repeated}. In a folder it is a file of its own."
        )
    for child in model.children.get(relation.name, ()):
        assert child.nested is not None
        yield f"In JSON a row may hold its {code(child.name)} as a list {code(child.nested.name)}."
    if relation.span is not None:
        yield f"It runs from {code(relation.span[0])} to {code(relation.span[1])}, both days included."
    if relation.in_order is not None:
        yield f"{code(relation.in_order[0])} must lie before {code(relation.in_order[1])}."
    if relation.absent == "none":
        yield "When the input does not have it, there are no such rows."


def check_lines(model: RecordModel) -> Iterator[str]:
    """What must be true of the records before any rule is run on them."""
    checks = (model.document.data.get("integrity") or {}).get("checks", ())
    if checks:
        yield from (
            "## Checks",
            "",
            "What a run checks besides types, keys and references.",
            "",
        )
        rows = ([code(c["check"]), code(c["row"]), text(c["message"]), text(c["remedy"])] for c in checks)
        yield from table(["check", "row that is wrong", "what is said of it", "to do"], rows)


def clauses_about(relation: str, policies: Policies) -> Iterator[str]:
    """Which clauses of each policy need a relation, and which others read it."""
    for policy, readings in policies.values():
        needing = clauses_of(
            policy, [rule for rule, reading in readings.items() if relation in reading.needed]
        )
        reading_it = clauses_of(
            policy, [r for r, reading in readings.items() if relation in reading.relations]
        )
        others = [clause for clause in reading_it if clause not in needing]
        if needing:
            yield f"Without it, {said_clauses(policy, needing, 'can be undecided')}"
        if others:
            yield f"Read, but not needed: {said_clauses(policy, others, 'can be decided without it')}"


def clauses_of(policy: Policy, rules: Iterable[str]) -> list[str]:
    """The clauses that some rules decide, in the order of the document."""
    found = {clause for rule in rules for clause in policy.rules[rule].clauses}
    return [clause.id for clause in policy.clauses() if clause.id in found]


def said_number(relation: str, policies: Policies) -> str:
    """How many clauses need a relation."""
    numbers = (
        len(clauses_of(policy, [rule for rule, reading in readings.items() if relation in reading.needed]))
        for policy, readings in policies.values()
    )
    return str(sum(numbers) or "none")


def said_clauses(policy: Policy, clauses: list[str], what: str) -> str:
    """What is said of clauses: by name, or how many of each section when they are many."""
    page = f"[{policy.id}](policies/{policy.id}.md)"
    if len(clauses) <= FEW:
        return f"{counted(len(clauses), 'clause')} of {page} {what}: {codes(clauses)}."
    sections = {c.id: s.id for s in policy.sections for c in s.clauses}
    sums = Counter(sections[clause] for clause in clauses)
    parts = ", ".join(f"{number} in {code(section)}" for section, number in sums.items())
    return f"{len(clauses)} of the {len(sections)} clauses of {page} {what}: {parts}."
