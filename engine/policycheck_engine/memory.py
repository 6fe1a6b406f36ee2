"""The in-memory evaluator: rules as Python functions over hash indexes, for inputs that fit in memory.

A school's term is small; there the cost is in starting up and planning, not in the rows. So a program is
written as Python in steps that can be kept (`steps`) and taken again on other records (`World.take`).
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from types import CodeType
from typing import Any

from policycheck_engine.aggregates import aggregated
from policycheck_engine.functions import FUNCTIONS, Days
from policycheck_engine.program import Program
from policycheck_engine.specialise import Need, written
from policycheck_engine.strata import recursive, strata
from policycheck_engine.values import Row, Value

Tables = Mapping[str, Iterable[Row]]
Index = Mapping[object, list[Row]]

Step = tuple[bool, tuple[tuple[str, CodeType, tuple[Need, ...]], ...]]
"""Relations to be derived: whether they need each other, and for each its name, its function and what to
call that with. Plain enough for `marshal`."""


def evaluate(program: Program, tables: Tables, wanted: Sequence[str]) -> dict[str, set[Row]]:
    """The facts of the wanted relations.

    `tables` has the rows of each base relation, in the order of its columns.
    """
    with no_collection():
        world = World(counted_by(program), tables)
        for step in steps(program, world.size):
            world.take(step)
        return world.only(wanted)


@contextmanager
def no_collection() -> Iterator[None]:
    """Without the garbage collector, which would look at every row again and again for nothing."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def steps(program: Program, size: Callable[[str], int]) -> Iterator[Step]:
    """The program as steps. Each is written when its turn comes, since by then the sizes of all that it
    reads are known; they decide how fast it is, never what it gives."""
    loops, heads = recursive(program), program.heads
    for group in strata(program):
        functions = []
        for head in group:
            source, needs = written(heads[head], program.relations, size)
            functions.append((head, compile(source, f"<{head}>", "exec"), needs))
        yield not loops.isdisjoint(group), tuple(functions)


@dataclass(frozen=True, slots=True)
class Counted:
    """A calendar: in which relation and place its days are, and whether some may not be there."""

    relation: str
    place: int
    by_week: bool
    unsure: bool


def counted_by(program: Program) -> dict[str, Counted]:
    """The calendars of a program, by name."""
    found = {}
    for name, calendar in program.calendars.items():
        relation = program.relations.get(calendar.relation)
        if relation is not None:
            unsure = relation.missing or relation.doubtful
            found[name] = Counted(relation.name, relation.index(calendar.column), calendar.by_week, unsure)
    return found


class World:
    """Facts with their indexes, and steps that make more."""

    def __init__(
        self, calendars: Mapping[str, Counted], tables: Tables, given: Mapping[str, Value] | None = None
    ) -> None:
        self.calendars = calendars
        self.facts: dict[str, Collection[Row]] = {
            name: rows if isinstance(rows, list) else list(rows) for name, rows in tables.items()
        }
        self.given = given or {}
        self.counted: dict[str, Days | None] = {}
        self.made: dict[str, dict[Need, Any]] = defaultdict(dict)
        self.scope: dict[str, Any] = {f"f_{name}": f.call for name, f in FUNCTIONS.items()}
        self.scope |= {"EMPTY": (), "may": may, "cache": cache, "aggregated": aggregated}

    def size(self, relation: str) -> int:
        """The number of rows of a relation, as far as it is known."""
        return len(self.facts.get(relation, ()))

    def only(self, wanted: Iterable[str]) -> dict[str, set[Row]]:
        """The facts of some relations."""
        return {name: as_set(self.facts[name]) for name in wanted}

    def take(self, step: Step) -> None:
        """Derive the relations of one step; those that need each other, until nothing new comes."""
        loops, functions = step
        for head, _, _ in functions if loops else ():
            self.facts[head] = set()
        grown = True
        while grown:
            grown = False
            for head, code, needs in functions:
                scope = dict(self.scope)
                exec(code, scope)  # source of our own making: see specialise
                new = scope["derive"](*[self.thing(need) for need in needs])
                if loops:
                    new |= as_set(self.facts[head])
                    grown = grown or len(new) > len(self.facts[head])
                self.facts[head] = new
                self.made.pop(head, None)

    def thing(self, need: Need) -> Any:
        """What a function needs."""
        made = self.made[need[1]]
        if need not in made:
            made[need] = self.make(need)
        return made[need]

    def make(self, need: Need) -> Any:
        kind, name, places = need
        match kind:
            case "rows":
                return self.facts[name]
            case "index":
                return indexed(self.facts[name], places)
            case "keys":
                return keys(self.facts[name], places)
            case "given":
                return self.given.get(name, places[0])
            case "days":
                return self.days
            case _:
                return self.counting(kind, name)

    def days(self, name: str) -> Days | None:
        """The days of a calendar; None when not all of them are known."""
        if name not in self.counted:
            calendar = self.calendars[name]
            dates = {row[calendar.place] for row in self.facts[calendar.relation]}
            unknown = calendar.unsure or None in dates
            self.counted[name] = None if unknown else Days(map(str, dates), calendar.by_week)
        return self.counted[name]

    def counting(self, function: str, calendar: str) -> Callable[..., Value]:
        """A function that counts by a calendar."""
        days, call = self.days(calendar), FUNCTIONS[function].call
        return cache(lambda *args: None if days is None else call(days, *args))


def as_set(rows: Collection[Row]) -> set[Row]:
    return rows if isinstance(rows, set) else set(rows)


def indexed(rows: Collection[Row], places: Sequence[Any]) -> Index:
    """Rows by the values at some places: the value itself for one, a tuple for several."""
    index: defaultdict[object, list[Row]] = defaultdict(list)
    if len(places) == 1:
        (place,) = places
        for row in rows:
            index[row[place]].append(row)
    else:
        for key, row in zip(map(itemgetter(*places), rows), rows, strict=True):
            index[key].append(row)
    return index


def keys(rows: Collection[Row], places: Sequence[Any]) -> set[Any]:
    """The different values at some places, as an index has them."""
    if rows and len(next(iter(rows))) == len(places) > 1:
        return as_set(rows)
    return set(map(itemgetter(*places), rows))


def may(index: Index, rows: Collection[Row], value: Value) -> Collection[Row]:
    """The rows that may have a value: those that have it, and those where it is unknown."""
    if value is None:
        return rows
    unknown = index.get(None)
    found = index.get(value, [])
    return found + unknown if unknown else found
