"""Records of the right form, read by their types: fast, or not at all.

`typed_records` gives tables whose every field is known, whose every value has its JSON type and is one of its
words, and in which nothing is missing that every row needs. Where anything is otherwise it gives None, and
`read` and `check` look again and tell all that is wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, repeat
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import astuple
from policycheck_engine import Type

from policycheck.errors import shown_path
from policycheck.records.model import Field, RecordModel, RelationModel
from policycheck.records.read import READERS, Pool, Raw, RawTable, by_line, pointer, read_ndjson

JSON_TYPE: dict[Type, Any] = {"int": int, "decimal": float, "bool": bool}
"""The type of a value as JSON has it; all others are texts."""


def typed_records(path: Path, model: RecordModel) -> Raw | None:
    """The rows of a JSON file, or of a folder of NDJSON files, as columns; None when something is amiss."""
    reader = TypedReader(model)
    try:
        return reader.raw if (reader.folder(path) if path.is_dir() else reader.file(path)) else None
    except (msgspec.MsgspecError, RecursionError, OSError):
        return None


class TypedReader:
    """Tables as they are read. Each method tells whether all was as it should be."""

    def __init__(self, model: RecordModel) -> None:
        self.model = model
        self.raw: Raw = {}
        self.pools: dict[Pool, dict[Any, Any]] = {}
        self.targets: set[Pool] = set(model.targets())

    def file(self, path: Path) -> bool:
        """The relations of a JSON file."""
        source = shown_path(path)
        written = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
        if not written.keys() <= self.model.relations.keys():
            return False
        for name in self.model.relations:
            if name in written:
                type_ = row_type(self.model.relations[name], self.model)
                rows = msgspec.json.decode(written.pop(name), type=list[type_])  # type: ignore[valid-type]
                if not self.add(name, columns_of(type_, rows), source, pointer(name)):
                    return False
        return True

    def folder(self, folder: Path) -> bool:
        """The relations of a folder, if they are all NDJSON."""
        for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in READERS and f.is_file()):
            if READERS[file.suffix.lower()] is not read_ndjson or file.stem not in self.model.relations:
                return False
            type_ = row_type(self.model.relations[file.stem], self.model)
            rows = lines_of(file.read_bytes(), type_)
            if rows is None or not self.add(file.stem, columns_of(type_, rows), shown_path(file), by_line):
                return False
        return True

    def add(
        self,
        name: str,
        columns: Sequence[Sequence[Any]],
        source: str,
        place: Callable[[int], str],
        pooled: Mapping[str, set[Pool]] | None = None,
    ) -> bool:
        """The table of a relation and those of its children, which are lists in its rows. `pooled` says in
        which pools the values of some fields are already."""
        if name in self.raw:
            return False
        relation = self.model.relations[name]
        left_out = set()
        fields: dict[str, Sequence[Any]] = {}
        for f, column in zip(relation.fields.values(), columns, strict=False):
            if f.missing == "blank" and msgspec.UNSET in column:
                if column.count(msgspec.UNSET) == len(column):
                    left_out.add(f.name)
                column = [None if value is msgspec.UNSET else value for value in column]
            for pool in self.pools_of(name, f) - (pooled or {}).get(f.name, set()):
                column = self.pool(pool, column, f)
            fields[f.name] = column
        kept = frozenset(fields.keys() - left_out)
        self.raw[name] = RawTable(name, source, (), place, kept, columns=fields, pools=self.pools)
        children = self.model.children.get(name, ())
        nested = columns[len(relation.fields) :]
        return all(
            self.add_nested(child, lists, source, place)
            for child, lists in zip(children, nested, strict=True)
        )

    def add_nested(
        self, child: RelationModel, lists: Sequence[Any], source: str, place: Callable[[int], str]
    ) -> bool:
        """The rows of a child relation, which stand as a list in each row of its parent."""
        assert child.nested is not None
        name, parent = child.nested.name, child.nested.parent
        items = list(chain.from_iterable(filter(None, lists)))
        if not items and all(found is None for found in lists):
            return True
        keys = self.model.parent_keys(child)
        above = self.model.relations[parent].fields
        if any(field_type(k, above[k]) != field_type(k, child.fields[k]) for k in keys):
            return False
        own = [f for f in child.fields if f not in keys]
        kinds = set(map(type, items))
        if any(issubclass(kind, msgspec.Struct) for kind in kinds):
            if len(kinds) > 1:
                return False
            columns = columns_of(kinds.pop(), items)
        else:
            below: list[Sequence[Any]] = [[None] * len(items)] * len(self.model.children.get(child.name, ()))
            columns = [*([items] * len(own)), *below]
        counts = [len(found) if found else 0 for found in lists]
        ends = list(accumulate(counts))

        def place_of(row: int) -> str:
            i = bisect_right(ends, row)
            return f"{place(i)}/{name}/{row - ends[i] + counts[i]}"

        parents = self.raw[parent].columns or {}
        fields = dict(zip(own, columns, strict=False)) | {
            k: list(chain.from_iterable(map(repeat, parents[k], counts))) for k in keys
        }
        every = [*(fields[f] for f in child.fields), *columns[len(own) :]]
        pooled = {k: self.pools_of(parent, above[k]) for k in keys}
        return self.add(child.name, every, source, place_of, pooled)

    def pools_of(self, relation: str, f: Field) -> set[Pool]:
        """The pools in which the values of a field are: of its type when it is a date or a time, of what it
        refers to, and of what refers to it."""
        if f.type in ("date", "time", "datetime"):
            return {f.type}
        pools: set[Pool | None] = {self.model.target(f), (relation, f.name)}
        return self.targets & pools if f.type == "text" else set()

    def pool(self, name: Pool, column: Sequence[Any], f: Field) -> Sequence[Any]:
        """A column whose values are in the pool, equal ones as one object, which takes less room and is
        quicker to compare. What stands for no value is not put in."""
        pool = self.pools.setdefault(name, {})
        none = set() if f.missing == "required" else {None, f.nothing} - pool.keys()
        column = list(map(pool.setdefault, column, column))
        for value in none:
            pool.pop(value, None)
        return column


def lines_of(data: bytes, type_: Any) -> list[Any] | None:
    """One object from each line; None when an object does not have a line of its own."""
    if not data:
        return []
    inside = data.count(b"}\n{")
    ends = data.count(b"\n")
    if b"\r" in data or data[:1] != b"{" or ends - inside != data.endswith(b"}\n"):
        return None
    rows: list[Any] = msgspec.json.Decoder(type_).decode_lines(data)
    return rows if len(rows) == inside + 1 else None


def row_type(relation: RelationModel, model: RecordModel, known: Sequence[str] = ()) -> Any:
    """The type of a relation's rows: its fields in order, without those `known` from the parent, and then the
    lists of its children."""
    names = {f"f{i}": name for i, name in enumerate(relation.fields) if name not in known}
    fields = [field_type(short, relation.fields[name]) for short, name in names.items()]
    for i, child in enumerate(model.children.get(relation.name, ())):
        assert child.nested is not None
        keys = model.parent_keys(child)
        inner = row_type(child, model, keys)
        own = [f for name, f in child.fields.items() if name not in keys]
        item = value_type(own[0]) | inner if len(own) == 1 else inner
        names[f"n{i}"] = child.nested.name
        fields.append((f"n{i}", list[item] | None, None))  # type: ignore[valid-type]
    return msgspec.defstruct(
        relation.name, fields, rename=names, kw_only=True, forbid_unknown_fields=True, gc=False
    )


def field_type(name: str, f: Field) -> Any:
    """A field, and what it is when it is left out; that is told from null where it makes a difference."""
    if f.missing == "required":
        return name, value_type(f)
    if f.missing == "blank":
        return name, value_type(f) | msgspec.UnsetType, msgspec.UNSET
    return name, value_type(f), f.nothing


def value_type(f: Field) -> Any:
    """The type of a field's values as JSON has them; null is one unless every row needs a value."""
    one = JSON_TYPE.get(f.type, str)
    if f.one_of and f.type == "text":
        one = Literal[f.one_of] if f.nothing is None else Literal[(*f.one_of, f.nothing)]
    return one if f.missing == "required" else one | None


def columns_of(type_: Any, rows: Sequence[Any]) -> list[Sequence[Any]]:
    """Rows of a type by columns."""
    values = list(chain.from_iterable(map(astuple, rows)))
    width = len(type_.__struct_fields__)
    return [values[i::width] for i in range(width)]
