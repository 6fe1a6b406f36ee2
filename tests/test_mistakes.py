"""The mistakes a newcomer makes, and what they are told. Every message is a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from policycheck.errors import ProblemsError, UsageError
from policycheck.policy.compile import check_whole
from policycheck.policy.load import load_policy
from policycheck.run import run
from policycheck.trials import example_trials, lacking_examples
from syrupy.assertion import SnapshotAssertion

from tests.support import ROOT, Ran

SMALL = ROOT / "fixtures" / "small"
RECORDS = sorted(p for p in SMALL.iterdir() if p.suffix == ".json" or p.is_dir())

POLICIES = sorted(f for f in (ROOT / "tests" / "bad_policies").iterdir() if f.is_dir() and f.name != "good")


def told(path: Path) -> str:
    """What the user is told, with paths as they are written in the repository."""
    try:
        result = run(path)
    except (ProblemsError, UsageError) as error:
        return str(error).replace(f"{ROOT.as_posix()}/", "") + "\n"
    outcomes = result.as_json()["summary"]["outcomes"]
    return "judged: " + ", ".join(f"{n} {name}" for name, n in outcomes.items() if n) + "\n"


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.name)
def test_records(path: Path, text_snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert told(path) == text_snapshot


@pytest.mark.parametrize("folder", POLICIES, ids=lambda p: p.name)
def test_policies(folder: Path, text_snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    try:
        policy = load_policy(folder)
        check_whole(policy)
    except ProblemsError as error:
        said = str(error)
    else:
        trials = [*lacking_examples(policy), *example_trials(policy)]
        said = "\n".join(line for t in trials for line in (t.place, *t.wrong) if t.wrong)
    assert said != ""
    assert said + "\n" == text_snapshot


def test_problems_of_records_end_with_2_and_no_findings(command: Callable[..., Ran], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    ran = command("run", SMALL / "uk-date.json", "--format", "json", "-o", out)
    assert ran.code == 2
    assert ran.out == ""
    assert "2021-09-03, if you mean 3 September 2021" in ran.err
    assert not out.exists()


def test_keep_going_says_what_was_left_out(command: Callable[..., Ran]) -> None:
    ran = command("run", SMALL / "uk-date.json", "--keep-going", "--section", "front")
    assert ran.code == 0
    assert "LEFT OUT" in ran.out
    assert "started_on" in ran.out


def test_bad_policy_ends_with_2(command: Callable[..., Ran]) -> None:
    ran = command("run", SMALL / "good.json", "--policy", "tests/bad_policies/wrong-relation")
    assert ran.code == 2
    assert "there is no relation" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "no-such-file.json"], "no file or folder"),
        (["run", "README.md"], "neither a .json file nor a folder"),
        (["run", "fixtures/small/good.json", "--policy", "woodland"], "no policy or folder `woodland`"),
        (
            ["run", "fixtures/small/good.json", "--set", "answer_school_day=3"],
            "did you mean `answer_school_days`",
        ),
        (["run", "fixtures/small/good.json", "--set", "answer_school_days"], "write --set name=value"),
        (["run", "fixtures/small/good.json", "--set", "answer_school_days=soon"], "such as `2`, not `soon`"),
        (["run", "fixtures/small/good.json", "--as-of", "21/07/2021"], "year-month-day"),
        (["run", "fixtures/small/good.json", "--section", "prohibitted"], "did you mean `prohibited`"),
        (["run", "fixtures/small/good.json", "--only", "prohibited.9"], "no rule or clause"),
        (["run", "fixtures/small/good.json", "--engine", "rete"], "no engine `rete`"),
        (["run", "fixtures/small/good.json", "-o", "no/such/folder/x.txt"], "no folder `no/such/folder`"),
        (["run", "fixtures/small/good.json", "--format", "pdf"], "pdf"),
        (["run"], "policycheck run [OPTIONS]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(args: list[str], said: str, command: Callable[..., Ran]) -> None:
    ran = command(*args)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
