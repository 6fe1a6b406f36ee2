"""The steps in which the in-memory evaluator derives a program, made while they are taken: what is written
next is chosen by how many rows there are of all that was derived before.

A relation that is only ever tested, for rows whose values are known by then, is not derived where it is less
work to try its rules for each of them. What an aggregate makes of some values is remembered for all rules
that ask for the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct, field

from policycheck_engine.narrow import atoms, narrowed
from policycheck_engine.order import part
from policycheck_engine.program import (
    Aggregate,
    Atom,
    Body,
    Call,
    Program,
    Var,
    nested,
    taken,
    variables,
)
from policycheck_engine.specialise import Draft, Need, written
from policycheck_engine.strata import recursive, strata

if TYPE_CHECKING:
    from policycheck_engine.memory import Step, World

LITTLE = 1000
"""A relation that is derived in so few moves is not worth a thought."""


def planned(program: Program, wanted: Collection[str], world: World) -> list[Step]:
    """Derive what is wanted in a world: the steps that were taken, which can be kept for other records."""
    program = narrowed(program, wanted)
    maker = Maker(program, world)
    tested, loops = only_tested(program, wanted), recursive(program)
    for group in strata(program):
        if len(group) == 1 and group[0] in tested and group[0] not in loops:
            maker.leave(group[0])
        else:
            maker.derive(group, not loops.isdisjoint(group))
    return maker.taken


class Maker(Struct, dict=True):
    """Writes steps and takes them. `waiting` are relations that may never have to be derived."""

    program: Program
    world: World
    taken: list[Step] = field(default_factory=list)
    waiting: dict[str, Draft] = field(default_factory=dict)
    functions: dict[tuple[str, tuple[Need, ...]], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.heads = self.program.heads

    def derive(self, group: Collection[str], loops: bool) -> None:
        """Derive relations that need each other, or a single one."""
        self.take(loops, [(head, written(self.heads[head], self.program.relations, self)) for head in group])

    def leave(self, head: str) -> None:
        """Derive a relation when it is asked for, unless that is little work."""
        draft = written(self.heads[head], self.program.relations, self)
        if draft.work < LITTLE:
            self.take(False, [(head, draft)])
        else:
            self.waiting[head] = draft

    def take(self, loops: bool, drafts: Collection[tuple[str, Draft]]) -> None:
        for _, draft in drafts:
            for _, name, _ in draft.needs:
                self.settle(name)
        functions = ((head, compile(d.source, f"<{head}>", "exec"), d.needs) for head, d in drafts)
        self.taken.append((loops, tuple(functions)))
        self.world.take(self.taken[-1])

    # What is asked while a rule is written: see `specialise.Facts`

    def guess(self, relation: str, places: tuple[int, ...]) -> float:
        self.settle(relation)
        return self.world.guess(relation, places)

    def put_off(self, relation: str) -> Draft | None:
        return self.waiting.get(relation)

    def indexed(self, relation: str) -> list[tuple[int, ...]]:
        return [places for kind, _, places in self.world.made[relation] if kind in ("one", "index")]

    def settle(self, relation: str) -> None:
        """See to it that a relation is derived, if it was put off."""
        if relation in self.waiting:
            self.take(False, [(relation, self.waiting.pop(relation))])

    def shared(self, draft: Draft) -> str:
        """The name of a function, which other rules may have asked for."""
        key = (draft.source, draft.needs)
        if key not in self.functions:
            self.functions[key] = f"={len(self.functions)}"
            self.waiting[self.functions[key]] = draft
        return self.functions[key]


def only_tested(program: Program, wanted: Collection[str]) -> set[str]:
    """The derived relations that every rule only asks whether they have a row with values that other
    literals give."""
    found = {rule.head for rule in program.rules} - set(wanted)
    for rule in program.rules:
        if any(atom.finds for atom, _ in atoms(rule.body)):
            found.discard(rule.head)  # what it finds depends on what is known before
    found = {name for name in found if not any(c.unknown for c in program.relations[name].columns)}
    for silent in (False, True):  # that none of them has to wait for the values of another
        for rule in program.rules:
            if any(atom.relation in found for atom, _ in atoms(rule.body)):
                given = [v.name for _, term in rule.args for v in variables(term)]
                found = found.difference(looked_up(rule.body, set(), given, found if silent else ()))
    return found


def looked_up(
    body: Body, outside: set[str], given: Collection[str], silent: Collection[str]
) -> Iterator[str]:
    """The relations of whose rows a body uses values; `outside` is known around it, `given` asked of it. The
    `silent` relations give no values."""
    parts = [part(literal) for literal in body]
    inside = outside.union(*(p.gives for p in parts))
    for one in parts:
        if isinstance(one.literal, Atom):
            others = [p for p in parts if p is not one]
            speaking = [
                p for p in others if not (isinstance(p.literal, Atom) and p.literal.relation in silent)
            ]
            known = outside.union(*(p.gives for p in speaking))
            used = outside.union(given, *(p.names for p in others))
            if not is_asked(one.literal, known, used):
                yield one.literal.relation
        asked = (
            [v.name for t in taken(one.literal) for v in variables(t)]
            if isinstance(one.literal, Aggregate)
            else ()
        )
        for inner in nested(one.literal):
            yield from looked_up(inner, inside, asked, silent)


def is_asked(atom: Atom, known: Collection[str], used: Collection[str]) -> bool:
    """Whether an atom only asks for a row with values that are known; `used` are variables that matter."""
    if not atom.sure or atom.finds or any(isinstance(term, Call) for _, term in atom.args):
        return False
    values = [term.name for _, term in atom.args if isinstance(term, Var)]
    return all(name in known or (name not in used and values.count(name) == 1) for name in values)
