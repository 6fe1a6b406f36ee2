"""Every evaluator gives the same result on whole terms; the naive one is for small ones only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from policycheck.errors import UsageError
from policycheck.run import evaluator, run

from tests.support import ROOT

TERM = ROOT / "fixtures" / "woodlands" / "summer-2021.json"


def test_full_term_on_duckdb_and_in_memory(policycheck_findings: Callable[..., str]) -> None:
    assert policycheck_findings(TERM, engine="duckdb") == policycheck_findings(TERM, engine="memory")


@pytest.mark.parametrize("engine", ["memory", "duckdb", "naive"])
def test_small_records_on_every_engine(engine: str, policycheck_findings: Callable[..., str]) -> None:
    records = ROOT / "fixtures" / "small" / "good.json"
    assert policycheck_findings(records, engine=engine) == policycheck_findings(records)


def test_the_choice_depends_on_the_rows_alone() -> None:
    assert evaluator("auto", 1) is evaluator("memory", 0)
    assert evaluator("auto", 10**9) is evaluator("duckdb", 0)


def test_unknown_engine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no engine `rete`"):
        run(ROOT / "fixtures" / "small" / "good.json", engine="rete")
