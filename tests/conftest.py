"""What the tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.support import ROOT, Ran


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests have a cache of their own, which is empty when they begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLICYCHECK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def command() -> Callable[..., Ran]:
    """Run `policycheck` as a process of its own, from the root of the repository."""

    def ran(*args: str | Path, cwd: Path = ROOT, **env: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "policycheck", *map(str, args)],
            cwd=cwd,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", **env},
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return ran


class TextFile(SingleFileSnapshotExtension):
    """A snapshot as a text file of its own, which reads like what it is."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def text_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """A snapshot in a text file."""
    return snapshot.use_extension(TextFile)


@pytest.fixture
def root() -> Path:
    """The root of the repository."""
    return ROOT
