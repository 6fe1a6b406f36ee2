"""A witness made small: rows and values that it does not need are taken out, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from policycheck.records.model import RecordModel
from policycheck.review.near import changed, without
from policycheck.review.scenes import later
from policycheck.review.sides import Records

Holds = Callable[[Records], bool]

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
