"""What the tests import from each other."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from policycheck.errors import UsageError
from policycheck.run import evaluator

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


def durable_missing() -> str:
    """Why durable-rules cannot be used here; empty when it can."""
    try:
        evaluator("durable")
    except UsageError as error:
        return str(error)
    return ""


WITHOUT_DURABLE = durable_missing()
MUST_HAVE_IT = bool(os.environ.get("POLICYCHECK_ALL_ENGINES")) and sys.version_info < (3, 13)
"""In CI the tests of durable-rules are never left out, where it can be had."""

needs_durable = pytest.mark.skipif(bool(WITHOUT_DURABLE) and not MUST_HAVE_IT, reason=WITHOUT_DURABLE)
DURABLE = pytest.param("durable", marks=needs_durable)
