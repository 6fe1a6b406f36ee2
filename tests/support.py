"""What the tests import from each other."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


def copied(folder: Path, into: Path, *edits: tuple[str, str, str]) -> Path:
    """A copy of a folder; an edit names a file, a text that stands in it once, and the text to put there."""
    shutil.copytree(folder, into)
    for name, find, new in edits:
        text = (into / name).read_text(encoding="utf-8")
        assert text.count(find) == 1, f"{find!r} stands {text.count(find)} times in {name}"
        (into / name).write_text(text.replace(find, new), encoding="utf-8")
    return into
