"""Records with rows added, in the form in which they are kept.

A term file becomes a whole new one. Of a folder only the sheets of the relation are written, since the
others stay as they are.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from policycheck.errors import UsageError
from policycheck.records.model import RecordModel, RelationModel
from policycheck.records.read import READERS, Source

BOM = "\ufeff"
"""What Excel puts before a CSV file in UTF-8, and looks for."""

Rows = Sequence[Mapping[str, Any]]


def term_with(source: Source, model: RecordModel, relation: str, rows: Rows) -> str:
    """The text of a term file with rows added to a relation, one row to a line."""
    data = dict(source.data)
    for name, more in parted(model.relations[relation], model, rows, set(data)).items():
        data[name] = [*(data.get(name) or ()), *more]
    parts = []
    for name, found in data.items():
        lines = ",\n".join(map(compact, found))
        parts.append(f"{compact(name)}:[\n{lines}\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def sheets_with(folder: Path, model: RecordModel, relation: str, rows: Rows) -> dict[str, str]:
    """The texts of the files of a folder that change when rows are added to a relation, by their names.

    What is kept as NDJSON stays so; all else is CSV. UsageError for a file that cannot be written again.
    """
    files = {f.stem: f for f in sorted(folder.iterdir()) if f.suffix.lower() in READERS and f.is_file()}
    own = set(files)
    parent = files.get(relation)
    if parent is None or parent.suffix.lower() == ".csv":
        own |= {child.name for child in model.children.get(relation, ())}
    out = {}
    for name, more in parted(model.relations[relation], model, rows, own).items():
        file = files.get(name)
        if file is None:
            fields = list(model.relations[name].fields)
            out[f"{name}.csv"] = csv_with(BOM + ",".join(fields) + "\n", fields, more)
        elif file.suffix.lower() == ".csv":
            text = file.read_bytes().decode("utf-8")
            out[file.name] = csv_with(text, list(model.relations[name].fields), more)
        elif file.suffix.lower() == ".parquet":
            raise UsageError(f"`{file}` cannot be added to: keep `{name}` as CSV or NDJSON")
        else:
            text = file.read_bytes().decode("utf-8")
            text += "" if text.endswith("\n") or not text else "\n"
            out[file.name] = text + "".join(compact(row) + "\n" for row in more)
    return out


def parted(
    relation: RelationModel, model: RecordModel, rows: Rows, own: Iterable[str]
) -> dict[str, list[Mapping[str, Any]]]:
    """The rows by relation: those nested in them apart, where their relation stands by itself in `own`."""
    found: dict[str, list[Mapping[str, Any]]] = {relation.name: list(rows)}
    for child in model.children.get(relation.name, ()):
        if child.name not in own:
            continue
        assert child.nested is not None
        name, keys = child.nested.name, model.parent_keys(child)
        found[child.name] = [
            {**{key: row[key] for key in keys}, **item}
            for row in found[relation.name]
            for item in row.get(name, ())
        ]
        found[relation.name] = [
            {key: value for key, value in row.items() if key != name} for row in found[relation.name]
        ]
    return {name: more for name, more in found.items() if more}


def csv_with(text: str, fields: Sequence[str], rows: Rows) -> str:
    """A CSV text with rows added at its end; columns that it lacks are put in when a row needs them."""
    mark = BOM if text.startswith(BOM) else ""
    lines = [row for row in csv.reader(StringIO(text.removeprefix(BOM), newline="")) if any(row)]
    header = [name.strip() for name in lines[0]] if lines else list(fields)
    header += [name for name in fields if name not in header and any(name in row for row in rows)]
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\r\n" if "\r\n" in text else "\n")
    writer.writerow(header)
    writer.writerows([*line, *[""] * (len(header) - len(line))] for line in lines[1:])
    writer.writerows([row.get(name, "") for name in header] for row in rows)
    return mark + stream.getvalue()


def compact(value: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
