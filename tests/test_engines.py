"""Every evaluator gives the same result on whole terms; the naive one is for small ones only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from policycheck.errors import UsageError
from policycheck.records.check import Table, Tables
from policycheck.run import MEMORY_ROWS, chosen_engine, run
from policycheck_engine import Relation

from tests.support import ROOT

TERM = ROOT / "fixtures" / "woodlands" / "summer-2021.json"


def test_full_term_on_duckdb_and_in_memory(policycheck_findings: Callable[..., str]) -> None:
    assert policycheck_findings(TERM, engine="duckdb") == policycheck_findings(TERM, engine="memory")


@pytest.mark.parametrize("engine", ["memory", "duckdb", "naive"])
def test_small_records_on_every_engine(engine: str, policycheck_findings: Callable[..., str]) -> None:
    records = ROOT / "fixtures" / "small" / "good.json"
    assert policycheck_findings(records, engine=engine) == policycheck_findings(records)


def test_the_choice_depends_on_the_rows_alone() -> None:
    def tables(rows: int) -> Tables:
        return {"r": Table(Relation("r", ()), "", [()] * rows, lambda i: "")}

    assert chosen_engine("auto", tables(1)) == "memory"
    assert chosen_engine("auto", tables(MEMORY_ROWS + 1)) == "duckdb"
    assert chosen_engine("duckdb", tables(1)) == "duckdb"


def test_unknown_engine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no engine `rete`"):
        run(ROOT / "fixtures" / "small" / "good.json", engine="rete")
