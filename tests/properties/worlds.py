"""A world: a program and records for it; what is derived from it, and what its unknowns may be."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from policycheck_engine import (
    NEVER,
    Program,
    Relation,
    Row,
    Split,
    Type,
    Value,
    check,
    naive,
    readings,
)
from policycheck_engine.norms import Judgement, Norm, judge
from policycheck_engine.readings import possible

from tests.properties import show

Evaluate = Callable[[Program, Mapping[str, Iterable[Row]], Sequence[str]], dict[str, set[Row]]]
Records = Mapping[str, tuple[Row, ...]]

DOMAIN: dict[Type, tuple[Value, ...]] = {
    "text": ("a", "b", "c"),
    "int": (0, 1, 2),
    "date": ("2021-01-29", "2021-01-31", "2021-02-02", NEVER["date"]),
}
"""The values that records are made of, and that an unknown one may turn out to be."""


class World(Struct, frozen=True):
    """A program as written, the rows of its base relations, and the rows that are in doubt."""

    program: Program
    rows: Records
    doubtful: Records
    norm: Norm | None = None

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def __repr__(self) -> str:
        lines = list(show.program(self.program))
        for name, relation in self.program.relations.items():
            columns = ", ".join(f"{c.name} {c.type}{'?' if c.unknown else ''}" for c in relation.columns)
            missing = " is missing" if relation.missing else ""
            doubtful = f" and perhaps {list(self.doubtful.get(name, ()))}" if relation.doubtful else ""
            lines.append(f"{name}({columns}){missing} = {list(self.rows[name])}{doubtful}")
        return "\n  ".join(["", *lines, *([repr(self.norm)] if self.norm else [])])


class Outcome(Struct, frozen=True):
    """The plain program of a world, and its facts."""

    split: Split
    facts: Mapping[str, set[Row]]

    def judged(self, norm: Norm) -> Judgement:
        return judge(norm, self.split.outline(), self.facts)


def checked(world: World) -> Program | None:
    """The typed program, or None when it is not sound."""
    program, problems = check(world.program)
    return None if problems else program


def solved(world: World, evaluate: Evaluate = naive.evaluate) -> Outcome:
    """All facts of a world."""
    program, problems = check(world.program)
    assert not problems, problems
    split = readings(program)
    return Outcome(split, evaluate(split.program, tables(world, split), list(split.program.relations)))


def solved_fillings(world: World, limit: int) -> Iterator[tuple[Records, Outcome]]:
    """What this world may turn out to be, and all facts of each."""
    program, problems = check(known(world.program))
    assert not problems, problems
    split = readings(program)
    for rows in fillings(world, limit):
        complete = replace(world, rows=rows, doubtful={})
        facts = naive.evaluate(split.program, tables(complete, split), list(split.program.relations))
        yield rows, Outcome(split, facts)


def known(program: Program) -> Program:
    """The program over relations that are all there and have no unknowns."""
    relations = {
        name: replace(
            r, columns=tuple(replace(c, unknown=False) for c in r.columns), missing=False, doubtful=False
        )
        for name, r in program.relations.items()
    }
    return replace(program, relations=relations)


def tables(world: World, split: Split) -> dict[str, list[Row]]:
    """The rows of the base relations, and of their possible readings where they have one."""
    out: dict[str, list[Row]] = {}
    for name, rows in world.rows.items():
        relation = world.program.relations[name]
        out[name] = list(rows)
        if possible(name) in split.program.relations:
            blank: Row = (None,) * len(relation.columns)
            out[possible(name)] = [blank] if relation.missing else [*rows, *world.doubtful.get(name, ())]
    return out


def fillings(world: World, limit: int) -> Iterator[Records]:
    """The records that these may turn out to be: all of them, or so many picked at random."""
    holes = {name: _row_choices(world, r) for name, r in world.program.relations.items()}
    flat = [choice for choices in holes.values() for choice in choices]
    for picked in _picks(flat, limit):
        left = iter(picked)
        yield {
            name: tuple(dict.fromkeys(row for _ in choices for row in next(left)))
            for name, choices in holes.items()
        }


def _picks(choices: list[list[tuple[Row, ...]]], limit: int) -> Iterator[Sequence[tuple[Row, ...]]]:
    if prod(len(c) for c in choices) <= limit:
        yield from product(*choices)
        return
    chance = random.Random(0)
    for _ in range(limit):
        yield [chance.choice(c) for c in choices]


def _row_choices(world: World, relation: Relation) -> list[list[tuple[Row, ...]]]:
    """For each row what it may be, as the rows that stand for it."""
    if relation.missing:
        every = list(product(*(DOMAIN[c.type] for c in relation.columns)))
        pairs = list(combinations(every, 2))
        few = pairs if len(pairs) < 200 else pairs[::7]
        nothing: list[tuple[Row, ...]] = [()]
        return [nothing + [(row,) for row in every] + [*few]]
    certain: list[list[tuple[Row, ...]]] = [
        [(row,) for row in _completed(relation, row)] for row in world.rows[relation.name]
    ]
    doubtful: list[list[tuple[Row, ...]]] = [
        [(), *((row,) for row in _completed(relation, row))] for row in world.doubtful.get(relation.name, ())
    ]
    return certain + doubtful


def _completed(relation: Relation, row: Row) -> Iterator[Row]:
    columns = zip(relation.columns, row, strict=True)
    yield from product(*(DOMAIN[c.type] if value is None else (value,) for c, value in columns))


def fields(relation: Relation, row: Row) -> dict[str, Value | tuple[Value, Value]]:
    """A row by column; a pair of bounds is a pair."""
    flat = dict(zip(relation.names, row, strict=True))
    return {
        name.rstrip("<"): (value, flat[name[:-1] + ">"]) if name.endswith("<") else value
        for name, value in flat.items()
        if not name.endswith(">")
    }


def covers(vague: Value | tuple[Value, Value], exact: Value | tuple[Value, Value]) -> bool:
    """Whether one may turn out to be the other: an unknown anything, a pair of bounds what lies between."""
    if isinstance(vague, tuple):
        low, high = exact if isinstance(exact, tuple) else (exact, exact)
        return (vague[0] is None or (low is not None and vague[0] <= low)) and (  # type: ignore[operator]
            vague[1] is None or (high is not None and high <= vague[1])  # type: ignore[operator]
        )
    return vague is None or exact in (vague, (vague, vague))


def row_covers(vague: Mapping[str, object], exact: Mapping[str, object]) -> bool:
    """Whether one row may turn out to be the other."""
    return all(covers(vague[name], exact[name]) for name in exact)  # type: ignore[arg-type]
