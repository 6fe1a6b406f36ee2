"""Results that were written down: they have the shape of their schema, run again they come out the same,
and two of them can be compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from policycheck.structure import validator
from syrupy.assertion import SnapshotAssertion

from tests.support import ROOT, Ran

SHEETS = "docs/examples/first-sheets"
POLICY = "woodlands-progress-mentor"
Command = Callable[..., Ran]


@pytest.fixture
def result(command: Command, tmp_path: Path) -> Path:
    """A result of the first three sheets, in a folder of their own."""
    shutil.copytree(ROOT / SHEETS, tmp_path / "sheets")
    out = tmp_path / "result.json"
    assert judged(command, tmp_path / "sheets", out).code == 1
    return out


def judged(command: Command, records: Path, out: Path, *options: str) -> Ran:
    return command("run", records, "--policy", POLICY, "--format", "json", "-o", out, *options)


def changed(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    form = json.loads(file.read_text(encoding="utf-8"))
    change(form)
    file.write_text(json.dumps(form), encoding="utf-8")


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_shape(result: Path) -> None:
    form = json.loads(result.read_text(encoding="utf-8"))
    assert [e.message for e in validator("findings").iter_errors(form)] == []


# verify


def test_same_again(command: Command, result: Path) -> None:
    ran = command("verify", result)
    assert (ran.code, ran.out, ran.err) == (0, "It comes out the same.\n", "")


def test_options_are_asked_again(command: Command, result: Path) -> None:
    options = ("--as-of", "2021-06-30", "--section", "review", "--set", "answer_school_days=3")
    judged(command, result.parent / "sheets", result, *options)
    assert command("verify", result).code == 0


def test_records_that_moved(command: Command, result: Path) -> None:
    sheets = result.parent / "sheets"
    sheets.rename(result.parent / "moved")
    ran = command("verify", result)
    assert ran.code == 2
    assert "say where they are with --records PATH" in ran.err
    assert command("verify", result, "--records", result.parent / "moved").code == 0


def test_records_that_changed(command: Command, result: Path, text_snapshot: SnapshotAssertion) -> None:
    replace_in(result.parent / "sheets" / "performance_reviews.csv", "2020-11-12", "2020-11-13")
    ran = command("verify", result)
    assert ran.code == 1
    assert ran.out == text_snapshot


def test_result_that_was_touched_up(command: Command, result: Path) -> None:
    def kinder(form: dict[str, Any]) -> None:
        form["findings"][0]["severity"] = "minor"

    changed(result, kinder)
    ran = command("verify", result)
    assert ran.code == 1
    assert "the result itself was changed after it was written" in ran.out
    assert "severity: minor -> critical" in ran.out


def test_other_rules(command: Command, result: Path, tmp_path: Path) -> None:
    pets = ROOT / "tests" / "bad_policies"
    shutil.copytree(pets / "good", tmp_path / "policy")
    shutil.copy(pets / "records.yaml", tmp_path / "policy")
    records = tmp_path / "visits.json"
    records.write_text('{"visits": []}', encoding="utf-8")
    options = ("--as-of", "2021-01-01", "--format", "json", "-o", result)
    assert command("run", records, "--policy", tmp_path / "policy", *options).code == 0
    assert command("verify", result).code == 0
    replace_in(tmp_path / "policy" / "policy.yaml", "title: ", "title: The new ")
    ran = command("verify", result)
    assert ran.code == 1
    assert "the rules of pets have changed" in ran.out


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"form": "policycheck/findings/9"}', '{"form": "policycheck/findings/1"}'],
    ids=["empty", "broken", "list", "no-form", "other-form", "nothing-in-it"],
)
def test_what_is_no_result(
    text: str, command: Command, tmp_path: Path, text_snapshot: SnapshotAssertion
) -> None:
    file = tmp_path / "result.json"
    file.write_text(text, encoding="utf-8")
    for ran in (command("verify", file), command("compare", file, file)):
        assert ran.code == 2
        assert ran.out == ""
        assert ran.err.replace(str(file), "result.json") == text_snapshot


# compare


def test_same_result(command: Command, result: Path) -> None:
    ran = command("compare", result, result)
    assert ran.code == 0
    assert "0 new, 0 resolved, 0 changed" in ran.out


def test_new_resolved_and_changed(command: Command, result: Path, text_snapshot: SnapshotAssertion) -> None:
    sheets = result.parent / "sheets"
    reviews = sheets / "performance_reviews.csv"
    lines = reviews.read_text(encoding="utf-8").splitlines()
    lines.append("R9,M02,annual,2020-21,2021-06-01,none,,yes")
    reviews.write_text("\n".join(lines) + "\n", encoding="utf-8")
    later = result.parent / "later.json"
    judged(command, sheets, later)
    ran = command("compare", result, later)
    assert ran.code == 1
    assert ran.out == text_snapshot
    form = json.loads(command("compare", result, later, "--format", "json").out)
    before, after = (json.loads(f.read_text(encoding="utf-8"))["findings"] for f in (result, later))
    ids = {f["id"] for f in before}
    assert [f["id"] for f in form["new_findings"]] == [f["id"] for f in after if f["id"] not in ids]
    counts = form["summary"]
    assert counts["new"] + counts["changed"] + counts["unchanged"] == len(after)
    assert counts["resolved"] + counts["changed"] + counts["unchanged"] == len(before)


def test_fail_on_new(command: Command, result: Path) -> None:
    fewer = result.parent / "fewer.json"
    shutil.copy(result, fewer)

    def without_breaches(form: dict[str, Any]) -> None:
        form["findings"] = [f for f in form["findings"] if f["outcome"] != "breach"]

    changed(fewer, without_breaches)
    assert command("compare", result, fewer).code == 1
    assert command("compare", result, fewer, "--fail-on", "new").code == 0
    assert command("compare", fewer, result, "--fail-on", "new").code == 1


def test_results_of_two_policies(command: Command, result: Path) -> None:
    other = result.parent / "other.json"
    shutil.copy(result, other)

    def renamed(form: dict[str, Any]) -> None:
        form["policy"]["id"] = "holy-cross-learning-mentor"

    changed(other, renamed)
    ran = command("compare", result, other)
    assert ran.code == 2
    assert "the results are of two policies" in ran.err


SETTINGS = """\
waivers:
  - waiver: W1
    clause: review.1
    reason: The head of year is new.
    approved_by: the chair of governors
    starts: 2021-04-19
    expires: {expires}
"""


def test_waivers_are_compared(command: Command, result: Path, text_snapshot: SnapshotAssertion) -> None:
    sheets, own = result.parent / "sheets", result.parent / "own.yaml"
    results = []
    for expires in ("2021-07-21", "2021-05-01"):
        own.write_text(SETTINGS.format(expires=expires), encoding="utf-8")
        results.append(result.parent / f"{expires}.json")
        judged(command, sheets, results[-1], "--settings", str(own))
    until_july, until_may = results
    ran = command("compare", until_july, until_may)
    assert ran.code == 1
    assert ran.out == text_snapshot
    for old, new, kind in ((result, until_july, "new"), (until_july, result, "gone")):
        ran = command("compare", old, new, "--format", "json")
        found = json.loads(ran.out)
        assert [w["id"] for w in found["waivers"][kind]] == ["W1"]
        assert found["summary"]["waivers"] == ran.code == 1
    assert command("compare", until_july, until_july).code == 0
