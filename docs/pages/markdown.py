"""Markdown, as far as the pages need it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by docs/make_pages.py. Change what it is made from, not this page. -->"


def text(value: object) -> str:
    """A text in which nothing is taken for Markdown or HTML, on one line."""
    plain = " ".join(str(value).split())
    for char in ("\\", "|", "<", "*", "_", "`"):
        plain = plain.replace(char, "\\" + char)
    return plain


def code(value: object) -> str:
    """A name or value in code type, fit for a table too."""
    return f"`{value}`".replace("|", "\\|")


def codes(values: Iterable[object]) -> str:
    """Several names in code type."""
    return ", ".join(map(code, values))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [row_line(heads), row_line(["---"] * len(heads))]
    return [*lines, *map(row_line, rows), ""]


def row_line(cells: Sequence[str]) -> str:
    return ("| " + " | ".join(cells) + " |").replace("|  |", "| |")


def whole(lines: Iterable[str]) -> str:
    """The text of a page: its lines, with never more than one of them blank in a row."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def counted(number: int, one: str, many: str = "") -> str:
    """So many things, in words."""
    return f"{number} {one if number == 1 else many or one + 's'}"
