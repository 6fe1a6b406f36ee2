"""The in-memory evaluator: rules as Python functions over hash indexes, for inputs that fit in memory.

A school's term is small; there the cost is in starting up and planning, not in the rows.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from policycheck_engine.aggregates import aggregated
from policycheck_engine.functions import FUNCTIONS, Days
from policycheck_engine.program import Program
from policycheck_engine.specialise import Specialiser
from policycheck_engine.strata import recursive, strata
from policycheck_engine.values import Row, Value

Tables = Mapping[str, Iterable[Row]]
Index = dict[object, list[Row]]
RuleFunction = Callable[[set[Row]], None]


def evaluate(program: Program, tables: Tables, wanted: Sequence[str]) -> dict[str, set[Row]]:
    """The facts of the wanted relations.

    `tables` has the rows of each base relation, in the order of its columns.
    """
    with no_collection():
        world = World(program, tables)
        loops = recursive(program)
        for group in strata(program):
            if loops.isdisjoint(group):
                world.derive(group[0])
            else:
                world.derive_until_stable(group)
        return {name: set(world.facts[name]) for name in wanted}


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


class World:
    """Facts with their indexes, and the functions of the rules that make more.

    A rule becomes a function when its turn comes, since by then the sizes of all that it reads are known.
    """

    def __init__(self, program: Program, tables: Tables) -> None:
        self.program = program
        self.heads = program.heads
        self.facts: dict[str, Collection[Row]] = {n: list(rows) for n, rows in tables.items()}
        self.calendars: dict[str, Days | None] = {}
        self.specialiser = Specialiser(program.relations, lambda name: len(self.facts.get(name, ())))
        self.scope: dict[str, Any] = {f"f_{name}": _careful(f.call) for name, f in FUNCTIONS.items()}
        self.scope |= {"f_add": self.add, "f_between": self.between, "aggregated": aggregated}
        self.scope |= {"EMPTY": (), "may": may, "days": self.days, "cache": cache}

    def functions(self, head: str) -> list[RuleFunction]:
        """The rules of a relation as functions, with the indexes and constants they refer to."""
        maker = self.specialiser
        known, constants = set(maker.indexes), len(maker.constants)
        names = [maker.rule(rule) for rule in self.heads[head]]
        for (relation, places), name in maker.indexes.items():
            if (relation, places) not in known:
                self.scope[name] = indexed(self.facts[relation], places)
        self.scope |= {f"c{i}": maker.constants[i] for i in range(constants, len(maker.constants))}
        exec("\n\n".join(maker.functions), self.scope)  # source of our own making: see specialise
        maker.functions.clear()
        return [self.scope[name] for name in names]

    def derive(self, head: str) -> None:
        """The rows of a relation that does not need itself."""
        out: set[Row] = set()
        for rule in self.functions(head):
            rule(out)
        self.facts[head] = out

    def derive_until_stable(self, group: Sequence[str]) -> None:
        """The rows of relations that need each other: again until nothing new comes."""
        for head in group:
            self.facts[head] = set()
        rules = {head: self.functions(head) for head in group}
        grown = True
        while grown:
            grown = False
            for head in group:
                before = set(self.facts[head])
                out = set(before)
                for rule in rules[head]:
                    rule(out)
                if len(out) > len(before):
                    self.facts[head] = out
                    self.index_again(head)
                    grown = True

    def index_again(self, grown: str) -> None:
        """Make the indexes of a relation that has grown anew."""
        for (relation, places), name in self.specialiser.indexes.items():
            if relation == grown:
                self.scope[name] = indexed(self.facts[relation], places)

    def days(self, name: str) -> Days | None:
        """The days of a calendar; None when not all of them are known."""
        if name not in self.calendars:
            calendar = self.program.calendars[name]
            relation = self.program.relations[calendar.relation]
            place = relation.index(calendar.column)
            dates = [row[place] for row in self.facts[calendar.relation]]
            unknown = relation.missing or relation.doubtful or None in dates
            self.calendars[name] = None if unknown else Days(map(str, dates), calendar.by_week)
        return self.calendars[name]

    def add(self, calendar: str, date: str | None, number: int | None) -> str | None:
        days = self.days(calendar)
        return None if days is None or date is None or number is None else days.shift(date[:10], number)

    def between(self, calendar: str, start: str | None, end: str | None) -> int | None:
        days = self.days(calendar)
        return None if days is None or start is None or end is None else days.between(start[:10], end[:10])


def indexed(rows: Collection[Row], places: tuple[int, ...]) -> Index | Collection[Row]:
    """Rows by the values at some places: the value itself for one, a tuple for several."""
    if not places:
        return rows
    index: Index = {}
    if len(places) == 1:
        (place,) = places
        for row in rows:
            key = row[place]
            if key in index:
                index[key].append(row)
            else:
                index[key] = [row]
        return index
    for row in rows:
        index.setdefault(tuple([row[p] for p in places]), []).append(row)
    return index


def may(index: Index, rows: Collection[Row], value: Value) -> Collection[Row]:
    """The rows that may have a value: those that have it, and those where it is unknown."""
    if value is None:
        return rows
    unknown = index.get(None)
    found = index.get(value, [])
    return found + unknown if unknown else found


def _careful(function: Callable[..., Value]) -> Callable[..., Value]:
    """The function that gives unknown of an unknown."""

    def careful(*args: Value) -> Value:
        return None if None in args else function(*args)

    return careful
