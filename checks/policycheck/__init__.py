"""policycheck: a school's policy as rules, judged over the records of a term.

    result = policycheck.run("term.json")
    result.findings          every outcome but met and not applicable, worst first
    result.as_json()         the versioned public form

Errors are PolicycheckError; RecordsError, PolicyError and SettingsError hold all problems that were found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policycheck.errors import (
    PolicycheckError,
    PolicyError,
    Problem,
    RecordsError,
    SettingsError,
    UsageError,
)

if TYPE_CHECKING:
    from policycheck.findings import Finding
    from policycheck.run import Result, run

__version__ = "0.1.0"

__all__ = [
    "Finding",
    "PolicyError",
    "PolicycheckError",
    "Problem",
    "RecordsError",
    "Result",
    "SettingsError",
    "UsageError",
    "run",
]

_LATER = {"run": "policycheck.run", "Result": "policycheck.run", "Finding": "policycheck.findings"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module `policycheck` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
