"""What policycheck is measured beside finds what the hand-written script finds."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from policycheck.run import run as judge

from tests.support import ROOT

SIX = ROOT / "benchmarks" / "six-rules"
BY_HAND = ROOT / "benchmarks" / "peers" / "with_python.py"
PEERS = sorted({*BY_HAND.parent.glob("with_*.py")} - {BY_HAND})
PACKAGES = {"rego": "regopy"}


def package_of(peer: Path) -> str:
    name = peer.stem.removeprefix("with_")
    return PACKAGES.get(name, name)


def run(*arguments: object) -> str:
    """What a Python script prints."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def outdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("six-rules")
    run(SIX / "generate.py", 300, folder)
    return folder


def test_there_are_peers() -> None:
    assert len(PEERS) == 7


@pytest.mark.parametrize("peer", PEERS, ids=package_of)
def test_a_peer_finds_what_the_script_finds(peer: Path, outdir: Path) -> None:
    if importlib.util.find_spec(package_of(peer)) is None and os.environ.get("CI") != "true":
        pytest.skip(f"{package_of(peer)} is not installed; it comes with the extra `benchmarks`")
    found = run(peer, outdir)
    assert found.count("\n") > 50
    assert found == run(SIX / "reference.py", outdir)


def test_findings_by_hand_are_those_of_policycheck(outdir: Path, tmp_path: Path) -> None:
    run(BY_HAND, outdir, tmp_path / "result.json")
    by_hand = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["findings"]
    assert len(by_hand) > 50
    assert by_hand == judge(outdir / "term.json", str(SIX)).as_json()["findings"]
