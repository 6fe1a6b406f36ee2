"""What rules rest on: relations and fields of the records, definitions and parameters."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from policycheck_engine import Aggregate, Atom, Call, Program, Rule, Term
from policycheck_engine.norms import Norm
from policycheck_engine.program import taken, terms, walk

from policycheck.policy.model import Policy


class Cone(Struct, frozen=True):
    """What some relations rest on, directly or through others.

    `relations` are those of the records, the ones that calendars count by included; `columns` are fields of
    them as (relation, field); `definitions` are the relations that are derived on the way; `domains` says
    what the ids among the relations' own columns identify.
    """

    relations: frozenset[str]
    columns: frozenset[tuple[str, str]]
    definitions: frozenset[str]
    domains: Mapping[str, str]


class Reads(Struct, dict=True):
    """What the rules of a relation read themselves: base relations, their columns, derived relations."""

    relations: set[str] = field(default_factory=set)
    columns: set[tuple[str, str]] = field(default_factory=set)
    derived: set[str] = field(default_factory=set)


def cones_of(program: Program, norms: Iterable[Norm]) -> dict[str, Cone]:
    """What each norm rests on, by its rule."""
    direct = direct_reads(program)
    return {norm.rule: cone_over(program, direct, norm.relations()) for norm in norms}


def cone_of(program: Program, names: Iterable[str]) -> Cone:
    """What some relations of a program rest on."""
    return cone_over(program, direct_reads(program), names)


def cone_over(program: Program, direct: Mapping[str, Reads], names: Iterable[str]) -> Cone:
    """What some relations rest on, where it is known what each of the program's reads itself."""
    names = list(names)
    whole = Reads(derived=set(names))
    queue = list(names)
    while queue:
        here = direct.get(queue.pop(), Reads())
        whole.relations |= here.relations
        whole.columns |= here.columns
        queue += here.derived - whole.derived
        whole.derived |= here.derived
    domains = {c.name: c.domain for name in names for c in program.relations[name].columns if c.domain}
    return Cone(frozenset(whole.relations), frozenset(whole.columns), frozenset(whole.derived), domains)


def direct_reads(program: Program) -> dict[str, Reads]:
    """What the rules of each derived relation read themselves."""
    heads = program.heads
    found = {}
    for head, rules in heads.items():
        reads = found[head] = Reads()
        for rule in rules:
            for calendar in (program.calendars[name] for name in calendars_in(rule)):
                reads.relations.add(calendar.relation)
                reads.columns.add((calendar.relation, calendar.column))
            for atom in (x for x in walk(rule.body) if isinstance(x, Atom)):
                if atom.relation in heads:
                    reads.derived.add(atom.relation)
                else:
                    reads.relations.add(atom.relation)
                    reads.columns |= {(atom.relation, column) for column, _ in atom.args}
    return found


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
