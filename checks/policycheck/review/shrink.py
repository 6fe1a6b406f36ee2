"""A witness made small: rows and values that it does not need are taken out, one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from policycheck_engine.values import NEVER_DATE

from policycheck.records.model import RecordModel
from policycheck.review.near import changed, without
from policycheck.review.scenes import later
from policycheck.review.sides import Records

Holds = Callable[[Records], bool]

NEAR = 45
"""So many days around the term are near it."""

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

LOOKING_BACK, LOOKING_ON = 7, 35
"""Days of a calendar that are kept before the first and after the last date of a witness."""


def shrunk(
    records: Records,
    holds: Holds,
    model: RecordModel,
    fields: Mapping[str, set[str]],
    defaults: Mapping[str, Mapping[str, Any]],
    late: Callable[[], bool],
) -> Records:
    """The smallest records near these that are still a witness, as far as there is time for it."""
    frame = {f["relation"] for f in (model.frame.school, model.frame.term) if f}
    calendars = {c.relation for c in model.calendars.values()}
    bulky = frame | calendars
    records = fewer_rows(records, holds, [n for n in records if n not in bulky], late)
    records = bare(records, holds, model, fields)
    records = usual(records, holds, model, fields, defaults, late)
    records = renamed(records, holds, model, bulky, defaults, late)
    for _ in range(2):  # a day may be in the way of another
        records = near_term(records, holds, model, bulky, late)
    for name in calendars & set(records):
        records = shorter(records, holds, model, name, frame, late)
    if model.frame.term:
        records = fewer_rows(records, holds, [model.frame.term["relation"]], late)
    return records


def fewer_rows(records: Records, holds: Holds, names: Iterable[str], late: Callable[[], bool]) -> Records:
    """Rows taken out: half of a relation first, then one by one, until none can go."""
    names = list(names)
    for name in names:
        for part in (slice(0, 0), slice(0, len(records[name]) // 2), slice(len(records[name]) // 2, None)):
            smaller = {**records, name: records[name][part]}
            if len(smaller[name]) < len(records[name]) and not late() and holds(smaller):
                records = smaller
                break
    gone = True
    while gone:
        gone = False
        for name in names:
            for i in reversed(range(len(records[name]))):
                if late():
                    return records
                smaller = without(records, name, i)
                if holds(smaller):
                    records, gone = smaller, True
    return records


def bare(records: Records, holds: Holds, model: RecordModel, fields: Mapping[str, set[str]]) -> Records:
    """Only the fields that are read, that make up the key, or that have to be given."""
    out: Records = {}
    for name, rows in records.items():
        relation = model.relations[name]
        kept = {*relation.key, *fields.get(name, ()), *(relation.span or ()), *(relation.in_order or ())}
        kept |= {f.name for f in relation.fields.values() if f.missing == "required"}
        out[name] = [{f: row[f] for f in relation.fields if f in row and f in kept} for row in rows]
    return out if holds(out) else records


def usual(
    records: Records,
    holds: Holds,
    model: RecordModel,
    fields: Mapping[str, set[str]],
    defaults: Mapping[str, Mapping[str, Any]],
    late: Callable[[], bool],
) -> Records:
    """Values as the scene usually has them, where that changes nothing."""
    for name in records:
        plain = defaults.get(name, {})
        for i in range(len(records[name])):
            for f in fields.get(name, ()):
                row = records[name][i]
                if f in plain and f in row and row[f] != plain[f] and f not in model.relations[name].key:
                    if late():
                        return records
                    other = changed(records, name, i, {f: plain[f]})
                    if holds(other):
                        records = other
    return records


def renamed(
    records: Records,
    holds: Holds,
    model: RecordModel,
    frame: set[str],
    defaults: Mapping[str, Mapping[str, Any]],
    late: Callable[[], bool],
) -> Records:
    """Free texts that were borrowed from elsewhere, such as a school year for a code, as their field usually
    has them; wherever the same text stands at once, since they may have to agree."""
    borrowed = {value for name in frame for row in records.get(name, ()) for value in row.values()}
    places: dict[str, list[tuple[str, int, str]]] = {}
    for name in sorted(set(records) - frame):
        for i, row in enumerate(records[name]):
            for f in model.relations[name].fields.values():
                value = row.get(f.name)
                free = f.type == "text" and not f.one_of and f.to is None and not model.domain(name, f.name)
                odd = value in borrowed or value in model.relations or DATE.match(str(value))
                if free and isinstance(value, str) and odd:
                    places.setdefault(value, []).append((name, i, f.name))
    for spots in places.values():
        plain = (defaults.get(name, {}).get(f) for name, _, f in spots)
        for text in [*(p for p in plain if isinstance(p, str) and p), f"{spots[0][2].replace('_', ' ')} 1"]:
            other = records
            for name, i, place in spots:
                other = changed(other, name, i, {place: text})
            if late():
                return records
            if holds(other):
                records = other
                break
    return records


def near_term(
    records: Records, holds: Holds, model: RecordModel, frame: set[str], late: Callable[[], bool]
) -> Records:
    """Dates long before the term or long after it moved to another day of their row, or to its first day."""
    if not model.frame.term:
        return records
    terms = records.get(model.frame.term["relation"], ())
    if not terms:
        return records
    starts, ends = model.frame.term["starts"], model.frame.term["ends"]
    term = max(terms, key=lambda t: str(t[starts]))
    first = str(term[starts])
    soon, done = later(first, -NEAR), later(term[ends] or first, NEAR)
    for name in sorted(set(records) - frame):
        moments = [f for f in model.relations[name].fields.values() if f.type in ("date", "datetime")]
        for i in range(len(records[name])):
            for f in moments:
                row = records[name][i]
                days = [str(row[m.name])[:10] for m in moments if row.get(m.name) is not None]
                value = row.get(f.name)
                if not isinstance(value, str) or soon <= value[:10] <= done or value.startswith(NEVER_DATE):
                    continue
                for day in dict.fromkeys([*(d for d in days if soon <= d <= done), first]):
                    other = changed(records, name, i, {f.name: day + value[10:]})
                    if late():
                        return records
                    if holds(other):
                        records = other
                        break
    return records


def shorter(
    records: Records, holds: Holds, model: RecordModel, name: str, frame: set[str], late: Callable[[], bool]
) -> Records:
    """The days of a calendar around the dates of the other records alone, or all that there are."""
    dates = [
        str(row[f.name])[:10]
        for other, rows in records.items()
        if other != name and other not in frame
        for f in model.relations[other].fields.values()
        if f.type in ("date", "datetime")
        for row in rows
        if row.get(f.name) is not None
    ]
    column = next(c.field for c in model.calendars.values() if c.relation == name)
    tries = [("9999", "0001")]
    if dates:
        tries.append((later(min(dates), -LOOKING_BACK), later(max(dates), LOOKING_ON)))
    for first, last in tries:
        smaller = {**records, name: [r for r in records[name] if first <= str(r[column]) <= last]}
        if len(smaller[name]) < len(records[name]) and not late() and holds(smaller):
            return smaller
    return records
