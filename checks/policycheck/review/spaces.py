"""All small records as a space for the solver: rows that may be there, and the values they may have.

The frame and the calendars are those of the scene. Of every other relation that matters there may be up to
so many rows. Values are those that rules can tell apart: the words of the record model and of the rules, ids
of rows, days from a year before all dates that are named to a year after, numbers about those that are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from policycheck_engine import NEVER, NONE, Program, Row, Value
from policycheck_engine.symbolic.space import InOrder, Open, Refers, Slot, Space
from policycheck_engine.values import NEVER_DATE

from policycheck.records.model import Field, RecordModel, RelationModel
from policycheck.review.scenes import frame_relations, later
from policycheck.review.sides import Records, small
from policycheck.review.words import LOOSE, words

YEAR = 370
FAR_OFF = 800
"""Days that sums of days may reach beyond the days that records have."""

SPARE = 2
"""Values of a free text that no rule names."""


class Spaces:
    """The spaces of records that matter to some programs, with more and more rows."""

    def __init__(
        self,
        model: RecordModel,
        fields: Mapping[str, set[str]],
        scene: Records,
        programs: Iterable[Program],
        defaults: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.model, self.scene, self.defaults = model, scene, defaults
        programs = list(programs)
        self.fixed = {c.relation for c in model.calendars.values()} | frame_relations(model)
        self.fixed &= set(scene)
        self.free = sorted(set(fields) - self.fixed)
        self.words = words(programs)
        self.fields = {name: self.open_fields(model.relations[name], fields[name]) for name in self.free}
        self.domains = sorted({*self.free, *self.named_domains()} - self.fixed)
        self.prefixes = dict(zip(self.domains, short_names(self.domains), strict=True))
        self.first, self.last = self.window()

    def window(self) -> tuple[str, str]:
        """The first and last day that records may have."""
        days = {d[:10] for d in self.words.days if not d.startswith(NEVER_DATE)}
        for name in self.fixed:
            for f in self.model.relations[name].fields.values():
                if f.type in ("date", "datetime"):
                    days |= {str(r[f.name])[:10] for r in self.scene[name] if r.get(f.name)}
        days = {d for d in days if "1900" < d < "2200"} or {"2021-04-19"}
        return str(later(min(days), -YEAR)), str(later(max(days), YEAR))

    @property
    def reach(self) -> tuple[str, str]:
        """The first and last day that rules may come to from there."""
        return str(later(self.first, -FAR_OFF)), str(later(self.last, FAR_OFF))

    def named_domains(self) -> Iterator[str]:
        """What the ids in open fields are ids of."""
        for name, fields in self.fields.items():
            for f in fields:
                domain = self.model.domain(name, f)
                if domain is not None:
                    yield domain

    def open_fields(self, relation: RelationModel, read: set[str]) -> list[str]:
        """The fields whose values are open: those that are read, and those that must fit others."""
        kept = {*relation.key, *(f for f in read if f in relation.fields)}
        for pair in (relation.span, relation.in_order):
            if pair and set(pair) & kept:
                kept |= set(pair)
        there = {*self.free, *self.fixed}
        for f in relation.fields.values():
            if f.to is not None and f.missing == "required" and f.to.partition(".")[0] in there:
                kept.add(f.name)
        return [f for f in relation.fields if f in kept]

    # One space

    def space(self, most: int, gaps: bool, widths: Mapping[str, int] | None = None) -> Space:
        """Up to so many rows of each relation, or as many as `widths` says; with `gaps`, fields may be
        unknown where they can be."""
        slots: list[Slot] = []
        alike: list[tuple[int, ...]] = []
        self.rows = {name: max(most, (widths or {}).get(name, 0)) for name in self.free}
        self.spare = most
        for name in self.free:
            rows = self.rows[name]
            ids = [*self.ids(name, rows), *self.named(name)] if self.has_id(name) else [""] * rows
            alike.append(tuple(range(len(slots), len(slots) + rows)))
            slots += [self.slot(name, id_, gaps) for id_ in ids]
        relations = [self.model.relations[name] for name in self.free]
        return Space(
            rows={name: self.fixed_rows(name) for name in self.fixed},
            slots=tuple(slots),
            keys={r.name: places(r, r.key) for r in relations if r.key and not self.has_id(r.name)},
            refers=tuple(x for r in relations for x in self.references(r)),
            ordered=tuple(x for r in relations for x in self.orders(r)),
            alike=tuple(alike),
        )

    def has_id(self, name: str) -> bool:
        """Whether the rows of a relation have ids of their own."""
        relation = self.model.relations[name]
        if len(relation.key) != 1:
            return False
        f = relation.fields[relation.key[0]]
        return f.type == "text" and f.to is None and not f.one_of

    def ids(self, name: str, rows: int) -> list[str]:
        return [f"{self.prefixes[name]}{i + 1}" for i in range(rows)]

    def named(self, name: str) -> list[str]:
        """The ids of rows that the rules name."""
        return sorted(self.words.texts.get(name, set()) - {""})

    def slot(self, name: str, id_: str, gaps: bool) -> Slot:
        relation = self.model.relations[name]
        values: list[Value | Open] = []
        for f in relation.fields.values():
            if self.has_id(name) and f.name == relation.key[0]:
                values.append(id_)
            elif f.name in self.fields[name]:
                values.append(self.value(relation, f, gaps))
            else:
                values.append(None)
        return Slot(name, tuple(values))

    def value(self, relation: RelationModel, f: Field, gaps: bool) -> Open:
        """What a field may hold."""
        gap = gaps and f.missing in ("unknown", "blank")
        nothing: tuple[Value, ...] = ()
        if f.missing in ("none", "never", "blank") and f.type in NONE:
            nothing = (NEVER[f.type] if f.missing == "never" else NONE[f.type],)
        if f.type == "bool":
            return Open("bool", (True, False), gap=gap)
        if f.type == "text":
            texts = tuple(self.texts(relation, f))
            return Open("text", tuple(dict.fromkeys((*texts, *nothing))), gap=gap)
        return Open(f.type, nothing, self.spans(f), gap)

    def texts(self, relation: RelationModel, f: Field) -> Iterator[str]:
        """The texts that a field may hold."""
        domain = self.model.domain(relation.name, f.name)
        if f.one_of:
            yield from f.one_of
        elif domain is not None and domain in self.fixed:
            key = self.model.relations[domain].key[0]
            yield from (str(row[key]) for row in self.scene[domain])
        elif domain is not None:
            yield from (*self.named(domain), *self.ids(domain, self.rows.get(domain, self.spare + 1)))
        else:
            target, _, aim = (f.to or "").partition(".")
            if aim and target in self.free:
                other = self.model.relations[target]
                yield from self.texts(other, other.fields[aim])
            else:
                yield from self.free_texts(relation, f)

    def free_texts(self, relation: RelationModel, f: Field) -> Iterator[str]:
        """Texts that a rule names, texts of the frame, ids of whatever it may refer to, and some others."""
        for kind in ((relation.name, f.name), LOOSE):
            yield from sorted(self.words.texts.get(kind, ()))
        yield from self.fixed_texts()
        if f.name in relation.key or f.name.endswith("_id"):
            for other in self.domains:
                if self.has_id(other):
                    yield from (*self.named(other), *self.ids(other, self.rows.get(other, self.spare)))
        yield from (f"{f.name} {i + 1}" for i in range(max(SPARE, self.rows[relation.name])))
        if self.words.blanks and f.to is None:
            yield ""

    def fixed_texts(self) -> Iterator[str]:
        """The free texts of the frame and the calendars, such as the school year."""
        for name in sorted(self.fixed):
            for f in self.model.relations[name].fields.values():
                if f.type == "text" and not f.one_of and self.model.domain(name, f.name) is None:
                    yield from sorted({str(r[f.name]) for r in self.scene[name] if r.get(f.name)})

    def spans(self, f: Field) -> tuple[tuple[Value, Value], ...]:
        """The span of values that a number or a moment may have."""
        if f.type == "time":
            return (("00:00:00", "23:59:00"),)
        if f.type == "datetime":
            return ((f"{self.first}T00:00:00", f"{self.last}T23:59:00"),)
        if f.type == "date":
            if f.to is not None and f.to.partition(".")[0] in self.fixed:
                return tuple(self.runs(f.to))
            return ((self.first, self.last),)
        low = min([0.0, *self.words.numbers]) - 2
        high = max([1.0, *self.words.numbers]) * 2 + 10
        low = low if f.minimum is None else max(low, f.minimum)
        high = high if f.maximum is None else max(low, min(high, f.maximum))
        return ((int(low), int(high)),) if f.type == "int" else ((float(low), float(high)),)

    def runs(self, to: str) -> Iterator[tuple[str, str]]:
        """The days of a fixed relation, as spans of days in a row."""
        target, _, name = to.partition(".")
        name = name or self.model.relations[target].key[0]
        days = sorted(str(row[name]) for row in self.scene[target])
        first: str | None = None
        for day, following in zip(days, [*days[1:], None], strict=True):
            first = first or day
            if following is None or later(day, 1) != following:
                yield first, day
                first = None

    def references(self, relation: RelationModel) -> Iterator[Refers]:
        names = list(relation.fields)
        for name in self.fields[relation.name]:
            f = relation.fields[name]
            if f.to is None or (f.type == "date" and f.to.partition(".")[0] in self.fixed):
                continue
            target, _, aim = f.to.partition(".")
            if target in self.free or target in self.fixed:
                other = self.model.relations[target]
                nothing = NONE.get(f.type) if f.missing in ("none", "never", "blank") else None
                place = list(other.fields).index(aim or other.key[0])
                yield Refers(relation.name, names.index(name), target, place, nothing)

    def orders(self, relation: RelationModel) -> Iterator[InOrder]:
        for pair, touching in ((relation.span, True), (relation.in_order, False)):
            if pair and set(pair) <= set(self.fields[relation.name]):
                first, second = places(relation, pair)
                yield InOrder(relation.name, first, second, touching)

    def fixed_rows(self, name: str) -> list[Row]:
        """The rows of the frame and the calendars, as the tables have them."""
        made = small({name: self.scene[name]}, self.model)
        assert made is not None, f"`{name}` of the scene is sound"
        return made.tables[name].rows

    # From rows to records

    def records(self, rows: Mapping[str, list[Row]]) -> Records:
        """The rows of a solution as a term file."""
        out: Records = {name: [dict(r) for r in self.scene[name]] for name in self.fixed}
        for name in self.free:
            relation = self.model.relations[name]
            out[name] = [
                self.completed(relation, dict(zip(relation.fields, row, strict=True)))
                for row in rows.get(name, ())
            ]
        return out

    def completed(self, relation: RelationModel, row: Mapping[str, Value]) -> dict[str, Any]:
        """A row as JSON would have it, with the usual values in the fields that do not matter."""
        usual = {**next(iter(self.scene.get(relation.name, ())), {}), **self.defaults.get(relation.name, {})}
        out: dict[str, Any] = {}
        for f in relation.fields.values():
            if f.name in self.fields[relation.name]:
                value = row[f.name]
                none = f.missing in ("none", "never", "blank") and value in (
                    NONE.get(f.type),
                    NEVER.get(f.type),
                )
                out[f.name] = None if none else value
            elif f.missing == "required":
                out[f.name] = usual.get(f.name, self.anything(f))
        return out

    def anything(self, f: Field) -> Value:
        """Some value of a field that nothing looks at."""
        if f.one_of:
            return f.one_of[0]
        some: dict[str, Value] = {"text": f.name, "bool": False, "time": "09:00:00", "date": self.first}
        some |= {"datetime": f"{self.first}T09:00:00", "int": 1, "decimal": 1.0}
        return some[f.type]


def places(relation: RelationModel, names: Iterable[str]) -> tuple[int, ...]:
    """The positions of fields."""
    return tuple(list(relation.fields).index(name) for name in names)


def short_names(names: list[str]) -> list[str]:
    """Capital letters for relations, as few as tell them apart."""
    out: list[str] = []
    for name in names:
        plain = name.replace("_", "").upper()
        out.append(next(plain[:n] for n in range(1, len(plain) + 1) if plain[:n] not in out))
    return out
