"""Full terms: what was planted is what is found, no more and no less, and snapshots of the reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from policycheck.run import run
from syrupy.assertion import SnapshotAssertion

from tests.support import ROOT, Ran

TERMS = sorted(
    f for f in (ROOT / "fixtures").glob("*/*.json") if f.with_suffix("").with_suffix(".planted.json").exists()
)
TERMS = [f for f in TERMS if not f.name.endswith(".planted.json")]


def name(file: Path) -> str:
    return file.relative_to(ROOT / "fixtures").with_suffix("").as_posix().replace("/", "-")


def key(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["rule"], json.dumps(entry["subject"], sort_keys=True), entry["outcome"]


def test_there_is_a_full_term() -> None:
    assert TERMS


@pytest.mark.parametrize("term", TERMS, ids=name)
def test_planted_is_found_and_nothing_else(term: Path) -> None:
    planted = json.loads(term.with_suffix("").with_suffix(".planted.json").read_text(encoding="utf-8"))
    expected = sorted(key(e) for e in planted["findings"] + planted["attested"])
    found = sorted(key(f) for f in run(term).as_json()["findings"])
    assert found == expected


@pytest.mark.parametrize("term", TERMS, ids=name)
def test_every_rule_with_records_is_exercised(term: Path) -> None:
    idle = {r.id for r in run(term).rules if r.applied == 0}
    # the share test of set order applies only where `set_order_basis` is set to it
    assert idle <= {"deployment.4.2.b.share"}


@pytest.mark.parametrize("term", TERMS, ids=name)
def test_report_as_table(term: Path, command: Callable[..., Ran], text_snapshot: SnapshotAssertion) -> None:
    ran = command("run", term.relative_to(ROOT))
    assert ran.code == 1
    assert ran.err == ""
    assert ran.out == text_snapshot


@pytest.mark.parametrize("term", TERMS, ids=name)
def test_report_as_json(
    term: Path, policycheck_findings: Callable[..., str], text_snapshot: SnapshotAssertion
) -> None:
    from_here = Path("..") / term.relative_to(ROOT)
    assert policycheck_findings(from_here) == text_snapshot


@pytest.mark.parametrize("term", TERMS, ids=name)
def test_same_bytes_again(term: Path, command: Callable[..., Ran], tmp_path: Path) -> None:
    outputs = []
    for zone, hashing in (("UTC", "1"), ("Pacific/Auckland", "2")):
        out = tmp_path / f"{hashing}.json"
        command("run", term, "--format", "json", "-o", out, TZ=zone, PYTHONHASHSEED=hashing, LC_ALL="C")
        outputs.append(out.read_bytes())
    assert outputs[0] == outputs[1]
