"""The six rules, a policy with a record model of its own, find what the hand-written script finds."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import DURABLE

FOLDER = Path(__file__).parents[1] / "benchmarks" / "six-rules"
SHA_OF_1000 = "0c066f4731b06f89f1eef82b0759a8ec2a554e875cffff132d879b5f5532b5b0"


@pytest.fixture(scope="module", params=[1_000, 10_000])
def outdir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records of a term with so many deployments."""
    folder = tmp_path_factory.mktemp("six-rules") / str(request.param)
    run(FOLDER / "generate.py", request.param, folder)
    return folder


def run(*arguments: object, status: int = 0) -> str:
    """What a Python command prints, if it ends with this status."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == status, done.stderr
    return done.stdout


@pytest.mark.parametrize("engine", ["auto", DURABLE])
def test_the_findings_are_those_of_the_reference(outdir: Path, engine: str) -> None:
    options = ("--policy", FOLDER, "--engine", engine, "--format", "json")
    report = json.loads(run("-m", "policycheck", "run", outdir / "term.json", *options, status=1))
    found = [(finding["rule"], "|".join(finding["subject"].values())) for finding in report["findings"]]
    expected = [tuple(line.split("\t")) for line in run(FOLDER / "reference.py", outdir).splitlines()]
    assert sorted(found) == expected
    assert {finding["outcome"] for finding in report["findings"]} == {"breach"}


def test_the_generator_writes_the_same_bytes_as_ever(tmp_path: Path) -> None:
    run(FOLDER / "generate.py", 1_000, tmp_path)
    assert hashlib.sha256((tmp_path / "term.json").read_bytes()).hexdigest() == SHA_OF_1000
