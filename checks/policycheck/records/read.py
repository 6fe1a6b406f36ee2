"""Reading records as they were written: one JSON file, or a folder with a file for each relation.

What is read here are rows as mappings, with the place each row came from; whether they are right is the
business of `check`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from policycheck_engine import Type, nearest

from policycheck.errors import Problem, RecordsError, UsageError, shown_path
from policycheck.records.model import RecordModel, RelationModel

RawRow = Mapping[str, Any]
Pool = Type | tuple[str, str]
"""What values are of: a type of dates or times, or what ids refer to, a relation and its field."""
Pools = Mapping[Pool, Mapping[Any, Any]]
"""All different values of each kind that a source has, as keys."""


class RawTable(Struct):
    """The rows of one relation as they were written.

    `place` tells where a row stands by its position; `kept` are the fields that the source has at all.
    `columns` are there instead of rows when that is how they were read. If it was by their types, `pools` are
    those of the whole source; see `typed`.
    """

    relation: str
    source: str
    rows: Sequence[RawRow]
    place: Callable[[int], str]
    kept: frozenset[str] | None = None
    bad: set[int] = field(default_factory=set)
    columns: Mapping[str, Sequence[Any]] | None = None
    pools: Pools | None = None

    def first(self, name: str) -> Any:
        """A field of the first row; None when there is no row."""
        if self.columns is not None:
            return next(iter(self.columns[name]), None)
        return self.rows[0].get(name) if self.rows else None


Raw = dict[str, RawTable]


class Source(Struct, frozen=True):
    """Where records come from: a JSON file, a folder, or tables that were made elsewhere. What was read of it
    is remembered.

    `tables` makes them, as `read_records` does; then `school` is whose they are and `digest` their SHA-256.
    """

    path: Path
    school: str | None = None
    tables: Callable[[RecordModel | None, set[str] | None], tuple[Raw, list[Problem]]] | None = None
    digest: str | None = None
    seen: dict[object, Any] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        """What the JSON file holds, or RecordsError."""
        if "data" not in self.seen:
            self.seen["data"] = load_json(self.path)
        return self.seen["data"]

    def typed(self, model: RecordModel) -> Raw | None:
        """The records by their types, if they are of the right form."""
        from policycheck.records.typed import typed_records

        if self.tables is not None:
            return None
        if model.document.file not in self.seen:
            self.seen[model.document.file] = typed_records(self.path, model)
        found: Raw | None = self.seen[model.document.file]
        return found

    def forget_typed(self, model: RecordModel) -> None:
        """Let go of the records by their types, once there are tables of them."""
        self.seen.pop(model.document.file, None)


def open_records(path: Path) -> Source:
    """The source at a path."""
    if path.is_dir():
        return Source(path)
    if not path.exists():
        raise UsageError(f"there is no file or folder `{path}`")
    if path.suffix.lower() != ".json":
        raise UsageError(f"`{path}` is neither a .json file nor a folder with one file for each relation")
    return Source(path)


def read_records(
    source: Source, model: RecordModel | None, only: set[str] | None = None
) -> tuple[Raw, list[Problem]]:
    """The rows of a term by relation, and what could not be read.

    Without a model, unknown relations are kept and CSV values stay texts. `only` reads no others.
    """
    if source.tables is not None:
        return source.tables(model, only)
    if source.path.is_dir():
        return read_folder(source.path, model, only)
    data = source.data
    if only is not None and isinstance(data, dict):
        data = {name: rows for name, rows in data.items() if name in only}
    return tables_of(data, shown_path(source.path), model)


def load_json(path: Path) -> Any:
    """What a JSON file holds, or RecordsError with the place where it is not JSON."""
    name = shown_path(path)
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        where = f"{error.lineno}:{error.colno}"
        help_ = "a comma or a quotation mark may be missing just before this place"
        raise RecordsError(
            [Problem(name, where, "bad-json", f"is not valid JSON: {error.msg}", help_)]
        ) from None
    except UnicodeDecodeError:
        raise RecordsError([Problem(name, "", "not-text", "is not UTF-8 text", "save it as UTF-8")]) from None
    except RecursionError:
        raise RecordsError([Problem(name, "", "bad-json", "is nested too deeply to be records")]) from None


def tables_of(data: Any, source: str, model: RecordModel | None) -> tuple[Raw, list[Problem]]:
    """The tables of an object that has been read."""
    problems: list[Problem] = []
    if not isinstance(data, dict):
        message = "is not one object of relation names and rows"
        raise RecordsError([Problem(source, "", "not-an-object", message, 'write `{"lessons": [...], ...}`')])
    raw: Raw = {}
    for relation, rows in data.items():
        if not known(relation, source, f"/{relation}", model, problems):
            continue
        if not isinstance(rows, list):
            message = f"`{relation}` is not a list of rows"
            problems.append(Problem(source, f"/{relation}", "not-a-list", message, "write `[{...}, {...}]`"))
            continue
        add(raw, RawTable(relation, source, rows, pointer(relation)), model, problems)
    return raw, problems


def pointer(relation: str) -> Callable[[int], str]:
    """The places of rows in a JSON file."""
    return lambda i: f"/{relation}/{i}"


def by_line(row: int) -> str:
    """The place of a row in a file that has one on every line."""
    return f"line {row + 1}"


def known(relation: str, source: str, where: str, model: RecordModel | None, problems: list[Problem]) -> bool:
    """Whether there is such a relation; if not, a problem."""
    if model is None or relation in model.relations:
        return True
    hint = nearest(relation, model.relations)
    problems.append(Problem(source, where, "unknown-relation", f"there is no relation `{relation}`", hint))
    return False


def add(raw: Raw, table: RawTable, model: RecordModel | None, problems: list[Problem]) -> None:
    """Put a table in, with the tables nested in its rows as tables of their own."""
    rows = [r for r in table.rows if isinstance(r, Mapping)]
    if len(rows) < len(table.rows):
        wrong = [table.place(i) for i, r in enumerate(table.rows) if not isinstance(r, Mapping)]
        message = f"`{table.relation}` has a row that is no object"
        problems += [Problem(table.source, w, "not-a-row", message, "write `{field: value}`") for w in wrong]
        places = [table.place(i) for i, r in enumerate(table.rows) if isinstance(r, Mapping)]
        table = RawTable(table.relation, table.source, rows, places.__getitem__)
    if table.relation in raw:
        problems.append(Problem(table.source, "", "relation-twice", f"`{table.relation}` is given twice"))
        return
    raw[table.relation] = table
    for child in model.children.get(table.relation, ()) if model else ():
        assert model is not None
        nested_in(raw, table, child, model, problems)


def nested_in(
    raw: Raw, table: RawTable, child: RelationModel, model: RecordModel, problems: list[Problem]
) -> None:
    """The rows of a child relation that stand as a list inside the rows of its parent."""
    assert child.nested is not None
    name = child.nested.name
    keys = model.parent_keys(child)
    own = [f for f in child.fields if f not in keys]
    rows: list[RawRow] = []
    at: list[tuple[int, int]] = []
    found = False
    for i, parent in enumerate(table.rows):
        if parent.get(name) is None:
            continue
        found = True
        items = parent[name]
        if not isinstance(items, list):
            message = f"`{name}` is not a list"
            problems.append(
                Problem(table.source, f"{table.place(i)}/{name}", "not-a-list", message, "write `[...]`")
            )
            continue
        key = {k: parent.get(k) for k in keys}
        for j, item in enumerate(items):
            rows.append({**key, **item} if isinstance(item, Mapping) else {**key, own[0]: item})
            at.append((i, j))
    if not found:
        return

    def place(n: int) -> str:
        return f"{table.place(at[n][0])}/{name}/{at[n][1]}"

    if child.name in raw:
        message = f"`{child.name}` is given both as a relation and inside `{table.relation}`"
        problems.append(
            Problem(table.source, "", "relation-twice", message, "give it in one of the two ways")
        )
        return
    add(raw, RawTable(child.name, table.source, rows, place), model, problems)


def read_folder(
    folder: Path, model: RecordModel | None, only: set[str] | None = None
) -> tuple[Raw, list[Problem]]:
    """One NDJSON, CSV or Parquet file for each relation."""
    raw: Raw = {}
    problems: list[Problem] = []
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in READERS and f.is_file())
    if not files:
        suffixes = ", ".join(READERS)
        raise UsageError(f"the folder `{folder}` has no records: no file that ends in {suffixes}")
    for file in files:
        source = shown_path(file)
        if only is not None and file.stem not in only:
            continue
        if not known(file.stem, source, "", model, problems):
            continue
        relation = model.relations[file.stem] if model else None
        try:
            table = READERS[file.suffix.lower()](file, relation, problems)
        except UnicodeDecodeError:
            problems.append(Problem(source, "", "not-text", "is not UTF-8 text", "save it as UTF-8"))
            continue
        add(raw, table, model, problems)
    return raw, problems


def read_ndjson(file: Path, relation: RelationModel | None, problems: list[Problem]) -> RawTable:
    """One JSON object a line."""
    rows: list[RawRow] = []
    lines: list[int] = []
    for number, line in text_lines(file):
        try:
            rows.append(json.loads(line))
            lines.append(number)
        except json.JSONDecodeError as error:
            problems.append(bad_line(file, number, error))
    return RawTable(file.stem, shown_path(file), rows, lambda i: f"line {lines[i]}")


def text_lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers from 1."""
    with file.open(encoding="utf-8") as stream:
        yield from ((number, line) for number, line in enumerate(stream, 1) if line.strip())


def bad_line(file: Path, number: int, error: json.JSONDecodeError) -> Problem:
    """The problem of a line that is not JSON."""
    message = f"this line is not valid JSON: {error.msg}"
    return Problem(
        shown_path(file), f"{number}:{error.colno}", "bad-json", message, "write one object a line"
    )


def read_csv(file: Path, relation: RelationModel | None, problems: list[Problem]) -> RawTable:
    """A header and one row a line; a blank cell is a missing value."""
    types = {name: f.type for name, f in relation.fields.items()} if relation else {}
    header: list[str] = []
    rows: list[RawRow] = []
    lines: list[int] = []
    bad: set[int] = set()
    for number, header, cells in csv_rows(file):
        if len(cells) > len(header):
            problems.append(long_row(file, number, header, cells))
            bad.add(len(rows))
        if cells:
            rows.append(row_of_cells(zip(header, cells, strict=False), types))
            lines.append(number)
    return RawTable(file.stem, shown_path(file), rows, lambda i: f"line {lines[i]}", frozenset(header), bad)


def csv_rows(file: Path) -> Iterator[tuple[int, list[str], list[str]]]:
    """The line on which a row ends, the header, and the row's cells; first the header's line, without any."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        header = [name.strip() for name in next(reader, [])]
        yield reader.line_num, header, []
        for cells in reader:
            if any(cells):
                yield reader.line_num, header, cells


def long_row(file: Path, number: int, header: list[str], cells: list[str]) -> Problem:
    """The problem of a row with more cells than there are headings."""
    message = f"this row has {len(cells)} cells and the header {len(header)}"
    help_ = "put a value that has a comma in it into quotation marks"
    return Problem(shown_path(file), f"line {number}", "long-row", message, help_)


def row_of_cells(cells: Iterable[tuple[str, str]], types: Mapping[str, Type]) -> dict[str, Any]:
    """The cells of a row as values."""
    return {name: cell_value(cell, types.get(name)) for name, cell in cells}


def cell_value(cell: str, type_: Type | None) -> Any:
    """The value of a spreadsheet cell, None when it is blank; what does not fit stays the text it is."""
    text = cell.strip()
    if text == "":
        return None
    if type_ in ("int", "decimal"):
        for number in (int, float):
            try:
                return number(text.replace(",", ""))
            except ValueError:
                continue
    if type_ == "bool":
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            text.lower(), text
        )
    return text


def read_parquet(file: Path, relation: RelationModel | None, problems: list[Problem]) -> RawTable:
    """A Parquet file, by DuckDB."""
    rows: list[RawRow] = []
    names: list[str] = []
    try:
        for names, values in parquet_rows(file):
            if values:
                rows.append(dict(zip(names, values, strict=True)))
    except UnreadableError as error:
        problems.append(bad_parquet(file, error))
    return RawTable(file.stem, shown_path(file), rows, lambda i: f"row {i + 1}", frozenset(names))


class UnreadableError(Exception):
    """A file that is not what its name says."""


def parquet_rows(file: Path) -> Iterator[tuple[list[str], list[Any]]]:
    """The names of the columns and a row's values, as JSON would have them; first the names alone."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            result = connection.execute(
                "SELECT * FROM read_parquet(?, hive_partitioning = false)", [str(file)]
            )
            names = [d[0] for d in result.description or ()]
            yield names, []
            while batch := result.fetchmany(10_000):
                for row in batch:
                    yield names, [plain(value) for value in row]
        except duckdb.Error as error:
            raise UnreadableError(str(error).splitlines()[0]) from None


def bad_parquet(file: Path, error: UnreadableError) -> Problem:
    """The problem of a file that is not Parquet."""
    return Problem(shown_path(file), "", "bad-parquet", f"cannot be read as Parquet: {error}")


def plain(value: Any) -> Any:
    """A value of Parquet as JSON would have it."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if value is not None and not isinstance(value, str | int | float | bool | dict):
        return float(value)
    return value


Reader = Callable[[Path, RelationModel | None, list[Problem]], RawTable]
READERS: dict[str, Reader] = {
    ".ndjson": read_ndjson,
    ".jsonl": read_ndjson,
    ".csv": read_csv,
    ".parquet": read_parquet,
}
