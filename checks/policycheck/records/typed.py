"""Records of the right form, read by their types: fast, or not at all.

`typed_records` gives tables whose every field is known and whose every value has its JSON type. Where
anything is otherwise it gives None, and `read` and `check` look again and tell all that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import astuple
from policycheck_engine import Type

from policycheck.errors import shown_path
from policycheck.records.model import Field, RecordModel, RelationModel
from policycheck.records.read import READERS, Raw, RawTable, by_line, pointer, read_ndjson

JSON_TYPE: dict[Type, Any] = {"int": int, "decimal": float, "bool": bool}
"""The type of a value as JSON has it; all others are texts."""


def typed_records(path: Path, model: RecordModel) -> Raw | None:
    """The rows of a JSON file, or of a folder of NDJSON files, as columns; None when something is amiss."""
    try:
        return of_folder(path, model) if path.is_dir() else of_file(path, model)
    except (msgspec.MsgspecError, RecursionError, OSError):
        return None


def of_file(path: Path, model: RecordModel) -> Raw | None:
    names = {f"f{i}": name for i, name in enumerate(model.relations)}
    shapes = {name: row_type(relation, model) for name, relation in model.relations.items()}
    relations = [(short, list[shapes[name]] | None, msgspec.UNSET) for short, name in names.items()]  # type: ignore[valid-type]
    term = struct("term", relations, names)
    data = msgspec.json.decode(path.read_bytes(), type=term)
    raw: Raw = {}
    source = shown_path(path)
    for short, name in names.items():
        rows = getattr(data, short)
        if rows is msgspec.UNSET:
            continue
        if rows is None or not add(raw, model.relations[name], rows, source, pointer(name), model):
            return None
    return raw


def of_folder(folder: Path, model: RecordModel) -> Raw | None:
    raw: Raw = {}
    for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in READERS and f.is_file()):
        if READERS[file.suffix.lower()] is not read_ndjson or file.stem not in model.relations:
            return None
        relation = model.relations[file.stem]
        rows = lines_of(file.read_bytes(), row_type(relation, model))
        if rows is None or not add(raw, relation, rows, shown_path(file), by_line, model):
            return None
    return raw


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
    """The type of a relation's rows; `known` are the fields that the parent has already."""
    names = {f"f{i}": name for i, name in enumerate(relation.fields) if name not in known}
    fields = [field_type(short, relation.fields[name]) for short, name in names.items()]
    for i, child in enumerate(model.children.get(relation.name, ())):
        assert child.nested is not None
        keys = model.parent_keys(child)
        inner = row_type(child, model, keys)
        own = [f for name, f in child.fields.items() if name not in keys]
        item = JSON_TYPE.get(own[0].type, str) | None | inner if len(own) == 1 else inner
        names[f"n{i}"] = child.nested.name
        fields.append((f"n{i}", list[item] | None, None))  # type: ignore[valid-type]
    return struct(relation.name, fields, names)


def field_type(name: str, f: Field) -> tuple[str, Any, Any]:
    """A field, which may be null or left out; where it makes a difference, left out is kept apart."""
    one = JSON_TYPE.get(f.type, str) | None
    return (name, one | msgspec.UnsetType, msgspec.UNSET) if f.missing == "blank" else (name, one, None)


def struct(name: str, fields: Sequence[tuple[str, Any, Any]], names: dict[str, str]) -> Any:
    return msgspec.defstruct(name, fields, rename=names, forbid_unknown_fields=True, gc=False)


def add(
    raw: Raw,
    relation: RelationModel,
    rows: Sequence[Any],
    source: str,
    place: Callable[[int], str],
    model: RecordModel,
) -> bool:
    """Put in the table of a relation and those of its children; False when one is there already."""
    width = len(relation.fields) + len(model.children.get(relation.name, ()))
    columns = list(zip(*map(astuple, rows), strict=True)) or [()] * width
    fields = dict(zip(relation.fields, columns, strict=False))
    return put(raw, relation, fields, columns[len(relation.fields) :], source, place, model)


def put(
    raw: Raw,
    relation: RelationModel,
    fields: Mapping[str, Sequence[Any]],
    nested: Sequence[Sequence[Any]],
    source: str,
    place: Callable[[int], str],
    model: RecordModel,
) -> bool:
    """Put in a table by its columns, and the tables of its children by the lists in its rows."""
    if relation.name in raw:
        return False
    left_out = {name for name, column in fields.items() if column and all(v is msgspec.UNSET for v in column)}
    known = {
        name: [None if value is msgspec.UNSET else value for value in column]
        if relation.fields[name].missing == "blank"
        else column
        for name, column in fields.items()
    }
    kept = frozenset(fields.keys() - left_out)
    raw[relation.name] = RawTable(relation.name, source, (), place, kept, columns=known)
    children = model.children.get(relation.name, ())
    return all(
        children_of(raw, child, fields, lists, source, place, model)
        for child, lists in zip(children, nested, strict=True)
    )


def children_of(
    raw: Raw,
    child: RelationModel,
    parent: Mapping[str, Sequence[Any]],
    lists: Sequence[Any],
    source: str,
    place: Callable[[int], str],
    model: RecordModel,
) -> bool:
    """The rows of a child relation that stand as a list inside the rows of its parent."""
    assert child.nested is not None
    name = child.nested.name
    at = [(i, j) for i, items in enumerate(lists) if items for j in range(len(items))]
    if not at and all(items is None for items in lists):
        return True
    keys = model.parent_keys(child)
    own = [f for f in child.fields if f not in keys]
    items = list(chain.from_iterable(filter(None, lists)))
    if len(own) == 1 and not any(isinstance(item, msgspec.Struct) for item in items):
        columns: list[Sequence[Any]] = [items]
        columns += [[None] * len(items)] * len(model.children.get(child.name, ()))
    elif all(isinstance(item, msgspec.Struct) for item in items):
        columns = list(zip(*map(astuple, items), strict=True))
    else:
        return False
    found = dict(zip(own, columns, strict=False)) | {k: [parent[k][i] for i, _ in at] for k in keys}
    fields = {f: found.get(f, ()) for f in child.fields}
    nested = columns[len(own) :] or [()] * len(model.children.get(child.name, ()))
    return put(raw, child, fields, nested, source, lambda n: f"{place(at[n][0])}/{name}/{at[n][1]}", model)
