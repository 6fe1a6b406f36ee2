"""What the tests import from each other."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from policycheck.engines import evaluator
from policycheck.errors import UsageError

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


def closed(schema: Any) -> Any:
    """A JSON Schema in which every object has the properties that are described, and no others."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    return {**made, "additionalProperties": False} if isinstance(made.get("properties"), dict) else made


def durable_missing() -> str:
    """Why durable-rules cannot be used here; empty when it can."""
    try:
        evaluator("durable")
    except UsageError as error:
        return str(error)
    return ""


WITHOUT_DURABLE = durable_missing()
MUST_HAVE_IT = bool(os.environ.get("POLICYCHECK_ALL_ENGINES")) and sys.version_info < (3, 13)
"""In CI (.ci/run) the tests on durable-rules are never left out, but for a Python that cannot import it."""

needs_durable = pytest.mark.skipif(bool(WITHOUT_DURABLE) and not MUST_HAVE_IT, reason=WITHOUT_DURABLE)
DURABLE = pytest.param("durable", marks=needs_durable)
