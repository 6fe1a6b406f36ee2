"""docs/policies/<policy>.md: a policy clause by clause, with how each is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policycheck.policy.model import Clause, Policy, RuleText, Section

from pages.markdown import MADE, code, codes, counted, table, text, whole
from pages.reading import Reading

FEW = 4
"""Rules that need so many relations at most are listed by what they need."""

SOURCES = {"text": "the text", "school-set": "the school"}


def page(policy: Policy, readings: Mapping[str, Reading]) -> str:
    """The whole page."""
    lines = [f"# {text(policy.title)}", "", MADE, "", *head(policy), *how_to_read()]
    for section in policy.sections:
        lines += section_lines(policy, section, readings)
    lines += sheet_lines(readings)
    lines += parameter_lines(policy, readings)
    lines += definition_lines(policy)
    lines += defect_lines(policy)
    return whole(lines)


def head(policy: Policy) -> Iterator[str]:
    """What the page is about, and how much is decided in which way."""
    clauses = list(policy.clauses())
    ways = [clause.decided_by for clause in clauses]
    version = f", in force from {policy.version}" if policy.version else ""
    school = f" It judges the school {code(policy.school)}." if policy.school else ""
    yield f"{code(policy.id)}{version}.{school}"
    yield (
        f"It has {counted(len(clauses), 'clause')}: {ways.count('rule')} are decided by rules over records, "
        f"{ways.count('attestation')} by a signed yes or no, and {ways.count('definition')} define what "
        f"others use. There are {counted(len(policy.rules), 'rule')}, those that read signatures included."
    )
    yield ""


def how_to_read() -> list[str]:
    """What the words of the page mean."""
    return [
        "The sentences are paraphrases; the school's own document holds the wording. *Reads* names the "
        "[relations](../records.md) that a rule needs: without one of them the rule is undecided, unless "
        "what is there is already enough. A name in braces stands for a value of the case.",
        "",
    ]


def section_lines(policy: Policy, section: Section, readings: Mapping[str, Reading]) -> Iterator[str]:
    """One section of the document."""
    yield from (f"## {text(section.heading)}", "", f"Section {code(section.id)}.", "")
    for clause in section.clauses:
        yield from clause_lines(policy, clause, readings)


def clause_lines(policy: Policy, clause: Clause, readings: Mapping[str, Reading]) -> Iterator[str]:
    """One clause, and how it is decided."""
    data = clause.data
    yield from (f"### {clause.id}", "", text(data["says"]), "")
    item = f"{text(data['item'])}; " if "item" in data else ""
    yield f"{item}{data['modality']}, force *{data['force']}*, binds {names(data['binds'])}."
    yield ""
    if "reading" in data:
        yield from (f"How it is read: {text(data['reading'])}", "")
    if "attested" in data:
        yield from attested_lines(data["attested"], policy.rules.get(clause.id))
    for item in data.get("defines", ()):
        yield f"- Defines {code(item)}{meaning(policy, item)}"
    own = [rule for rule in policy.rules.values() if rule.clauses[0] == clause.id]
    for rule in own:
        if not (rule.attested and rule.id == clause.id):
            yield from rule_lines(rule, readings[rule.id])
    for rule in policy.rules.values():
        if clause.id in rule.clauses[1:]:
            home = rule.clauses[0]
            yield f"- Decided by {code(rule.id)} too, which stands under [{home}](#{anchor(home)})."
    yield ""


def attested_lines(attested: Mapping[str, Any], rule: RuleText | None) -> Iterator[str]:
    """Who signs for an attested clause, and for what."""
    every, any_ = attested.get("by", ()), attested.get("by_any", ())
    signers = [names(every)] if every else []
    signers += ["any of " + names(any_)] if any_ else []
    each = ", each of them" if len(every) > 1 else ""
    yield f"- Decided by a signed yes or no. Signed by {', and '.join(signers)}{each}."
    if "for_each" in attested:
        yield f"- One signature for each {code(attested['kind'])}."
    else:
        yield "- One signature for the school."
    if "signed_by" in attested:
        yield "- The person it is about signs."
    yield f"- Evidence: {text(attested['evidence'])}"
    if rule is not None:
        yield f"- A no is {a_failure(rule)}."


def rule_lines(rule: RuleText, reading: Reading) -> Iterator[str]:
    """One rule: what it says when it finds something, and what it needs."""
    what = a_failure(rule).removeprefix("a ")
    if rule.attested:
        yield f"- Records against a yes ({code(rule.id)}, {what}): {text(rule.data['contradicts'])}"
    else:
        yield f"- **{rule.id}** ({what}): {text(rule.data['message'])}"
    yield f"  - Reads {codes(reading.relations)}."
    if reading.parameters:
        yield f"  - Parameters: {codes(reading.parameters)}."
    if rule.data.get("remedy") and not rule.attested:
        yield f"  - To do: {text(rule.data['remedy'])}"


def a_failure(rule: RuleText) -> str:
    """What it is to fail a rule."""
    return {"advice": "advice", "missed": "a missed criterion"}.get(rule.outcome, f"a {rule.severity} breach")


def meaning(policy: Policy, name: str) -> str:
    """What a definition or parameter that a clause gives is."""
    if name in policy.definitions:
        return f": {text(policy.definitions[name].means)}"
    if name in policy.parameters:
        return f", a parameter: {text(policy.parameters[name].why)}"
    return ", a field of the records."


def sheet_lines(readings: Mapping[str, Reading]) -> Iterator[str]:
    """Which relations decide which rules, those that need the fewest first."""
    rules: dict[tuple[str, ...], list[str]] = {}
    for rule, reading in readings.items():
        rules.setdefault(reading.relations, []).append(rule)
    few = sorted((names for names in rules if len(names) <= FEW), key=len)
    yield from ("## What to keep first", "", "The rules that need the fewest relations.", "")
    yield from table(["relations", "rules"], ([codes(names), codes(rules[names])] for names in few))


def parameter_lines(policy: Policy, readings: Mapping[str, Reading]) -> Iterator[str]:
    """The table of parameters."""
    if not policy.parameters:
        return
    yield from ("## Parameters", "", "`--set NAME=VALUE` gives another value; every report says so.", "")
    rows = []
    for p in policy.parameters.values():
        values = p.value if isinstance(p.value, list) else [p.value]
        choices = f" (or {codes(c for c in p.one_of if c != p.value)})" if p.one_of else ""
        used = sum(p.name in reading.parameters for reading in readings.values())
        rows.append(
            [code(p.name), codes(values) + choices, text(p.unit), text(p.why), SOURCES[p.source], str(used)]
        )
    yield from table(["name", "value", "unit", "why", "set by", "rules"], rows)


def definition_lines(policy: Policy) -> Iterator[str]:
    """What the rules' own words mean."""
    if policy.definitions:
        yield from ("## Definitions", "", "Relations that are derived from the records.", "")
        rows = ([code(d.name), codes(d.gives), text(d.means)] for d in policy.definitions.values())
        yield from table(["name", "fields", "a row is"], rows)


def defect_lines(policy: Policy) -> Iterator[str]:
    """What is wrong with the document, whatever anybody does."""
    if policy.defects:
        yield from ("## The document itself", "")
        yield from ("What is wrong with the document, which is nobody's conduct. Every report lists it.", "")
        rows = ([codes(d.clauses), text(d.says), text(d.settled)] for d in policy.defects)
        yield from table(["clauses", "what is wrong", "how it is read"], rows)


def names(values: list[str]) -> str:
    """Roles as words."""
    return ", ".join(text(str(v).replace("_", " ")) for v in values)


def anchor(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return heading.lower().replace(".", "").replace(" ", "-")
