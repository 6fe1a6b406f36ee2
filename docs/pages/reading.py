"""What the rules of a policy read: which relations, and which parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policycheck.policy.compile import compile_policy
from policycheck.policy.model import Policy, Setting
from policycheck_engine import Aggregate, Call, Program, Relation, Term
from policycheck_engine.program import taken, terms, walk
from policycheck_engine.strata import needed, reads


@dataclass(frozen=True, slots=True)
class Reading:
    """The relations of the records that a rule needs, directly or through definitions, and its parameters."""

    relations: tuple[str, ...]
    parameters: tuple[str, ...]


def readings_of(policy: Policy) -> dict[str, Reading]:
    """What each rule of a policy reads, by its id."""
    base = {
        name: Relation(
            name, tuple(policy.model.column(name, f, m.missing == "unknown") for f, m in r.fields.items())
        )
        for name, r in policy.model.relations.items()
    }
    compiled = compile_policy(policy, base, Setting(policy.scene.get("as_of", "2000-01-01"), {}))
    order = list(policy.model.relations)
    found = {}
    for norm in compiled.norms:
        part = needed(compiled.program, list(norm.relations()))
        found[norm.rule] = Reading(
            tuple(sorted(relations_of(part), key=order.index)),
            tuple(parameters_of(policy, norm.rule, part)),
        )
    return found


def relations_of(part: Program) -> set[str]:
    """The relations of the records that a part of a program reads, those of calendars included."""
    names = {name for rule in part.rules for name, _, _ in reads(rule.body)} - set(part.heads)
    for rule in part.rules:
        for literal in walk(rule.body):
            found = list(terms(literal))
            if isinstance(literal, Aggregate):
                found += taken(literal)
                if literal.unit is not None and literal.unit in part.calendars:
                    names.add(part.calendars[literal.unit].relation)
            names |= {part.calendars[c].relation for term in found for c in calendars_in(term)}
    return names


def calendars_in(term: Term) -> Iterator[str]:
    """The calendars that a term counts by."""
    if isinstance(term, Call):
        if term.calendar is not None:
            yield term.calendar
        for arg in term.args:
            yield from calendars_in(arg)


def parameters_of(policy: Policy, rule: str, part: Program) -> list[str]:
    """The parameters that a rule uses, directly or through definitions, in the order of the policy."""
    bodies: list[Any] = [{key: v for key, v in policy.rules[rule].data.items() if key != "examples"}]
    bodies += [policy.definitions[name].when for name in part.heads if name in policy.definitions]
    used = {name[1:] for body in bodies for name in variables_in(body)}
    return [name for name in policy.parameters if name in used]


def variables_in(data: Any) -> Iterator[str]:
    """Everything in a body that starts with a dollar sign."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from variables_in(key)
            yield from variables_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from variables_in(value)
    elif isinstance(data, str) and data.startswith("$"):
        yield data
