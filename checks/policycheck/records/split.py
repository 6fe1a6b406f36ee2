"""Files that hold several schools: whose each row is.

Such a folder has, for each relation, one file or a folder of part files, and every row names its school in
one column: the field that the record model's `frame` gives for the school. Parts may also stand in folders
named `column=school`, as Spark and others write them. A row is carried as the JSON text it was, or would
have been, with its number in its file; the tables of one school are made of such rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from msgspec import Struct
from policycheck_engine import nearest

from policycheck.errors import Problem, RecordsError, UsageError, shown_path
from policycheck.records.model import RecordModel
from policycheck.records.read import (
    READERS,
    Raw,
    RawTable,
    Source,
    UnreadableError,
    add,
    bad_line,
    bad_parquet,
    csv_rows,
    known,
    long_row,
    parquet_rows,
    row_of_cells,
    text_lines,
)

SHOWN = 3
"""How many rows of a file that name no school are shown."""


class SplitRow(NamedTuple):
    """A row: its part by position, its number in it, and itself as a JSON object."""

    part: int
    number: int
    text: str


class Part(Struct, frozen=True):
    """A file with rows of a relation.

    `source` is what a user knows it by: the file, or the folder of the relation's parts; `within` is the
    part's path in that folder. `school` is what a folder above it says.
    """

    relation: str
    source: str
    file: Path
    within: str = ""
    school: str = ""

    def place(self, number: int) -> str:
        """Where a row stands, in the words of a report."""
        kind = "row" if self.file.suffix.lower() == ".parquet" else "line"
        return f"{self.within} {kind} {number}" if self.within else f"{kind} {number}"


class Split(Struct, frozen=True):
    """A folder whose files hold several schools: its part files, and the column that names the school."""

    folder: Path
    column: str
    parts: tuple[Part, ...]

    def source(self, school: str, rows: Callable[[], Iterable[SplitRow]]) -> Source:
        """The rows of one school as records. They are fetched whenever they are needed, in the order of parts
        and numbers, and are not all there at once."""
        tables = partial(tables_of_rows, self, rows)
        return Source(self.folder, school=school, tables=tables, digest=rows_digest(self, rows()))


def split_folder(folder: Path, model: RecordModel) -> Split | None:
    """The folder as one whose files hold several schools, or None when no file of it names a school.

    Raises UsageError when some files do and others do not.
    """
    if model.frame.school is None:
        return None
    relation, column = model.frame.school["relation"], model.frame.school["field"]
    parts = tuple(parts_of(folder, model))
    naming: dict[str, bool] = {}
    for part in parts:
        names = {column} if part.school else names_in(part.file)
        if part.relation != relation and names:
            naming[part.source] = naming.get(part.source, True) and column in names
    apart = sorted({p.source for p in parts if p.within})
    if not any(naming.values()) and not apart:
        return None
    if not all(naming.values()):
        raise UsageError(f"`{shown_path(folder)}`: {not_all(naming, column)}")
    refuse_strange(parts, model)
    return Split(folder, column, parts)


def refuse_strange(parts: Iterable[Part], model: RecordModel) -> None:
    """RecordsError when a file is of no relation, or two are of the same."""
    problems: list[Problem] = []
    sources: dict[str, str] = {}
    for source, relation in dict.fromkeys((p.source, p.relation) for p in parts):
        if known(relation, source, "", model, problems) and sources.setdefault(relation, source) != source:
            help_ = f"it is in {shown([sources[relation]])} as well; give it in one place"
            problems.append(Problem(source, "", "relation-twice", f"`{relation}` is given twice", help_))
    if problems:
        raise RecordsError(problems)


def not_all(naming: Mapping[str, bool], column: str) -> str:
    """What to say when some files name the school of their rows, or none does, and they should."""
    have, lack = (shown([s for s in naming if naming[s] is found]) for found in (True, False))
    if have:
        said = f"the rows of {have} name their school in `{column}`, and those of {lack} do not"
    else:
        said = f"no row of {lack} names its school in `{column}`, and part files are for several schools"
    return f"{said}. Give every file that column, or make a folder for each school"


def shown(sources: list[str]) -> str:
    """A few names of files, and how many there are more."""
    names = [f"`{s.rpartition('/')[2]}`" for s in sources[:3]]
    more = [f"{len(sources) - 3} more"] if len(sources) > 3 else []
    parts = [*names, *more]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def relation_of(path: Path, model: RecordModel) -> str | None:
    """The relation that a file, or a folder of part files, is named after."""
    if path.is_dir():
        name = path.stem if path.suffix.lower() in READERS else path.name
        return name if name in model.relations else None
    return path.stem if path.suffix.lower() in READERS else None


def parts_of(folder: Path, model: RecordModel) -> Iterator[Part]:
    """The part files of a folder, by name; names that begin with a dot or a line are left alone."""
    for entry in sorted(folder.iterdir()):
        relation = relation_of(entry, model)
        if relation is None or entry.name.startswith((".", "_")):
            continue
        if entry.is_file():
            yield Part(relation, shown_path(entry), entry)
            continue
        for file in sorted(entry.rglob("*")):
            within = file.relative_to(entry)
            hidden = any(name.startswith((".", "_")) for name in within.parts)
            if file.is_file() and file.suffix.lower() in READERS and not hidden:
                assert model.frame.school is not None
                school = school_of_path(within, model.frame.school["field"])
                yield Part(relation, shown_path(entry), file, within.as_posix(), school)


def school_of_path(within: Path, column: str) -> str:
    """What a folder `column=school` says, or nothing."""
    for name in within.parts[:-1]:
        key, equals, value = name.partition("=")
        if equals and key == column:
            return unquote(value)
    return ""


def names_in(file: Path) -> set[str]:
    """The fields of a file's first row; none when it has none or cannot be read, which is told later."""
    try:
        if file.suffix.lower() == ".csv":
            return set(next(csv_rows(file))[1])
        if file.suffix.lower() == ".parquet":
            return set(next(parquet_rows(file))[0])
        first = json.loads(next(text_lines(file))[1])
        return set(first) if isinstance(first, dict) else set()
    except (StopIteration, ValueError, UnreadableError):
        return set()


def rows_of(part: Part, column: str, problems: list[Problem]) -> Iterator[tuple[str, int, str]]:
    """School, number and text of each row. Rows that cannot be told apart are problems, the first few of a
    file by their place."""
    lost = 0
    number = 0
    for number, row, text in objects_in(part.file, problems):
        school = named(row.get(column) if isinstance(row, Mapping) else None) or part.school
        if school:
            yield school, number, text if text is not None else json.dumps(row, ensure_ascii=False)
            continue
        lost += 1
        if lost <= SHOWN:
            message = f"this row does not say of which school it is: `{column}` is missing"
            help_ = "every row of files that hold several schools needs it"
            problems.append(Problem(part.source, part.place(number), "no-school", message, help_))
    if lost > SHOWN:
        message = f"and {lost - SHOWN:,} more rows do not say of which school they are"
        problems.append(Problem(part.source, part.within, "no-school", message))


def named(value: Any) -> str:
    """The school that a field names, or nothing."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def objects_in(file: Path, problems: list[Problem]) -> Iterator[tuple[int, Any, str | None]]:
    """Number and value of each row of a file, with its text where it is a line of JSON."""
    try:
        yield from OBJECTS[file.suffix.lower()](file, problems)
    except UnreadableError as error:
        problems.append(bad_parquet(file, error))
    except UnicodeDecodeError:
        problems.append(Problem(shown_path(file), "", "not-text", "is not UTF-8 text", "save it as UTF-8"))


def objects_in_csv(file: Path, problems: list[Problem]) -> Iterator[tuple[int, Any, None]]:
    """Rows of cells; one that is too long has its school in doubt as well."""
    for number, header, cells in csv_rows(file):
        if len(cells) > len(header):
            problems.append(long_row(file, number, header, cells))
        elif cells:
            yield number, dict(zip(header, cells, strict=False)), None


def objects_in_ndjson(file: Path, problems: list[Problem]) -> Iterator[tuple[int, Any, str]]:
    """Lines of JSON."""
    for number, line in text_lines(file):
        try:
            yield number, json.loads(line), line.strip()
        except json.JSONDecodeError as error:
            problems.append(bad_line(file, number, error))


def objects_in_parquet(file: Path, problems: list[Problem]) -> Iterator[tuple[int, Any, None]]:
    """Rows of a Parquet file."""
    for number, (names, values) in enumerate(parquet_rows(file)):
        if values:
            yield number, dict(zip(names, values, strict=True)), None


OBJECTS: Mapping[str, Callable[[Path, list[Problem]], Iterator[tuple[int, Any, str | None]]]] = {
    ".ndjson": objects_in_ndjson,
    ".jsonl": objects_in_ndjson,
    ".csv": objects_in_csv,
    ".parquet": objects_in_parquet,
}


def source_of_school(folder: Path, model: RecordModel, school: str) -> Source:
    """The records of one school out of a folder that holds several, all of which is read.

    Raises UsageError when there is no such school or folder, RecordsError for rows of no school.
    """
    split = split_folder(folder, model) if folder.is_dir() else None
    if split is None:
        raise UsageError(
            f"`{folder}` is no folder whose files name the school of each row, so there is no --school"
        )
    schools: set[str] = set()
    rows: list[SplitRow] = []
    problems: list[Problem] = []
    for i, part in enumerate(split.parts):
        for name, number, text in rows_of(part, split.column, problems):
            schools.add(name)
            if name == school:
                rows.append(SplitRow(i, number, text))
    if problems:
        raise RecordsError(problems)
    if school not in schools:
        raise UsageError(f"`{folder}` has no school `{school}`; {nearest(school, schools)}".rstrip("; "))
    return split.source(school, partial(iter, rows))


def tables_of_rows(
    split: Split,
    rows: Callable[[], Iterable[SplitRow]],
    model: RecordModel | None,
    only: set[str] | None = None,
) -> tuple[Raw, list[Problem]]:
    """The tables of one school.

    Where a file has no row of it, or a column no value, it is not known whether the school keeps that at
    all; so the relation is absent, and the column not kept.
    """
    raw: Raw = {}
    problems: list[Problem] = []
    for relation, its in groupby(rows(), key=lambda row: split.parts[row.part].relation):
        if only is None or relation in only:
            before = set(raw)
            add(raw, table_of_rows(split, relation, list(its), model), model, problems)
            if model is not None:
                raw |= {name: in_columns(raw[name], model) for name in raw if name not in before}
    return raw, problems


def in_columns(table: RawTable, model: RecordModel) -> RawTable:
    """A table by its columns, which take less room than rows; as it is, when it has other fields."""
    relation = model.relations[table.relation]
    nested = {child.nested.name for child in model.children.get(table.relation, ()) if child.nested}
    names = set().union(*table.rows)
    if names - nested - set(relation.fields):
        return table
    columns = {name: [row.get(name) for row in table.rows] for name in relation.fields}
    kept = frozenset(name for name in names if table.kept is None or name in table.kept)
    return RawTable(table.relation, table.source, (), table.place, kept, table.bad, columns)


def table_of_rows(split: Split, relation: str, rows: list[SplitRow], model: RecordModel | None) -> RawTable:
    """One table; the column of the school is taken out where the relation has no such field."""
    fields = model.relations[relation].fields if model else {}
    types = {name: f.type for name, f in fields.items()}
    made: list[Any] = []
    kept: set[str] = set()
    for row in rows:
        part, value = split.parts[row.part], json.loads(row.text)
        if isinstance(value, dict):
            if part.file.suffix.lower() == ".csv":
                value = row_of_cells(value.items(), types)
            if split.column in fields and part.school:
                value.setdefault(split.column, part.school)
            elif split.column not in fields:
                value.pop(split.column, None)
            kept.update(name for name, v in value.items() if v is not None)
        made.append(value)

    at = [(row.part, row.number) for row in rows]

    def place(i: int) -> str:
        return split.parts[at[i][0]].place(at[i][1])

    return RawTable(relation, split.parts[rows[0].part].source, made, place, frozenset(kept))


def rows_digest(split: Split, rows: Iterable[SplitRow]) -> str:
    """SHA-256 of the rows of a school, with where they stand."""
    total = hashlib.sha256()
    for row in rows:
        part = split.parts[row.part]
        total.update(f"{part.relation}\0{part.within}\0{row.number}\0{row.text}\n".encode())
    return total.hexdigest()
