"""Only what is asked for: derived relations without the rows that nothing looks at.

Where every rule that reads a relation asks for the same few values of a column, no other rows are derived;
and so on down to the records. What is wanted, and what needs itself, stays whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from policycheck_engine.program import Atom, Body, Const, Member, Program, Rule, Term, Var, nested
from policycheck_engine.strata import strata

Asked = dict[str, tuple[Const, ...]]
"""The only values that are asked for, by column; other columns are asked for any value."""


def narrowed(program: Program, wanted: Collection[str]) -> Program:
    """The program with fewer rows in relations that are not wanted."""
    heads = program.heads
    rules: dict[str, list[Rule]] = {}
    asked: dict[str, Asked] = {}
    for group in reversed(strata(program)):
        for head in group:
            few = asked.get(head, {}) if head not in wanted and len(group) == 1 else {}
            rules[head] = [with_only(rule, few) for rule in heads[head]]
            for rule in rules[head]:
                for atom, body in atoms(rule.body):
                    both(asked, atom.relation, asked_by(atom, body))
    return replace(program, rules=tuple(rule for head in heads for rule in rules[head]))


def with_only(rule: Rule, few: Asked) -> Rule:
    """The rule for rows that have one of the values that are asked for."""
    tests = [
        Member(term, few[name], sure=False)
        for name, term in rule.args
        if name in few and isinstance(term, Var)
    ]
    return replace(rule, body=(*rule.body, *tests)) if tests else rule


def atoms(body: Body) -> Iterator[tuple[Atom, Body]]:
    """All atoms with the body that each stands in."""
    for literal in body:
        if isinstance(literal, Atom):
            yield literal, body
        for inner in nested(literal):
            yield from atoms(inner)


def asked_by(atom: Atom, body: Body) -> Asked:
    """The values that an atom asks for."""
    found = {name: constants(term, body) for name, term in atom.args}
    return {name: values for name, values in found.items() if values}


def constants(term: Term, body: Body) -> tuple[Const, ...]:
    """The only values a term can have; none when it may have any, or a named one."""
    values: tuple[Const, ...] = ()
    if isinstance(term, Const):
        values = (term,)
    elif isinstance(term, Var):
        members = (m for m in body if isinstance(m, Member) and m.term == term)
        values = next((m.values for m in members), ())
    return () if any(value.name for value in values) else values


def both(asked: dict[str, Asked], relation: str, more: Asked) -> None:
    """What is asked of a relation by several: the values of either, of columns that all ask values of."""
    if relation not in asked:
        asked[relation] = more
        return
    old = asked[relation]
    asked[relation] = {name: tuple(dict.fromkeys([*old[name], *more[name]])) for name in old if name in more}
