"""Whether records are right: types, known fields, keys, references, spans. All problems at once.

Whole columns are looked at first, since nearly all of them are right; only a column that is not is gone
through value by value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import le, lt
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from policycheck_engine import NEVER, Relation, Row, Type, Value, canonical, nearest

from policycheck.errors import Problem
from policycheck.messages import MONTHS
from policycheck.records.model import Field, RecordModel, RelationModel
from policycheck.records.read import Pools, Raw, RawTable

SHOWN = 3
"""How many places of one kind of problem are shown before the rest is counted."""


class Table(Struct):
    """The rows of one relation, canonical, in the order of the model's fields.

    `doubtful` are rows that were left out because something about them is wrong; what is wrong is unknown.
    """

    relation: Relation
    source: str
    rows: list[Row]
    places: Callable[[int], str]
    doubtful: list[Row] = field(default_factory=list)


Tables = dict[str, Table]
Columns = Mapping[str, Mapping[str, Sequence[Value]]]
"""The columns of each relation by field."""


class Findings:
    """Problems of one kind in one field, gathered by row, so that thousands become one."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
        self.bad: dict[str, set[int]] = {}
        self.bad_fields: dict[tuple[str, int], set[str]] = {}
        self.lost: dict[tuple[str, str], set[str]] = {}
        self.respelled: dict[Type, Mapping[Any, Value] | None] = {}
        self.there: dict[tuple[str, str], set[Value]] = {}

    def values(self, columns: Columns, at: tuple[str, str]) -> set[Value]:
        """The different values of a relation's field, gathered once."""
        if at not in self.there:
            self.there[at] = set(columns[at[0]][at[1]])
        return self.there[at]

    def add(self, table: RawTable, row: int, name: str, code: str, message: str, help_: str) -> None:
        """Something is wrong with one field of one row, unless the row was already told of."""
        if row in table.bad:
            return
        where = table.place(row)
        place = f"{where}/{name}" if where.startswith("/") else f"{where}, {name}"
        key = (table.source, f"{table.relation}.{name}", code)
        self.groups.setdefault(key, []).append((place if name else where, message, help_))
        self.bad.setdefault(table.relation, set()).add(row)
        self.bad_fields.setdefault((table.relation, row), set()).add(name)

    def add_to_source(self, table: RawTable, where: str, code: str, message: str, help_: str) -> None:
        """Something is wrong with a source as a whole."""
        self.groups.setdefault((table.source, where, code), []).append((where, message, help_))

    def problems(self) -> list[Problem]:
        """One problem for each place, or for the first few places and a count."""
        out = []
        for (source, _, code), places in self.groups.items():
            shown = places if len(places) <= SHOWN + 1 else places[:SHOWN]
            out += [Problem(source, where, code, message, help_) for where, message, help_ in shown]
            if len(places) > len(shown):
                more = len(places) - len(shown)
                message = f"and {more:,} more of the same kind, up to {places[-1][0]}"
                out.append(Problem(source, places[-1][0], code, message))
        return out


def check_records(raw: Raw, model: RecordModel) -> tuple[Tables, list[Problem]]:
    """The tables of the records, every relation of the model among them, and all that is wrong.

    Rows with something wrong are not in the tables; they are kept as doubtful.
    """
    found = Findings()
    for name, table in raw.items():
        for i in table.bad:
            found.bad.setdefault(name, set()).add(i)
            found.bad_fields.setdefault((name, i), set()).add("")
    columns = {name: check_fields(table, model, found) for name, table in raw.items()}
    for name, table in raw.items():
        check_key(table, model.relations[name], columns, found)
        check_references(table, model, columns, found)
        check_spans(table, model.relations[name], columns[name], found)
    tables = {}
    for name, relation in model.relations.items():
        if name in raw:
            tables[name] = build_table(raw[name], relation, columns[name], model, found)
        else:
            tables[name] = missing_table(relation, model)
    return tables, found.problems()


def missing_table(relation: RelationModel, model: RecordModel) -> Table:
    """The table of a relation that the input does not have."""
    missing = relation.absent == "unknown"
    columns = tuple(model.column(relation.name, f, missing) for f in relation.fields)
    return Table(Relation(relation.name, columns, missing=missing), "", [], str)


def build_table(
    raw: RawTable,
    relation: RelationModel,
    columns: Mapping[str, Sequence[Value]],
    model: RecordModel,
    found: Findings,
) -> Table:
    """The good rows as they are, and the others as doubtful, with what is wrong in them unknown."""
    bad = found.bad.get(relation.name, set())
    rows: list[Row] = list(zip(*columns.values(), strict=True)) if columns else []
    doubtful: list[Row] = []
    places = raw.place
    if bad:
        names = list(columns)
        for i in sorted(bad):
            wrong = found.bad_fields[relation.name, i]
            doubtful.append(
                tuple(None if n in wrong or "" in wrong else v for n, v in zip(names, rows[i], strict=True))
            )
        kept = [i for i in range(len(rows)) if i not in bad]
        rows = [rows[i] for i in kept]
        places = _renumbered(raw.place, kept)
    made = tuple(
        model.column(
            relation.name, f.name, bool(bad) or (f.missing != "required" and None in columns[f.name])
        )
        for f in relation.fields.values()
    )
    return Table(Relation(relation.name, made, doubtful=bool(bad)), raw.source, rows, places, doubtful)


def without_rows(table: Table, wrong: set[int]) -> Table:
    """The table with some of its rows doubtful: nothing about them is known but their number."""
    kept = [i for i in range(len(table.rows)) if i not in wrong]
    blank: Row = (None,) * len(table.relation.columns)
    columns = tuple(replace(c, unknown=True) for c in table.relation.columns)
    return Table(
        replace(table.relation, columns=columns, doubtful=True),
        table.source,
        [table.rows[i] for i in kept],
        _renumbered(table.places, kept),
        [*table.doubtful, *(blank for _ in wrong)],
    )


def _renumbered(place: Callable[[int], str], kept: Sequence[int]) -> Callable[[int], str]:
    return lambda i: place(kept[i])


def check_fields(table: RawTable, model: RecordModel, found: Findings) -> dict[str, Sequence[Value]]:
    """The columns of a table in canonical values; what is wrong is unknown there."""
    rows, relation = table.rows, model.relations[table.relation]
    if table.columns is not None and table.kept is not None:
        return {
            name: check_column(
                table.columns[name], f, name in table.kept, (name,) == relation.key, table, found
            )
            for name, f in relation.fields.items()
        }
    names = set().union(*rows) if rows else set(table.kept or ())
    nested = {c.nested.name for c in model.children.get(relation.name, ()) if c.nested}
    for name in sorted(names - set(relation.fields) - nested, key=str):
        hint = nearest(str(name), relation.fields)
        message = f"`{table.relation}` has no field `{name}`"
        if table.kept is not None:
            found.add_to_source(table, f"heading {name}", "unknown-field", message, hint)
            continue
        for i, row in enumerate(rows):
            if name in row:
                found.add(table, i, str(name), "unknown-field", message, hint)
    kept = names if table.kept is None else set(table.kept)
    return {
        name: check_column(
            [row.get(name) for row in rows], f, name in kept, (name,) == relation.key, table, found
        )
        for name, f in relation.fields.items()
    }


def check_column(
    column: Sequence[Any], f: Field, kept: bool, key: bool, table: RawTable, found: Findings
) -> Sequence[Value]:
    """A column in canonical values."""
    if (table.pools is None or f.missing != "required") and None in column:
        column = missing_values(column, f, kept, key, table, found)
    right = right_column(column, f, table.pools, found)
    if right is not None:
        return right
    out = list(column)
    known: dict[Any, Value] = {}
    for i, value in enumerate(out):
        if value is None:
            continue
        if value == f.nothing:
            out[i] = f.nothing
            continue
        try:
            if value not in known:
                known[value] = checked(value, f)
            out[i] = known[value]
        except (ValueError, TypeError) as error:
            out[i] = None
            found.lost.setdefault((table.relation, f.name), set()).add(str(value))
            shown = value if isinstance(value, str) else repr(value)
            found.add(table, i, f.name, "wrong-value", f"`{f.name}` cannot be `{shown}`", f"write {error}")
    return out


def missing_values(
    column: Sequence[Any], f: Field, kept: bool, key: bool, table: RawTable, found: Findings
) -> Sequence[Value]:
    """The column with what the model says a missing value means."""
    if f.missing == "required" and table.kept is not None and not kept:
        message = f"`{table.relation}` has no column `{f.name}`"
        found.add_to_source(table, "the headings", "missing-column", message, "every row needs it")
        found.bad.setdefault(table.relation, set()).update(range(len(column)))
        for i in range(len(column)):
            found.bad_fields.setdefault((table.relation, i), set()).add(f.name)
        return column
    if f.missing == "required":
        what = "it is the key: every row needs one of its own" if key else "every row needs it"
        for i, value in enumerate(column):
            if value is None:
                message = f"`{f.name}` is missing in a row of `{table.relation}`"
                found.add(table, i, f.name, "missing-value", message, what)
        return column
    if f.missing == "unknown" or (f.missing == "blank" and not kept):
        return column
    return [f.nothing if value is None else value for value in column]


TEXT: frozenset[type] = frozenset({str})
RIGHT: dict[str, frozenset[type]] = {
    "text": TEXT,
    "int": frozenset({int}),
    "decimal": frozenset({float}),
    "bool": frozenset({bool}),
}


def right_column(
    column: Sequence[Value], f: Field, pools: Pools | None, found: Findings
) -> Sequence[Value] | None:
    """A column in canonical values when every value is right, and None when one is not.

    What was read by its types, and so has `pools`, has the types and the words it must have; its dates and
    times are looked at in their pool.
    """
    if pools is None:
        kinds = set(map(type, column))
        kinds.discard(type(None))
        if not kinds <= RIGHT.get(f.type, TEXT):
            return None
    sure = not f.one_of or (pools is not None and f.type == "text")
    if f.type in RIGHT:
        if sure and f.minimum is None and f.maximum is None:
            return column
    elif pools is not None and sure:
        if f.type not in found.respelled:
            found.respelled[f.type] = respelled(pools[f.type], f.type)
        return spelled(column, found.respelled[f.type])
    different = set(column) - {None, f.nothing}
    if f.one_of:
        return column if f.type == "text" and different <= set(f.one_of) else None
    if f.type in RIGHT:
        return column if all(in_range(value, f) for value in different) else None
    return spelled(column, respelled(different, f.type))


def spelled(column: Sequence[Value], new: Mapping[Any, Value] | None) -> Sequence[Value] | None:
    """A column with new spellings of some of its values, or None as when `new` is."""
    if new is None:
        return None
    return list(map(new.get, column, column)) if new else column


def respelled(moments: Collection[Any], type_: Type) -> Mapping[Any, Value] | None:
    """The canonical spelling of dates or times that have another; None when one is wrong."""
    try:
        if type_ == "datetime" and in_usual_parts(moments):
            return {m: m + ":00" for m in moments if len(m) == len("2021-05-04T09:00")}
        return {m: new for m in moments if (new := canonical(m, type_)) != m}
    except ValueError:
        return None


CLOCK = re.compile("T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


def in_usual_parts(moments: Collection[str]) -> bool:
    """Whether datetimes are dates and times of day with a T between, and lack seconds at most. They can be
    many; the days and the times of day, which are looked at, are few."""
    days, clocks = {m[:10] for m in moments}, {m[10:] for m in moments}
    try:
        return all(map(CLOCK.fullmatch, clocks)) and all(canonical(day, "date") == day for day in days)
    except ValueError:
        return False


def in_range(value: Value, f: Field) -> bool:
    """Whether a value is no number that is too small or too large."""
    if (f.minimum is None and f.maximum is None) or not isinstance(value, int | float):
        return True
    return (f.minimum is None or value >= f.minimum) and (f.maximum is None or value <= f.maximum)


def checked(value: Any, f: Field) -> Value:
    """One value in its canonical spelling, or ValueError with what would be right."""
    try:
        result = canonical(value, f.type)
    except ValueError as error:
        raise ValueError(hinted(value, f, str(error))) from None
    if f.one_of and result not in f.one_of:
        hint = nearest(str(result), f.one_of)
        if hint.startswith("did"):
            raise ValueError(hint.split("`")[1] + f", if that is meant; it is one of {len(f.one_of)} words")
        raise ValueError("one of " + ", ".join(f.one_of))
    if f.minimum is not None and isinstance(result, int | float) and result < f.minimum:
        raise ValueError(f"a number that is at least {f.minimum:g}")
    if f.maximum is not None and isinstance(result, int | float) and result > f.maximum:
        raise ValueError(f"a number that is at most {f.maximum:g}")
    return result


def hinted(value: Any, f: Field, expected: str) -> str:
    """What would be right, and for a date as people in England write it, that very date."""
    if not isinstance(value, str):
        return f'"{value}" in quotation marks' if f.type == "text" and isinstance(value, int) else expected
    if f.type in ("int", "decimal") and value.replace(".", "", 1).lstrip("-").isdigit():
        return f"{value} without quotation marks"
    if f.type == "datetime" and re.search(r"(Z|[+-]\d\d:?\d\d)$", value[16:]):
        return expected + "; times are local school times, without a zone"
    if f.type == "date":
        return dated(value, expected)
    return expected


def dated(text: str, expected: str) -> str:
    """The date that was meant, where it can be told."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ].*", text):
        return text[:10]
    parts = re.split(r"[/.-]", text)
    if len(parts) == 3 and all(p.isdigit() for p in parts) and len(parts[2]) == 4:
        day, month, year = parts
        try:
            guess = canonical(f"{year}-{month:0>2}-{day:0>2}", "date")
        except ValueError:
            return expected
        return f"{guess}, if you mean {int(day)} {MONTHS[int(month) - 1]} {year}"
    return expected


def check_key(table: RawTable, relation: RelationModel, columns: Columns, found: Findings) -> None:
    """No two rows have the same key."""
    keyed = [columns[relation.name][k] for k in relation.key]
    if not keyed or all_different(relation, keyed, columns, found):
        return
    first: dict[Row, int] = {}
    for i, key in enumerate(zip(*keyed, strict=True)):
        if None in key:
            continue
        if key in first:
            shown = ", ".join(f"{n} {v}" for n, v in zip(relation.key, key, strict=True))
            message = f"`{table.relation}` has another row with {shown}"
            help_ = f"it stands at {table.place(first[key])}; take one out, or give it a key of its own"
            found.add(table, i, relation.key[0], "duplicate-key", message, help_)
        else:
            first[key] = i


def all_different(
    relation: RelationModel, keyed: Sequence[Sequence[Value]], columns: Columns, found: Findings
) -> bool:
    """Whether keys are seen to differ; what has different hashes does."""
    if len(keyed) == 1:
        different = len(found.values(columns, (relation.name, relation.key[0])))
    else:
        different = len(set(map(hash, zip(*keyed, strict=True))))
    return different == len(keyed[0])


def check_references(table: RawTable, model: RecordModel, columns: Columns, found: Findings) -> None:
    """Every id that refers to another relation is found there, when the input has that relation."""
    for f in model.relations[table.relation].fields.values():
        at = model.target(f)
        if at is None or at[0] not in columns:
            continue
        there = found.values(columns, at)
        target, name = at
        pool = table.pools.get(at) if table.pools and f.type == "text" else None
        if pool and len(pool) == len(there) and model.relations[target].fields[name].missing == "required":
            continue  # the pool has all ids that are there, and all that refer to them
        column = columns[table.relation][f.name]
        doubtful = found.lost.get(at, set())
        lost = set(column) - there - doubtful - {None, f.nothing}
        if not lost:
            continue
        there = there | doubtful
        for i, value in enumerate(column):
            if value in lost:
                message = f"`{f.name}` is `{value}`, and `{target}` has no such row"
                hint = nearest(str(value), (str(v) for v in there)) if len(there) < 5000 else ""
                help_ = hint if hint.startswith("did") else f"add it to `{target}`, or correct it here"
                found.add(table, i, f.name, "dangling-reference", message, help_)


def check_spans(
    table: RawTable, relation: RelationModel, columns: Mapping[str, Sequence[Value]], found: Findings
) -> None:
    """Spans do not end before they start; things that take time end after they start."""
    for pair, touching in ((relation.span, True), (relation.in_order, False)):
        if pair is None:
            continue
        start, end = pair
        if in_order(columns[start], columns[end], touching):
            continue
        none = NEVER[relation.fields[start].type]
        for i, (a, b) in enumerate(zip(columns[start], columns[end], strict=True)):
            if a is None or b is None or none in (a, b):
                continue
            if a > b or (a == b and not touching):  # type: ignore[operator]
                verb = "before" if a > b else "when"  # type: ignore[operator]
                message = f"it ends {verb} it starts: `{start}` is {a}, `{end}` is {b}"
                found.add(table, i, end, "reversed-span", message, "exchange them, or correct one")


def in_order(starts: Sequence[Any], ends: Sequence[Any], touching: bool) -> bool:
    """Whether every end is known and after its start, or with it if they may be `touching`."""
    try:
        return all(map(le if touching else lt, starts, ends))
    except TypeError:
        return False
