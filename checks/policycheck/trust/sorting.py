"""Rows of several schools sorted into a folder for each, in bounded memory.

Each part file is read once, by the reader that also reads it for one school alone, in a process of its own.
What it has of a school goes into one file: number and text of each row, a line each. No row is compared with
any other, so there is no sort that could run out of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from policycheck.errors import PolicycheckError, Problem, RecordsError, UsageError, shown_path
from policycheck.records.split import Part, Split, SplitRow, rows_of
from policycheck.trust.folder import Mixed, file_name
from policycheck.trust.workers import Died, spread

MOST = 16_000_000
"""So many characters are held before they are written."""


def sorted_schools(split: Split, work: Path, jobs: int) -> list[Mixed]:
    """The schools of a folder by name, with their rows below the folder `work`.

    Raises RecordsError for rows that name no school: they might be of any.
    """
    problems: list[Problem] = []
    names: set[str] = set()
    parts = list(enumerate(split.parts))
    for (_, part), found in spread(partial(sort_part, work, split.column), parts, jobs):
        if isinstance(found, Died):
            raise PolicycheckError(f"{part.source}: {found}")
        names |= found[0]
        problems += found[1]
    if problems:
        raise RecordsError(sorted(problems, key=lambda p: p.file))
    if not names:
        raise UsageError(f"the files in `{shown_path(split.folder)}` have no rows")
    return [Mixed(split, name, partial(rows_in, work / file_name(name))) for name in sorted(names)]


def sort_part(work: Path, column: str, numbered: tuple[int, Part]) -> tuple[set[str], list[Problem]]:
    """Write the rows of a part to its schools' folders; the schools, and what is wrong with rows."""
    i, part = numbered
    problems: list[Problem] = []
    names: set[str] = set()
    held: dict[str, list[str]] = {}
    size = 0
    for school, number, text in rows_of(part, column, problems):
        held.setdefault(school, []).append(f"{number}\t{text}\n")
        size += len(text)
        if size > MOST:
            put_down(held, work, i)
            names |= held.keys()
            held, size = {}, 0
    put_down(held, work, i)
    return names | held.keys(), problems


def put_down(held: dict[str, list[str]], work: Path, part: int) -> None:
    """Add rows to the files of their schools."""
    for school, lines in held.items():
        folder = work / file_name(school)
        folder.mkdir(exist_ok=True)
        with (folder / str(part)).open("a", encoding="utf-8", newline="\n") as stream:
            stream.writelines(lines)


def rows_in(folder: Path) -> Iterator[SplitRow]:
    """The rows in the folder of a school, in the order of the input."""
    for file in sorted(folder.iterdir(), key=lambda f: int(f.name)):
        with file.open(encoding="utf-8", newline="\n") as stream:
            for line in stream:
                number, text = line.rstrip("\n").split("\t", 1)
                yield SplitRow(int(file.name), int(number), text)
