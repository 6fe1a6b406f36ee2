"""What rules rest on: relations and fields of the records, definitions and parameters."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policycheck_engine import Aggregate, Atom, Call, Program, Rule, Term
from policycheck_engine.program import taken, terms, walk

from policycheck.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Cone:
    """What something rests on, directly or through definitions.

    `relations` are those of the records, the ones that calendars count by included; `columns` are fields
    of them as (relation, field); `definitions` are the relations that are derived on the way.
    """

    relations: frozenset[str]
    columns: frozenset[tuple[str, str]]
    definitions: frozenset[str]


def cone_of(program: Program, names: Iterable[str]) -> Cone:
    """What some relations of a program rest on."""
    heads = program.heads
    queue = list(names)
    seen = set(queue)
    relations: set[str] = set()
    columns: set[tuple[str, str]] = set()
    while queue:
        for rule in heads.get(queue.pop(), ()):
            for calendar in (program.calendars[name] for name in calendars_in(rule)):
                relations.add(calendar.relation)
                columns.add((calendar.relation, calendar.column))
            for atom in (x for x in walk(rule.body) if isinstance(x, Atom)):
                if atom.relation not in heads:
                    relations.add(atom.relation)
                    columns |= {(atom.relation, column) for column, _ in atom.args}
                elif atom.relation not in seen:
                    seen.add(atom.relation)
                    queue.append(atom.relation)
    return Cone(frozenset(relations), frozenset(columns), frozenset(seen))


def calendars_in(rule: Rule) -> Iterator[str]:
    """The calendars that a rule counts by."""
    for literal in walk(rule.body):
        found = list(terms(literal))
        if isinstance(literal, Aggregate):
            found += taken(literal)
            if literal.unit not in (None, "days", "weeks"):
                yield str(literal.unit)
        for term in found:
            yield from calendars_of(term)


def calendars_of(term: Term) -> Iterator[str]:
    """The calendars that a term counts by."""
    if isinstance(term, Call):
        if term.calendar is not None:
            yield term.calendar
        for arg in term.args:
            yield from calendars_of(arg)


def parameters_of(policy: Policy, rules: Iterable[str], definitions: Iterable[str]) -> list[str]:
    """The parameters that rules and definitions name, messages included, in the order of the policy."""
    texts: list[Any] = [{k: v for k, v in policy.rules[r].data.items() if k != "examples"} for r in rules]
    texts += [policy.definitions[name].when for name in definitions if name in policy.definitions]
    used = {name for text in texts for name in names_in(text)}
    return [name for name in policy.parameters if name in used]


def names_in(data: Any) -> Iterator[str]:
    """The names of variables and parameters in a body (`$name`), and of what its messages show (`{name}`)."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from names_in(key)
            yield from names_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from names_in(value)
    elif isinstance(data, str):
        if data.startswith("$"):
            yield data[1:]
        elif "{" in data:
            yield from (name for _, name, _, _ in string.Formatter().parse(data) if name)
