"""A pytest plugin for a school's own repository: its findings, as stable text for a snapshot.

    def test_findings(policycheck_findings, snapshot):
        assert policycheck_findings("summer-2021.json") == snapshot

Paths are relative to the folder of the test.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from policycheck.run import Result


@pytest.fixture
def policycheck_result(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """`policycheck.run` with a path relative to the test; it takes the same options."""
    folder = request.path.parent

    def result(records: str | Path, policy: str | Path | None = None, **options: Any) -> Result:
        from policycheck.run import run

        with contextlib.chdir(folder):
            return run(records, None if policy is None else str(policy), **options)

    return result


@pytest.fixture
def policycheck_findings(policycheck_result: Callable[..., Result]) -> Callable[..., str]:
    """What a run found, as JSON text for a snapshot: the whole form but its receipt.

    The receipt holds hashes and the version of the program, which change when no finding does.
    """

    def findings(records: str | Path, policy: str | Path | None = None, **options: Any) -> str:
        form = policycheck_result(records, policy, **options).as_json()
        del form["receipt"]
        return json.dumps(form, ensure_ascii=False, indent=1) + "\n"

    return findings
