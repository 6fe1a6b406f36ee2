"""What policycheck is measured beside finds what the hand-written script finds."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

SIX = ROOT / "benchmarks" / "six-rules"
PEERS = sorted((ROOT / "benchmarks" / "peers").glob("with_*.py"))
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
