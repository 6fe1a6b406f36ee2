"""The in-memory evaluator: rules as Python functions over hash indexes, for inputs that fit in memory.

A school's term is small; there the cost is in starting up and planning, not in the rows. So a program is
written as Python in steps that can be kept (`steps`) and taken again on other records (`World.take`).
"""

from __future__ import annotations

import gc
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from operator import itemgetter
from types import CodeType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from policycheck_engine.aggregates import aggregated
from policycheck_engine.functions import FUNCTIONS, Days
from policycheck_engine.program import Program
from policycheck_engine.values import Row, Value

if TYPE_CHECKING:
    from policycheck_engine.specialise import Need

Tables = Mapping[str, Iterable[Row]]
Index = Mapping[object, list[Row]]

Step = tuple[bool, tuple[tuple[str, CodeType, "tuple[Need, ...]"], ...]]
"""Relations to be derived: whether they need each other, and for each its name, its function and what to
call that with. Plain enough for `marshal`."""


def evaluate(program: Program, tables: Tables, wanted: Sequence[str]) -> dict[str, set[Row]]:
    """The facts of the wanted relations.

    `tables` has the rows of each base relation, in the order of its columns.
    """
    with no_collection():
        world = World(counted_by(program), tables)
        steps(program, wanted, world)
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


def steps(program: Program, wanted: Collection[str], world: World) -> list[Step]:
    """The steps of a program, which are taken in a world while they are made: by then it is known how many
    rows there are of all that the next one reads."""
    from policycheck_engine.plan import planned

    return planned(program, wanted, world)


class Counted(Struct, frozen=True):
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
        self.scope |= {"EMPTY": (), "ONCE": (None,), "may": may, "cache": cache, "aggregated": aggregated}

    def guess(self, relation: str, places: tuple[int, ...]) -> float:
        """How many rows of a relation have the same values at some places, on average."""
        rows = self.facts.get(relation, ())
        if not rows or not places:
            return len(rows)
        return len(rows) / len(self.thing(("keys", relation, places)))

    def only(self, wanted: Iterable[str]) -> dict[str, set[Row]]:
        """The facts of some relations."""
        return {name: set(self.facts[name]) for name in wanted}

    def views(self, wanted: Iterable[str]) -> dict[str, AbstractSet[Row]]:
        """The facts of some relations, without a copy."""
        return {name: keyed(self.facts[name]).keys() for name in wanted}

    def take(self, step: Step) -> None:
        """Derive the relations of one step; those that need each other, until nothing new comes."""
        loops, functions = step
        for head, _, _ in functions if loops else ():
            self.facts[head] = {}
        grown = True
        while grown:
            grown = False
            for head, code, needs in functions:
                scope = dict(self.scope)
                exec(code, scope)  # source of our own making: see specialise
                new = scope["derive"](*[self.thing(need) for need in needs])
                if loops:
                    new = {**keyed(self.facts[head]), **new}
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
            case "one":
                return by_key(self.facts[name], places)
            case "index":
                return indexed(self.facts[name], places)
            case "keys":
                made = self.made[name]
                index = made.get(("one", name, places)) or made.get(("index", name, places))
                return index or keys(self.facts[name], places)
            case "values":
                made = self.made[name]
                index = made.get(("one", name, places)) or made.get(("index", name, places))
                return index or dict.fromkeys(map(itemgetter(*places), self.facts[name]))
            case "range":
                return between(self.thing(("index", name, places[0])), places[1], places[2])
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


def keyed(rows: Collection[Row]) -> dict[Row, None]:
    """Rows as the keys of a dictionary, which is a set that remembers an order: that in which rows were
    made, and so lie in memory."""
    return rows if isinstance(rows, dict) else dict.fromkeys(rows)


def indexed(rows: Collection[Row], places: Sequence[int]) -> Index:
    """Rows by the values at some places: the value itself for one, a tuple for several."""
    index: dict[object, list[Row]] = {}
    add = index.setdefault
    if not places:
        index[()] = list(rows)
    elif len(places) == 1:
        (place,) = places
        for row in rows:
            add(row[place], []).append(row)
    elif len(places) == 2:
        one, two = places
        for row in rows:
            add((row[one], row[two]), []).append(row)
    else:
        for key, row in zip(map(itemgetter(*places), rows), rows, strict=True):
            add(key, []).append(row)
    return index


FEW = 16
"""So many rows are gone through faster than they are searched."""


def by_key(rows: Collection[Row], places: Sequence[int]) -> Mapping[object, Sequence[Row]]:
    """An index by values that no two rows are thought to share, which is made in half the time."""
    index = dict(zip(map(itemgetter(*places), rows), zip(rows, strict=True), strict=True))
    return index if len(index) == len(rows) else indexed(rows, places)


def between(index: Index, below: int | None, above: int | None) -> Callable[..., Collection[Row]]:
    """A function of a key and two bounds: at least those rows of the key whose value at `below` is not
    above the upper bound and whose value at `above` is not below the lower one. Unknowns are between."""
    prepared: dict[object, tuple[list[Row], list[Any], list[Any], list[Row]]] = {}
    places = [place for place in (below, above) if place is not None]

    first, last = places[0], places[-1]

    def prepare(rows: Sequence[Row]) -> tuple[list[Row], list[Any], list[Any], list[Row]]:
        vague = [row for row in rows if row[first] is None or row[last] is None]
        clear = [row for row in rows if row[first] is not None and row[last] is not None] if vague else rows
        known = sorted(clear, key=itemgetter(first))
        firsts: list[Any] = [row[first] for row in known]
        lasts: list[Any] = [row[last] for row in known]
        return known, firsts, list(accumulate(lasts, max)), vague

    def find(key: object, upper: Value, lower: Value) -> Collection[Row]:
        rows = index.get(key, ())
        if len(rows) < FEW:
            return rows
        if key not in prepared:
            prepared[key] = prepare(rows)
        known, firsts, highest, vague = prepared[key]
        start = 0 if above is None or lower is None else bisect_left(highest, lower)
        end = len(known) if below is None or upper is None else bisect_right(firsts, upper)
        return known[start:end] + vague

    return find


def keys(rows: Collection[Row], places: Sequence[Any]) -> Collection[Any]:
    """The different values at some places, as an index has them."""
    if rows and len(next(iter(rows))) == len(places) > 1:
        return keyed(rows)
    return set(map(itemgetter(*places), rows))


def may(index: Index, rows: Collection[Row], value: Value) -> Collection[Row]:
    """The rows that may have a value: those that have it, and those where it is unknown."""
    if value is None:
        return rows
    unknown = index.get(None)
    found = index.get(value, [])
    return found + unknown if unknown else found
