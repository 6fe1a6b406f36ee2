"""Questionnaires that came back, read line by line with the place of every answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from policycheck.attest.questionnaire import COVER, FILLED, HEADINGS, PEOPLE, SUFFIXES
from policycheck.errors import Problem, UsageError, shown_path
from policycheck.messages import listed
from policycheck.structure import structure_problems
from policycheck.workbook import ReadSheet, read_workbook
from policycheck.yamlfile import load


class Filled(Struct, frozen=True):
    """One line that came back: its texts by key (None is empty), where they stand and how they are called."""

    file: str
    texts: Mapping[str, str | None]
    where: Callable[[str], str]
    names: Mapping[str, str]

    def problem(self, code: str, message: str, help_: str, at: str) -> Problem:
        """A problem with one part of the line."""
        return Problem(self.file, self.where(at), code, message, help_)

    def called(self, key: str) -> str:
        """What the person who fills it in sees as the name of a part."""
        return f"`{self.names[key]}`"

    @property
    def blank(self) -> bool:
        """Whether nothing was filled in."""
        return all(self.texts.get(key) is None for key in FILLED)


def read_questionnaire(file: Path, problems: list[Problem]) -> tuple[dict[str, str], list[Filled]]:
    """The heading and the lines of a questionnaire; what cannot be read is added to the problems."""
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(f"`{file}` is no questionnaire: its name ends in {', '.join(SUFFIXES)}")
    if file.suffix.lower() != ".xlsx":
        return read_yaml(file, problems)
    sheets = read_workbook(file, problems)
    return ({}, []) if problems else read_sheets(shown_path(file), sheets, problems)


def read_yaml(file: Path, problems: list[Problem]) -> tuple[dict[str, str], list[Filled]]:
    """The heading and the lines of a YAML questionnaire."""
    document = load(file, problems)
    if not problems:
        problems += structure_problems(document, "questionnaire")
    if problems:
        return {}, []
    heading = {key: str(value or "") for key, value in document.data.items() if key != "roles"}
    found = []
    for role, entries in document.data["roles"].items():
        for i, entry in enumerate(entries or ()):

            def where(key: str, path: tuple[str | int, ...] = ("roles", role, i)) -> str:
                line, column = document.find(path[:2] if key == "role" else (*path, key), key == "role")
                return f"{line}:{column}"

            texts = {key: text_of(value) for key, value in entry.items()} | {"role": role}
            found.append(Filled(shown_path(file), texts, where, {key: key for key in HEADINGS}))
    return heading, found


def text_of(value: object) -> str | None:
    """A value of YAML as a text; a list as lines."""
    if isinstance(value, list):
        return "\n".join(str(v) for v in value if v is not None) or None
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value).strip() or None


def read_sheets(
    file: str, sheets: Iterable[ReadSheet], problems: list[Problem]
) -> tuple[dict[str, str], list[Filled]]:
    """The heading and the lines of the sheets of a workbook."""
    by_name = {sheet.name: sheet for sheet in sheets}
    cover = by_name.pop(COVER, None)
    by_name.pop(PEOPLE, None)
    if cover is None:
        message = f"the sheet `{COVER}` is missing"
        help_ = "it says for which term the answers are; fill in the workbook as it was sent"
        problems.append(Problem(file, "", "no-cover", message, help_))
    found: list[Filled] = []
    for sheet in by_name.values():
        found += lines_of(file, sheet, problems)
    return (cover_values(cover) if cover else {}), found


def cover_values(cover: ReadSheet) -> dict[str, str]:
    """The names and values of the first page."""
    rows = (row for row in cover.cells if len(row) > 1 and row[0])
    return {str(row[0]).replace(" ", "_"): row[1] or "" for row in rows}


def lines_of(file: str, sheet: ReadSheet, problems: list[Problem]) -> Iterator[Filled]:
    """The lines of one sheet that has the headings of a questionnaire."""
    if not any(map(any, sheet.cells)):
        return
    lacking = [f"`{heading}`" for heading in HEADINGS.values() if heading not in sheet.row(0)]
    if lacking:
        message = f"has no heading {listed(lacking)}"
        help_ = "leave the first row of each sheet as it was, and keep notes in another file"
        problems.append(Problem(file, f"sheet {sheet.name}", "no-headings", message, help_))
        return
    places = {key: sheet.row(0).index(heading) for key, heading in HEADINGS.items()}
    for r, row in enumerate(sheet.cells[1:], 1):
        if any(row):

            def where(key: str, r: int = r) -> str:
                return sheet.at(r, places[key])

            texts = {key: row[c] if c < len(row) else None for key, c in places.items()}
            yield Filled(file, texts, where, HEADINGS)
