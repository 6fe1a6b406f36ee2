"""YAML as data with places: every value knows the line and column it stands at.

Only `true` and `false` are booleans and only `null`, `~` and nothing are null; yes, no, on, dates and
times are texts. A key that stands twice in one mapping is an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from msgspec import Struct
from policycheck_engine.problems import Origin

from policycheck.errors import PolicyError, Problem, shown_path

Path_ = tuple[str | int, ...]

INT = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+")
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Place(Origin, Struct, frozen=True):
    """Where a value stands in a document: the document and the keys that lead to it."""

    document: Document
    path: Path_ = ()

    def __truediv__(self, key: str | int) -> Place:
        return Place(self.document, (*self.path, key))

    def problem(self, code: str, message: str, help_: str = "", key: bool = False) -> Problem:
        """A problem at this place, or at its key."""
        line, column = self.document.find(self.path, key)
        return Problem(shown_path(self.document.file), f"{line}:{column}", code, message, help_)


class Document:
    """A YAML file: its data, and line and column (from 1) of each value and of each key by path.

    Of a document that comes from the cache only the file is known; the rest is read when it is asked for.
    """

    __slots__ = ("data", "file", "keys", "values")

    def __init__(self, file: Path) -> None:
        self.file = file
        self.data: Any = None
        self.values: dict[Path_, tuple[int, int]] = {}
        self.keys: dict[Path_, tuple[int, int]] = {}

    def __getstate__(self) -> Path:
        return self.file

    def __setstate__(self, file: Path) -> None:
        self.file = file

    def __getattr__(self, name: str) -> Any:
        if name not in ("data", "values", "keys"):
            raise AttributeError(name)
        again = load(self.file, [])
        self.data, self.values, self.keys = again.data, again.values, again.keys
        return getattr(self, name)

    @property
    def root(self) -> Place:
        return Place(self)

    def find(self, path: Path_, key: bool = False) -> tuple[int, int]:
        """The place of a value, or of its key; of the nearest thing around it, when it is not there."""
        while True:
            place = (self.keys.get(path) if key else None) or self.values.get(path) or self.keys.get(path)
            if place is not None or not path:
                return place or (1, 1)
            path = path[:-1]


def load(file: Path, problems: list[Problem]) -> Document:
    """The document of a file; what cannot be read is added to the problems."""
    import yaml

    document = Document(file)
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        problems.append(Problem(shown_path(file), "", "no-file", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(shown_path(file), "", "not-text", "is not UTF-8 text", "save it as UTF-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = " ".join(part for part in (error.context, error.problem) if part)
        problems.append(
            Problem(
                shown_path(file),
                where,
                "bad-yaml",
                f"is not valid YAML: {what}",
                "look at the indentation, brackets and quotation marks of this line and the one before",
            )
        )
    else:
        if node is not None:
            document.data = _construct(node, (), document, problems)
    return document


def load_or_fail(file: Path) -> Document:
    """The document of a file, or PolicyError."""
    problems: list[Problem] = []
    document = load(file, problems)
    if problems:
        raise PolicyError(problems)
    return document


def _construct(node: Any, path: Path_, document: Document, problems: list[Problem]) -> Any:
    document.values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if node.id == "scalar":
        return scalar(node.value) if node.style in (None, "") else node.value
    if node.id == "sequence":
        return [_construct(item, (*path, i), document, problems) for i, item in enumerate(node.value)]
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        below = (*path, key)
        place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if key in data:
            problems.append(
                Problem(
                    shown_path(document.file),
                    f"{place[0]}:{place[1]}",
                    "key-twice",
                    f"`{key}` stands twice in one mapping",
                    "write the two as items of a list, or take one out",
                )
            )
        document.keys[below] = place
        data[key] = _construct(value_node, below, document, problems)
    return data


def scalar(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar."""
    if text in WORDS:
        return WORDS[text]
    if INT.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text
