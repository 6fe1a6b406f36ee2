"""What a process of policycheck imports: what its command needs, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

HEAVY = {"duckdb", "jinja2", "jsonschema", "pandas", "python_calamine", "rich", "tabulate", "yaml"}
SAYS = """
import json, sys
from policycheck.cli import app
try:
    app(json.loads(sys.argv[1]), prog_name="policycheck")
except SystemExit as end:
    assert end.code in (0, 1), end.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def imported(*command: str) -> set[str]:
    """The modules that a command has imported when it is done."""
    process = [sys.executable, "-c", SAYS, json.dumps(command)]
    done = subprocess.run(process, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("name", ["run", "schema", "verify"])
def test_a_command_imports_no_other(name: str) -> None:
    modules = {m for m in imported(name, "--help") if m.startswith("policycheck.commands.")}
    assert modules == {f"policycheck.commands.{name}", "policycheck.commands.shared"}


def test_the_version_imports_no_command() -> None:
    assert not {m for m in imported("--version") if m.startswith("policycheck_engine")}


def test_a_warm_run_imports_nothing_heavy(tmp_path: Path) -> None:
    run = (
        "run",
        "fixtures/holy-cross/summer-2021.json",
        "--format",
        "json",
        "-o",
        str(tmp_path / "out.json"),
    )
    imported(*run)
    assert imported(*run) & HEAVY == set()
