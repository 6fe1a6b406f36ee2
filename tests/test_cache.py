"""The cache: what comes from it is what would have been made, and what is wrong with it does no harm."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from policycheck import cache
from policycheck.errors import PolicyError
from policycheck.policy.find import find_pack
from policycheck.policy.load import load_policy, model_of, read_policy
from policycheck.run import run

from tests.support import ROOT

POLICY = ROOT / "tests" / "cases" / "pending"

needs_owners = pytest.mark.skipif(sys.platform == "win32", reason="files have no owner bits there")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is empty."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("POLICYCHECK_CACHE", str(folder))
    return folder


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A library in which a book is not back."""
    return library(tmp_path / "term.json", [{"loan_id": "L1", "due_on": "2021-05-11"}])


def library(file: Path, loans: list[dict[str, Any]]) -> Path:
    usual = {"member_id": "M1", "book_id": "B1", "lent_on": "2021-05-04"}
    data = {
        "members": [{"member_id": "M1", "joined_on": "2020-09-01"}],
        "books": [{"book_id": "B1", "kind": "novel", "pages": 200}],
        "loans": [{**usual, **loan} for loan in loans],
    }
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def judged(records: Path, policy: Path = POLICY, as_of: str = "2021-07-21") -> str:
    return json.dumps(run(records, str(policy), as_of=as_of).as_json(), sort_keys=True)


def test_the_second_run_is_the_first(place: Path, records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = judged(records)
    entries = sorted(place.iterdir())
    assert entries
    assert judged(records) == first
    assert sorted(place.iterdir()) == entries
    monkeypatch.setenv("POLICYCHECK_CACHE", "off")
    assert judged(records) == first


def test_nothing_is_compiled_twice(place: Path, records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = judged(records)
    for name in ("policy.compile.compile_policy", "policy.load.read_policy", "records.model.read_model"):
        monkeypatch.setattr(f"policycheck.{name}", None)
    assert judged(records) == first


@pytest.mark.parametrize("id_", ["woodlands-progress-mentor", "holy-cross-learning-mentor"])
def test_a_policy_that_was_kept_says_what_its_files_say(place: Path, id_: str) -> None:
    folder = find_pack(id_, None).versions[-1][1]
    read = read_policy(folder, model_of(folder))
    for kept in (load_policy(folder), load_policy(folder)):
        assert kept.rules == read.rules
        assert kept.sections == read.sections


def test_another_day_uses_the_same_program(
    place: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, early = judged(records), judged(records, as_of="2021-05-01")
    assert '"breach": 1' in late
    assert '"breach": 1' not in early
    assert len(list(place.glob("steps-*"))) == 1
    monkeypatch.setenv("POLICYCHECK_CACHE", "off")
    assert judged(records) == late
    assert judged(records, as_of="2021-05-01") == early


def test_what_is_unknown_in_the_records_is_told_apart(
    place: Path, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = library(
        tmp_path / "unknown.json", [{"loan_id": "L1", "due_on": "2021-05-11", "member_id": None}]
    )
    warm = [judged(file) for file in (records, unknown, records, unknown)]
    monkeypatch.setenv("POLICYCHECK_CACHE", "off")
    assert warm == [judged(records), judged(unknown)] * 2


def test_a_policy_that_changes_is_read_again(place: Path, records: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cases" / "policy"
    shutil.copytree(POLICY, folder)
    shutil.copy(POLICY.parent / "records.yaml", folder.parent)
    file = folder / "pending.yaml"
    text = file.read_text(encoding="utf-8")
    assert "is with the dog" not in judged(records, folder)
    file.write_text(text.replace("and is not back", "and is with the dog"), encoding="utf-8")
    assert "is with the dog" in judged(records, folder)


def test_a_mistake_in_a_policy_is_told_every_time(place: Path, tmp_path: Path) -> None:
    (tmp_path / "term.json").write_text('{"owners": []}')
    for _ in range(2):
        with pytest.raises(PolicyError, match="visit"):
            run(tmp_path / "term.json", str(ROOT / "tests" / "bad_policies" / "wrong-relation"))


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "another"])
def test_a_damaged_entry_is_made_again(place: Path, records: Path, damage: str) -> None:
    first = judged(records)
    for file in place.iterdir():
        data = file.read_bytes()
        half = len(data) // 2
        flipped = data[:half] + bytes([data[half] ^ 255]) + data[half + 1 :]
        file.write_bytes({"empty": b"", "cut": data[:half], "flipped": flipped, "another": b"x" * 99}[damage])
    assert judged(records) == first
    assert all(cache.read(file.stem) is not None for file in place.iterdir())


@needs_owners
def test_what_others_can_write_is_not_read(place: Path) -> None:
    cache.write("thing", [1])
    (file,) = place.iterdir()
    assert cache.read("thing") == [1]
    file.chmod(0o666)
    assert cache.read("thing") is None
    file.chmod(0o600)
    place.chmod(0o777)
    assert cache.read("thing") is None


@needs_owners
def test_what_another_user_wrote_is_not_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write("thing", [1])
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert cache.read("thing") is None


def test_where_nothing_can_be_written_it_works_without(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYCHECK_CACHE", "off")
    first = judged(records)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POLICYCHECK_CACHE", str(tmp_path / "file" / "cache"))
    assert judged(records) == first


def test_the_oldest_goes_when_there_is_too_much(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 1000)
    for i in range(10):
        cache.write(f"thing{i}", "x" * 300)
        os.utime(place / f"thing{i}.kept", (i, i))
    assert sorted(f.stem for f in place.iterdir()) == ["thing8", "thing9"]
