"""Spreadsheets for people to fill in: written so that the same input gives the same bytes, and read back.

A sheet has headings that stay in view, columns of a sensible width, and cells that only take what fits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from msgspec import Struct

from policycheck.errors import Problem, shown_path

NAME_LENGTH = 31
NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\']")
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class Column(Struct, frozen=True):
    """A column: its heading, how wide it is, and what its cells take.

    `choices` are the words of a drop-down, or `choices_in` the sheet and heading of a column that has them;
    `between` are the first and last day that a date may be; `fill` marks what is to be filled in.
    """

    heading: str
    width: int = 12
    kind: Literal["text", "date"] = "text"
    choices: tuple[str, ...] = ()
    choices_in: tuple[str, str] | None = None
    between: tuple[str, str] | None = None
    fill: bool = False
    hint: str = ""


class Sheet(Struct, frozen=True):
    """A sheet with headings and rows of texts; None is an empty cell."""

    name: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[str | None]]


class Page(Struct, frozen=True):
    """A sheet that is read, not filled in: a title, paragraphs, and names with values below."""

    name: str
    title: str
    paragraphs: tuple[str, ...]
    values: tuple[tuple[str, str], ...] = ()


def sheet_names(wanted: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Names that a spreadsheet program takes for sheets: not too long, no odd characters, each once."""
    used = {name.lower() for name in taken}
    names = []
    for text in wanted:
        base = NOT_IN_NAMES.sub(" ", text).strip()[:NAME_LENGTH] or "sheet"
        name, n = base, 1
        while name.lower() in used:
            n += 1
            name = f"{base[: NAME_LENGTH - len(str(n)) - 1].rstrip()} {n}"
        used.add(name.lower())
        names.append(name)
    return names


def workbook_bytes(sheets: Sequence[Sheet | Page], created: str) -> bytes:
    """An .xlsx file; `created` is the day that it says it was made, ISO."""
    import xlsxwriter

    stream = BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    book.set_properties({"created": datetime.fromisoformat(created)})
    writer = _Writer(book, sheets)
    for sheet in sheets:
        writer.page(sheet) if isinstance(sheet, Page) else writer.sheet(sheet)
    book.close()
    return stored(stream)


def stored(file: BytesIO) -> bytes:
    """The same file, not compressed: what compressing makes depends on the machine's library."""
    out = BytesIO()
    with ZipFile(file) as old, ZipFile(out, "w", ZIP_STORED) as new:
        for name in old.namelist():
            info = ZipInfo(name, ZIP_DATE)
            info.create_system = 3
            new.writestr(info, old.read(name))
    return out.getvalue()


class _Writer:
    """Writes the sheets of one workbook."""

    def __init__(self, book: Any, sheets: Sequence[Sheet | Page]) -> None:
        self.book = book
        self.lists = {
            (sheet.name, column.heading): (place, sum(row[place] is not None for row in sheet.rows))
            for sheet in sheets
            if isinstance(sheet, Sheet)
            for place, column in enumerate(sheet.columns)
        }
        top = {"valign": "top", "text_wrap": True}
        box = {**top, "border": 1, "border_color": "#BFBFBF"}
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.name = book.add_format({"bold": True, "valign": "top"})
        self.paragraph = book.add_format(top)
        self.heading = book.add_format({**box, "bold": True, "bg_color": "#D9E2F3"})
        day = {"num_format": "yyyy-mm-dd"}
        fill = {"bg_color": "#FFF9E5"}
        self.cells = {
            ("text", False): book.add_format(box),
            ("text", True): book.add_format({**box, **fill}),
            ("date", False): book.add_format({**box, **day}),
            ("date", True): book.add_format({**box, **fill, **day}),
        }

    def page(self, page: Page) -> None:
        sheet = self.book.add_worksheet(page.name)
        sheet.set_column(0, 0, 16)
        sheet.set_column(1, 1, 90)
        sheet.hide_gridlines(2)
        sheet.write_string(0, 0, page.title, self.title)
        row = 2
        for number, text in enumerate(page.paragraphs, 1):
            sheet.write_string(row, 0, str(number), self.name)
            sheet.write_string(row, 1, text, self.paragraph)
            row += 1
        for name, value in page.values:
            row += 1
            sheet.write_string(row, 0, name, self.name)
            sheet.write_string(row, 1, value, self.paragraph)

    def sheet(self, sheet: Sheet) -> None:
        out = self.book.add_worksheet(sheet.name)
        out.freeze_panes(1, 0)
        for c, column in enumerate(sheet.columns):
            out.set_column(c, c, column.width)
            out.write_string(0, c, column.heading, self.heading)
            if sheet.rows:
                self.validate(out, c, column, len(sheet.rows))
        for r, row in enumerate(sheet.rows, 1):
            for c, (column, value) in enumerate(zip(sheet.columns, row, strict=True)):
                cell = self.cells[column.kind, column.fill]
                if value is None:
                    out.write_blank(r, c, None, cell)
                elif column.kind == "date":
                    out.write_datetime(r, c, datetime.fromisoformat(value), cell)
                else:
                    out.write_string(r, c, value, cell)
        if sheet.rows:
            out.autofilter(0, 0, len(sheet.rows), len(sheet.columns) - 1)
        out.set_landscape()
        out.fit_to_pages(1, 0)
        out.repeat_rows(0)

    def validate(self, out: Any, c: int, column: Column, last: int) -> None:
        """Let the cells of a column take only what fits; the hint stands beside a cell that is chosen."""
        rule: dict[str, Any] = {"validate": "any"}
        if column.choices:
            rule = {"validate": "list", "source": list(column.choices)}
        elif column.choices_in in self.lists and self.lists[column.choices_in][1]:
            from xlsxwriter.utility import xl_range_abs

            place, rows = self.lists[column.choices_in]
            where = xl_range_abs(1, place, rows, place)
            rule = {"validate": "list", "source": f"='{column.choices_in[0]}'!{where}"}
        elif column.between:
            first, last_day = map(date.fromisoformat, column.between)
            rule = {"validate": "date", "criteria": "between", "minimum": first, "maximum": last_day}
        if column.hint:
            rule |= {"input_title": column.heading[:32], "input_message": column.hint[:255]}
        if len(rule) > 1:
            out.data_validation(1, c, last, c, rule)


class ReadSheet(Struct, frozen=True):
    """A sheet as it was read: texts by row and column, from 0; None is an empty cell."""

    name: str
    cells: list[list[str | None]]

    def row(self, place: int) -> list[str | None]:
        """One row, or nothing when the sheet has not so many."""
        return self.cells[place] if place < len(self.cells) else []

    def at(self, row: int, column: int) -> str:
        """A place in words: "sheet teacher, cell G7"."""
        return f"sheet {self.name}, cell {letters(column)}{row + 1}"


def read_workbook(file: Path, problems: list[Problem]) -> list[ReadSheet]:
    """The sheets of a workbook; what cannot be read is added to the problems."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(file)
        return [
            ReadSheet(name, [list(map(cell_text, row)) for row in rows])
            for name in book.sheet_names
            for rows in [book.get_sheet_by_name(name).to_python(skip_empty_area=False)]
        ]
    except (CalamineError, OSError) as error:
        message = f"cannot be read as a workbook: {str(error).splitlines()[0]}"
        problems.append(
            Problem(shown_path(file), "", "bad-workbook", message, "save it as an Excel workbook (.xlsx)")
        )
        return []


def cell_text(value: Any) -> str | None:
    """The value of a cell as a text: dates and times as ISO texts, whole numbers without a point."""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def letters(column: int) -> str:
    """The letters of a column by its position from 0: A, B, ... Z, AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
