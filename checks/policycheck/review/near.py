"""Records near given ones: one value changed, a row taken out or put in, one row many times.

The values tried are those at which rules change their minds: the figures in the programs and those beside
them, the dates on file and those so many days away, the words of an enumeration, and nothing at all.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from msgspec import Struct, field
from policycheck_engine import Const, Literal, Member, Program, Value
from policycheck_engine.program import Call, Term, terms, walk

from policycheck.records.model import Field, RecordModel
from policycheck.review.scenes import later
from policycheck.review.sides import Records

SO_MANY = (1, 2, 3, 4, 9, 19)
"""How many times more a row is tried."""


class Figures(Struct):
    """The constants of programs: numbers, dates and words; those that only one version has come first."""

    numbers: list[int | float] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def figures(old: Program | None, new: Program | None) -> Figures:
    """What the two programs compare with."""
    one = {*constants(old)} if old else set()
    two = {*constants(new)} if new else set()
    out = Figures()
    for values in (sorted(one ^ two, key=str), sorted(one & two, key=str)):
        for kind, value in values:
            if kind == "number" and not isinstance(value, str | None):
                out.numbers.append(value)
            elif isinstance(value, str):
                (out.dates if value[:4].isdigit() and value[4:5] == "-" else out.words).append(value)
    return out


def constants(program: Program) -> Iterator[tuple[str, Value]]:
    """Every constant, with what it is: 1 and true are not the same."""
    for rule in program.rules:
        for literal in walk(rule.body):
            for value in constants_of(literal):
                kind = "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
                yield kind, value


def constants_of(literal: Literal) -> Iterator[Value]:
    if isinstance(literal, Member):
        yield from (v.value for v in literal.values)
    for term in terms(literal):
        yield from constants_in(term)


def constants_in(term: Term) -> Iterator[Value]:
    if isinstance(term, Const):
        yield term.value
    elif isinstance(term, Call):
        for arg in term.args:
            yield from constants_in(arg)


class Near:
    """Changes to records of one model, with the fields that matter."""

    def __init__(
        self, model: RecordModel, fields: Mapping[str, set[str]], known: Figures, fixed: set[str]
    ) -> None:
        self.model, self.known, self.fixed = model, known, fixed
        self.fields = {name: sorted(names) for name, names in fields.items() if name not in fixed}

    def steps(self, records: Records, before: Records) -> Iterator[Records]:
        """Records one change away; the rows that are not in `before` are changed first."""
        places = [(name, i) for name in self.fields for i in range(len(records.get(name, ())))]
        spots = [(name, i) for name, i in places if records[name][i] not in before.get(name, ())]
        others = [place for place in places if place not in spots]
        for name, i in (*spots, *others):
            yield from self.valued(records, name, i)
        for name, i in (*spots, *others):
            yield without(records, name, i)
        for name, i in (*spots, *others):
            yield self.more(records, name, i, 1)
        for name in self.fields:
            if name in records:
                yield {n: rows for n, rows in records.items() if n != name}
        for n in SO_MANY[1:]:
            for name, i in spots:
                yield self.more(records, name, i, n)

    def strolls(self, starts: Sequence[Records], before: Records) -> Iterator[Records]:
        """Records several changes away, at random but the same in every run."""
        chance = random.Random(0)
        while starts:
            records = chance.choice(starts)
            for _ in range(chance.choice((2, 2, 3))):
                records = self.one(records, before, chance)
            yield records

    def one(self, records: Records, before: Records, chance: random.Random) -> Records:
        spots = [(name, i) for name in self.fields for i in range(len(records.get(name, ())))]
        fresh = [(name, i) for name, i in spots if records[name][i] not in before.get(name, ())]
        if not spots:
            return records
        name, i = chance.choice(fresh if fresh and chance.random() < 0.8 else spots)
        kind = chance.random()
        if kind < 0.1:
            return without(records, name, i)
        if kind < 0.3:
            return self.more(records, name, i, chance.choice(SO_MANY))
        fields = [f for f in self.fields[name] if f not in self.model.relations[name].key[:1]]
        if not fields:
            return records
        f = self.model.relations[name].fields[chance.choice(fields)]
        values = list(self.values(f, records[name][i].get(f.name), records))
        return changed(records, name, i, {f.name: chance.choice(values)}) if values else records

    def valued(self, records: Records, name: str, i: int) -> Iterator[Records]:
        relation = self.model.relations[name]
        for field_name in self.fields[name]:
            if (field_name,) != relation.key:
                f = relation.fields[field_name]
                for value in self.values(f, records[name][i].get(field_name), records):
                    yield changed(records, name, i, {field_name: value})

    def values(self, f: Field, now: Any, records: Records) -> Iterator[Any]:
        """What a field might hold instead."""
        for value in dict.fromkeys(self.candidates(f, now, records)):
            if value != now or isinstance(value, bool) is not isinstance(now, bool):
                yield value

    def candidates(self, f: Field, now: Any, records: Records) -> Iterator[Any]:
        if f.type == "bool":
            yield from (True, False)
        elif f.one_of:
            yield from f.one_of
        elif f.type in ("int", "decimal"):
            step = 1 if f.type == "int" else 0.01
            for number in self.known.numbers:
                for value in (number - step, number, number + step):
                    if f.type == "decimal" or value == int(value):
                        value = round(value, 6) if f.type == "decimal" else int(value)
                        if not (f.minimum is not None and value < f.minimum):
                            yield value
        elif f.type in ("date", "datetime"):
            yield from self.moments(f, now)
        elif f.to is not None:
            target, _, key = f.to.partition(".")
            key = key or self.model.relations[target].key[0]
            yield from (row[key] for row in records.get(target, ()) if key in row)
        else:
            yield from self.known.words
        if f.missing != "required":
            yield None

    def moments(self, f: Field, now: Any) -> Iterator[Any]:
        here = str(now)[:10] if isinstance(now, str) else None
        clock = str(now)[10:] if isinstance(now, str) else "T09:00"
        for day in [*([here] if here else []), *self.known.dates]:
            for n in (0, 1, *(int(x) for x in self.known.numbers if 0 < x < 100)):
                for shift in dict.fromkeys(
                    (n, n + 1, n - 1, -n, -n - 1, 1 - n, 7 * n, 7 * n + 1, -7 * n - 1)
                ):
                    moved = str(later(day, shift))[:10]
                    yield moved if f.type == "date" else moved + clock

    def more(self, records: Records, name: str, i: int, number: int) -> Records:
        """A row so many times more, each with a key of its own, and with the rows that hang on it."""
        out = dict(records)
        for n in range(number):
            self.copied(out, name, records[name][i], f"-{len(out[name]) + n}", records)
        return out

    def on_other_days(self, records: Records, name: str, i: int, number: int) -> Records:
        """The same, but each on a day of its own, a later one of the calendar that the records have."""
        row = records[name][i]
        moments = [
            f.name for f in self.model.relations[name].fields.values() if f.type in ("date", "datetime")
        ]
        day = next((str(row[f])[:10] for f in moments if row.get(f)), None)
        if day is None:
            return self.more(records, name, i, number)
        open_ = (str(r[c.field]) for c in self.model.calendars.values() for r in records.get(c.relation, ()))
        days = sorted({d for d in open_ if d > day}) or [str(later(day, n + 1)) for n in range(number)]
        out = dict(records)
        for n, other in enumerate(days[:number]):
            self.copied(out, name, row, f"-{len(out[name]) + n}", records, apart(day, other))
        return out

    def copied(
        self,
        out: Records,
        name: str,
        row: Mapping[str, Any],
        mark: str,
        records: Records,
        days: int = 0,
    ) -> None:
        """Put in a copy of a row, so many days later, and copies of the rows that hang on it."""
        kinds = self.model.relations[name].fields
        row = {k: later(v, days) if kinds[k].type in ("date", "datetime") else v for k, v in row.items()}
        key = self.model.relations[name].key
        fields = self.model.relations[name].fields
        own = [k for k in key if fields[k].to is None and fields[k].type == "text"] or list(key[-1:])
        if fields[own[0]].type != "text":
            out[name] = [*out[name], {**row, own[0]: later(row.get(own[0]), 7)}]
            return
        new = {**row, own[0]: f"{row[own[0]]}{mark}"} if own[0] in row else dict(row)
        out[name] = [*out[name], new]
        if len(key) != 1:
            return
        for other, relation in self.model.relations.items():
            links = [f.name for f in relation.fields.values() if f.to == name and other in self.fields]
            if other == name or not links:
                continue
            for child in records.get(other, ()):
                hit = [link for link in links if child.get(link) == row[own[0]]]
                if hit:
                    linked = {**child, **dict.fromkeys(hit, new[own[0]])}
                    self.copied(out, other, linked, mark, records, days)


def apart(day: str, other: str) -> int:
    """So many days from one to the other."""
    return (dt.date.fromisoformat(other) - dt.date.fromisoformat(day)).days


def changed(records: Records, name: str, i: int, values: Mapping[str, Any]) -> Records:
    """The records with other values in one row."""
    rows = list(records[name])
    rows[i] = {**rows[i], **deepcopy(dict(values))}
    return {**records, name: rows}


def without(records: Records, name: str, i: int) -> Records:
    """The records without one row."""
    return {**records, name: records[name][:i] + records[name][i + 1 :]}
