"""A policy made ready to judge records: all that evaluating and telling need of its program.

What is made ready depends on the policy, its parameters, and on which columns of the records have unknown
values; not on the records themselves, nor on the as-of date. So it is kept in the cache, and a run over
other records of the same shape compiles nothing.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from policycheck_engine import Program, Relation, Row, Value
from policycheck_engine.memory import Counted, World, counted_by, no_collection, steps
from policycheck_engine.norms import Norm
from policycheck_engine.readings import Outline, readings
from policycheck_engine.strata import needed

from policycheck.cache import key_of, read, write
from policycheck.policy.cone import Cone, cones_of
from policycheck.policy.model import AS_OF, Policy, Setting

if TYPE_CHECKING:
    from policycheck.policy.compile import Compiled

Facts = Mapping[str, AbstractSet[Row]]
Touched = Mapping[str, frozenset[str]]


class Basis(Struct, frozen=True):
    """What is kept of a policy that was made ready.

    `wanted` are the relations of the norms and `reads` the base relations they rest on, in both readings.
    `flaws` is the relation with what is wrong with exceptions, and the relation that these are rows of.
    """

    norms: tuple[Norm, ...]
    values: Mapping[str, Any]
    outline: Outline
    wanted: tuple[str, ...]
    reads: frozenset[str]
    cones: Mapping[str, Cone]
    calendars: Mapping[str, Counted]
    flaws: tuple[str, str] | None = None


class Ready(Struct, dict=True):
    """A version of a policy that is ready to judge.

    The program itself is compiled when it is asked for.
    """

    policy: Policy
    basis: Basis
    setting: Setting
    compiled: Callable[[], Compiled]
    key: str = ""
    made: Program | None = None

    @property
    def given(self) -> Mapping[str, Value]:
        """The named constants of the program."""
        return {} if self.setting.as_of is None else {AS_OF: self.setting.as_of}

    @property
    def values(self) -> Mapping[str, Any]:
        return {**self.basis.values, **self.given}

    @property
    def norms(self) -> tuple[Norm, ...]:
        return self.basis.norms

    def columns(self, norm: Norm, relation: str, domain: str) -> list[str]:
        """The columns of one of a norm's relations that hold keys of another relation's rows."""
        domains = self.cones[norm.rule].domains
        return [c for c in self.basis.outline.names[relation] if domains.get(c) == domain]

    @property
    def cones(self) -> Mapping[str, Cone]:
        return self.basis.cones

    @cached_property
    def program(self) -> Program:
        """The plain program of both readings, as far as the norms rest on it."""
        return self.made or needed(readings(self.compiled().program).program, self.basis.wanted)

    def in_memory(self, tables: Mapping[str, list[Row]]) -> Facts:
        """The facts of the wanted relations, by the evaluator in memory."""
        scale = sum(map(len, tables.values())).bit_length() // 3
        key = key_of("steps", [self.key, str(scale)]) if self.key else ""
        known = read(key)
        with no_collection():
            world = World(self.basis.calendars, tables, self.given)
            if known:
                for step in marshal.loads(known):
                    world.take(step)
            else:
                write(key, marshal.dumps(steps(self.program, self.basis.wanted, world)))
            return world.views(self.basis.wanted)


def made_ready(
    policy: Policy, base: Mapping[str, Relation], setting: Setting, only: Iterable[str] | None = None
) -> Ready:
    """A policy made ready for records with these base relations, or PolicyError with all that is wrong.

    `only` leaves out all other rules.
    """

    def compiled() -> Compiled:
        from policycheck.policy.compile import compile_policy

        return compile_policy(policy, base, setting, chosen)

    chosen = None if only is None else sorted(only)
    asked = json.dumps([setting.parameters, setting.first_day, setting.next_version, chosen], sort_keys=True)
    parts = [policy.key, asked, str(setting.as_of is None)]
    touched_key = key_of("touched", parts) if policy.key else ""

    def basis_key(touched: Touched | None) -> str:
        return key_of("basis", [*parts, shape(base, touched)]) if policy.key and touched is not None else ""

    key = basis_key(read(touched_key))
    basis: Basis | None = read(key)
    program = None
    if basis is None:
        basis, program = basis_of(compiled())
        touched = touched_by(basis, base)
        key = basis_key(touched)
        write(touched_key, touched)
        write(key, basis)
    return Ready(policy, basis, setting, compiled, key, program)


def ready_of(compiled: Compiled, setting: Setting) -> Ready:
    """A policy that was compiled, made ready; nothing of it is kept."""
    basis, program = basis_of(compiled)
    return Ready(compiled.policy, basis, setting, lambda: compiled, made=program)


def basis_of(compiled: Compiled) -> tuple[Basis, Program]:
    """What a compiled policy comes down to, and its plain program."""
    split = readings(compiled.program)
    relations = dict.fromkeys(name for norm in compiled.norms for name in norm.relations())
    if compiled.flaws is not None:
        relations[compiled.flaws] = None
    wanted = tuple(dict.fromkeys(split.reading(name, sure) for name in relations for sure in (True, False)))
    program = needed(split.program, wanted)
    basis = Basis(
        norms=compiled.norms,
        values={name: value for name, value in compiled.values.items() if name != AS_OF},
        outline=split.outline(wanted),
        wanted=wanted,
        reads=frozenset(program.relations) - frozenset(program.heads),
        cones=cones_of(compiled.program, compiled.norms),
        calendars=counted_by(program),
        flaws=flaws_of(compiled),
    )
    return basis, program


def flaws_of(compiled: Compiled) -> tuple[str, str] | None:
    """The relation with what is wrong with exceptions, and of which relation these are rows."""
    if compiled.flaws is None:
        return None
    return compiled.flaws, str(compiled.program.relations[compiled.flaws].columns[0].domain)


def touched_by(basis: Basis, base: Mapping[str, Relation]) -> Touched:
    """The relations of the records that the rules look at, and which of their columns."""
    found: dict[str, set[str]] = {}
    for cone in basis.cones.values():
        for relation in cone.relations:
            found.setdefault(relation, set())
        for relation, column in cone.columns:
            found.setdefault(relation, set()).add(column)
    for calendar in basis.calendars.values():
        columns = base[calendar.relation].names
        found.setdefault(calendar.relation, set()).add(columns[calendar.place])
    return {name: frozenset(columns) for name, columns in found.items()}


def shape(base: Mapping[str, Relation], touched: Touched) -> str:
    """What is unknown in the relations and columns that rules look at."""
    marks = []
    for name in sorted(touched):
        relation = base[name]
        unknown = sorted(c.name for c in relation.columns if c.unknown and c.name in touched[name])
        marks.append([name, relation.missing, relation.doubtful, unknown])
    return json.dumps(marks)
