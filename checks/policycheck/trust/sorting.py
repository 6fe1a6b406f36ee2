"""Rows of several schools sorted by school, on disk and in bounded memory, by DuckDB.

Each part file is read once, by the reader that also reads it for one school alone, and its rows are written
beside each other; DuckDB sorts them, and finds those of one school quickly afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from policycheck.errors import PolicycheckError, Problem, RecordsError, UsageError, shown_path
from policycheck.records.split import Part, Split, SplitRow, rows_of
from policycheck.trust.folder import Mixed
from policycheck.trust.workers import Died, spread

MEMORY = "256MB"
"""What DuckDB may take before it sorts on disk."""

SORTED = "sorted.parquet"


def sorted_schools(split: Split, work: Path, jobs: int) -> list[Mixed]:
    """The schools of a folder by name, with their rows in the folder `work`.

    Raises RecordsError for rows that name no school: they might be of any.
    """
    problems: list[Problem] = []
    parts = list(enumerate(split.parts))
    for (_, part), found in spread(partial(unsorted, work, split.column), parts, jobs):
        if isinstance(found, Died):
            raise PolicycheckError(f"{part.source}: {found}")
        problems += found
    if problems:
        raise RecordsError(sorted(problems, key=lambda p: p.file))
    [(_, names)] = spread(sort_by_school, [work], 1)
    if isinstance(names, Died):
        raise PolicycheckError(f"{shown_path(split.folder)}: sorting the rows by school: {names}")
    if not names:
        raise UsageError(f"the files in `{shown_path(split.folder)}` have no rows")
    return [Mixed(split, name, partial(rows_of_school, work / SORTED, name)) for name in names]


def unsorted(work: Path, column: str, numbered: tuple[int, Part]) -> list[Problem]:
    """Write the rows of a part with their school into a file of their own; return what is wrong with them."""
    i, part = numbered
    problems: list[Problem] = []
    with (work / f"{i}.ndjson").open("w", encoding="utf-8") as stream:
        for school, number, text in rows_of(part, column, problems):
            row = {"school": school, "part": i, "number": number, "text": text}
            stream.write(json.dumps(row) + "\n")
    return problems


def sort_by_school(work: Path) -> list[str]:
    """Sort what was written, remove it, and return the schools."""
    import duckdb

    columns = "{school: 'VARCHAR', part: 'INTEGER', number: 'BIGINT', text: 'VARCHAR'}"
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute("SET temp_directory = ?", [str(work / "spilled")])
        connection.execute(
            f"COPY (SELECT * FROM read_json(?, format = 'newline_delimited', columns = {columns}) "
            f"ORDER BY school, part, number) TO '{quoted(work / SORTED)}' (ROW_GROUP_SIZE 10000)",
            [str(work / "*.ndjson")],
        )
        names = connection.execute(
            "SELECT DISTINCT school FROM read_parquet(?) ORDER BY school", [str(work / SORTED)]
        ).fetchall()
    for file in work.glob("*.ndjson"):
        file.unlink()
    return [name for (name,) in names]


def quoted(path: Path) -> str:
    """A path between quotation marks of SQL."""
    return str(path).replace("'", "''")


def rows_of_school(file: Path, school: str) -> Iterator[SplitRow]:
    """The rows of a school, in the order of the input."""
    import duckdb

    query = "SELECT part, number, text FROM read_parquet(?) WHERE school = ? ORDER BY part, number"
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        result = connection.execute(query, [str(file), school])
        while batch := result.fetchmany(10_000):
            yield from (SplitRow(*row) for row in batch)
