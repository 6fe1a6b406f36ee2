"""`policycheck diff` as a command: versions by name and from git, verdicts, exit codes, reports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from policycheck.errors import PolicyError, UsageError
from policycheck.policy.load import load_policy
from policycheck.report.diff_form import review_as_json
from policycheck.report.diff_markdown import review_as_markdown
from policycheck.report.diff_text import review_as_text
from policycheck.review import review as reviewing
from policycheck.review import verdicts
from policycheck.review.compare import compared
from policycheck.review.review import review
from policycheck.review.verdicts import Verdict, Witness
from policycheck.review.versions import Version, opened
from policycheck.schemas_for import named_schema
from syrupy.assertion import SnapshotAssertion

from tests.support import ROOT, Ran, closed, copied

LIBRARY = ROOT / "tests" / "review" / "library"
SHIPPED = "woodlands-progress-mentor@2021-03-19"
DRAFT = "fixtures/drafts/woodlands-progress-mentor"
TERM = ROOT / "fixtures" / "woodlands" / "summer-2021.json"
MORE_THICK = ("lending.yaml", "allow: 1", "allow: 2")

Command = Callable[..., Ran]
Form = Mapping[str, Any]


def form_of(old: Path, new: Path, **options: Any) -> dict[str, Any]:
    """The form of a review of two folders."""
    before, after = Version("old", load_policy(old)), Version("new", load_policy(new))
    return review_as_json(review(before, after, **options))


# Reports of the draft


@pytest.fixture(scope="module")
def draft_form() -> dict[str, Any]:
    """The review of the draft, with the replay of a full term and without verdicts."""
    old = Version(SHIPPED, load_policy(ROOT / "policies" / SHIPPED.replace("@", "/")))
    new = Version(DRAFT, load_policy(ROOT / DRAFT / "2022-03-18"))
    return review_as_json(review(old, new, terms=[TERM], verdicts=False))


def test_report_as_text(draft_form: Form, text_snapshot: SnapshotAssertion) -> None:
    assert review_as_text(draft_form) == text_snapshot


def test_report_as_markdown(draft_form: Form, text_snapshot: SnapshotAssertion) -> None:
    assert review_as_markdown(draft_form) == text_snapshot


def test_the_form_follows_its_schema(draft_form: Form, tmp_path: Path) -> None:
    """Every key is described; with a replay, and with a verdict that has a witness."""
    edit = ("policy.yaml", "value: 14", "value: 10")
    library = ROOT / "tests" / "review" / "library"
    new = load_policy(copied(library, tmp_path / "library", edit))
    judged = review(Version("old", load_policy(library)), Version("new", new))
    form = review_as_json(judged)
    assert any(rule["verdict"]["witnesses"] for clause in form["clauses"] for rule in clause["rules"])
    validator = Draft202012Validator(closed(named_schema("diff", None)))
    for one in (draft_form, form):
        validator.validate(json.loads(json.dumps(one)))


def test_report_as_json(draft_form: Form, text_snapshot: SnapshotAssertion) -> None:
    """Without hashes and the program's version, and with no more than the ids of what a replay found."""
    form = json.loads(json.dumps(draft_form))
    del form["receipt"], form["old"]["sha256"], form["new"]["sha256"]
    for replay in form["replay"]:
        replay["records"]["sources"] = []
        for rule in replay["rules"]:
            for key in ("gained", "lost"):
                rule[key] = [finding["id"] for finding in rule[key]]
            rule["changed"] = [{side: pair[side]["id"] for side in pair} for pair in rule["changed"]]
    assert json.dumps(form, ensure_ascii=False, indent=1) + "\n" == text_snapshot


def test_minutes_hold_no_finding_of_the_replay(draft_form: Form) -> None:
    text = review_as_markdown(draft_form)
    findings = [f for r in draft_form["replay"][0]["rules"] for f in (*r["gained"], *r["lost"])]
    assert len(findings) > 100
    assert [f["id"] for f in findings if f["message"] in text] == []


def test_as_many_examples_as_are_asked_for(draft_form: Form) -> None:
    (rule,) = (r for r in draft_form["replay"][0]["rules"] if r["new"] == "expectations.slt.4.a")
    assert len(rule["gained"]) == 151
    texts = [review_as_text(draft_form, examples) for examples in (0, 1, 1000)]
    assert [text.count("was deployed in") for text in texts] == [0, 1, 151]
    assert [text.count("more; --format json") for text in texts] == [0, 1, 0]


# The command


def test_no_change_is_exit_code_0(command: Command) -> None:
    ran = command("diff", SHIPPED, "policies/woodlands-progress-mentor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("Nothing changed: 227 clauses.\n")


FAIL_ON: list[tuple[tuple[str, str, str], set[str]]] = [
    (("lending.yaml", "says: A book is", "says: Each book is"), {"any"}),
    (("policy.yaml", "why: A fortnight.", "why: Two weeks."), {"any"}),
    (("lending.yaml", "binds: [librarians]", "binds: [members]"), {"any", "judged"}),
    (("lending.yaml", "severity: major", "severity: critical"), {"any", "judged", "stricter"}),
    (("lending.yaml", "severity: major", "severity: minor"), {"any", "judged", "looser"}),
    (MORE_THICK, {"any", "judged", "stricter", "looser"}),
]


@pytest.mark.parametrize(("edit", "counts"), FAIL_ON, ids=[edit[2] for edit, _ in FAIL_ON])
def test_fail_on(edit: tuple[str, str, str], counts: set[str], command: Command, tmp_path: Path) -> None:
    """A rule that is not decided may be looser, and may be stricter."""
    new = copied(LIBRARY, tmp_path / "library", edit)
    for which in ("any", "judged", "stricter", "looser"):
        ran = command("diff", LIBRARY, new, "--no-verdicts", "--fail-on", which)
        assert (which, ran.code) == (which, int(which in counts))


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_output_is_the_same_in_a_file_and_on_any_machine(
    format: str, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "diff"
    arguments = ("diff", SHIPPED, DRAFT, "--no-verdicts", "--format", format)
    ran = command(*arguments, "-o", out)
    assert (ran.code, ran.out, ran.err) == (1, "", "")
    again = command(*arguments, PYTHONHASHSEED="7", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert out.read_text(encoding="utf-8") == again.out


WRONG = {
    "no such policy": (["woodlands-progress-mentr"], "there is no policy or folder `woodlands-progress-m"),
    "no such version": (["woodlands-progress-mentor@2022-01-01"], "has no version `2022-01-01`"),
    "two policies": (["holy-cross-learning-mentor"], "are two policies"),
    "no policy": (["docs"], "the folder `docs` has no policy.yaml"),
    "a wrong policy": (["tests/bad_policies/wrong-relation"], "there is no relation `visit`"),
    "no folder for witnesses": ([SHIPPED, "--verdicts", "--witnesses", "no/such"], "no folder `no/such`"),
    "witnesses of nothing": ([SHIPPED, "--no-verdicts", "--witnesses", "."], "witnesses show verdicts"),
    "a day and no term": ([SHIPPED, "--as-of", "2021-05-01"], "give one with --replay"),
    "no such term": ([SHIPPED, "--replay", "no-such.json"], "no-such.json"),
    "another school": ([SHIPPED, "--replay", "fixtures/holy-cross/summer-2021.json"], "of the school"),
    "no such day": ([SHIPPED, "--replay", str(TERM), "--as-of", "soon"], "`soon` is no as-of date"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_told(arguments: list[str], said: str, command: Command) -> None:
    ran = command("diff", SHIPPED, *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert "fault of policycheck" not in ran.err
    assert ran.out == ""


# Versions from git


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits of the library, at policies/library/2021-01-01; the user is in it."""
    root = tmp_path / "repository"
    folder = copied(LIBRARY, root / "policies" / "library" / "2021-01-01")
    shutil.move(folder / "records.yaml", root / "policies" / "records.yaml")
    monkeypatch.chdir(root)
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "one")
    change(folder / "lending.yaml", "allow: 1", "allow: 2")
    git("commit", "-qam", "two")
    return root


def git(*arguments: str) -> None:
    somebody = {f"GIT_{who}_NAME": "Somebody" for who in ("AUTHOR", "COMMITTER")}
    somebody |= {f"GIT_{who}_EMAIL": "somebody@example.org" for who in ("AUTHOR", "COMMITTER")}
    subprocess.run(["git", *arguments], check=True, env={**os.environ, **somebody})


def change(file: Path, find: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(find, new), encoding="utf-8")


@pytest.mark.usefixtures("repository")
def test_a_revision_of_a_folder() -> None:
    with (
        opened("HEAD~1:policies/library/2021-01-01") as old,
        opened("main:policies/library") as new,
        opened("policies/library") as now,
    ):
        assert old.commit
        assert len(old.commit) == 40
        assert old.policy.version == new.policy.version == "2021-01-01"
        assert [c.id for c in compared(old.policy, new.policy).clauses] == ["lending.2"]
        assert not compared(new.policy, now.policy).any
        folder = old.policy.folder
        assert folder.is_dir()
    assert not folder.exists()


def test_a_path_from_where_the_user_is(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "policies")
    with opened("HEAD:./library/2021-01-01") as version:
        assert version.policy.id == "library"


NOWHERE = {
    "nowhere:policies/library": "there is no git revision `nowhere`",
    "HEAD~9:policies/library": "there is no git revision `HEAD~9`",
    "--help:policies/library": "there is no git revision `--help`",
    "HEAD:policies/librry": "there is no folder `policies/librry` in that revision",
    "HEAD:policies/records.yaml": "there is no folder `policies/records.yaml` in that revision",
    "HEAD:policies": "has no policy.yaml",
    "HEAD:": "names no folder",
    "HEAD:../outside": "names no folder",
}


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(("given", "said"), NOWHERE.items(), ids=NOWHERE)
def test_no_such_revision(given: str, said: str) -> None:
    with pytest.raises(UsageError) as error, opened(given):
        pass
    assert said in str(error.value)


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="not a git repository"), opened("HEAD:policies"):
        pass


@pytest.mark.usefixtures("repository")
def test_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="git is needed"), opened("HEAD:policies/library"):
        pass


def test_what_is_wrong_in_a_revision_is_told_by_its_name(repository: Path) -> None:
    folder = repository / "policies" / "library" / "2021-01-01"
    change(folder / "rooms.yaml", "complaints:", "complants:")
    git("commit", "-qam", "three")
    with pytest.raises(PolicyError) as error, opened("HEAD:policies/library"):
        pass
    assert str(error.value).startswith("HEAD:policies/library/2021-01-01/rooms.yaml:")


# Verdicts


def answering(monkeypatch: pytest.MonkeyPatch, answer: Verdict) -> None:
    """Let every verdict be this one."""
    monkeypatch.setattr(verdicts, "verdict", lambda *arguments, **options: answer)


def test_a_verdict_is_told_with_its_witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says, finding = "The old version finds: M1 kept L1.", "library:lending.2.thick:member=M1"
    records = {"loans": [{"loan_id": "L1"}]}
    witness = Witness("looser", records, says, finding)
    answering(monkeypatch, Verdict("looser", "it lets more pass", True, 0, (witness,)))
    form = form_of(LIBRARY, copied(LIBRARY, tmp_path / "library", MORE_THICK), verdicts=True)
    (rule,) = form["clauses"][0]["rules"]
    told = {"direction": "looser", "says": says, "finding": finding, "as_of": None, "records": records}
    assert rule["verdict"] == {
        "verdict": "looser",
        "why": "it lets more pass",
        "proved": True,
        "bound": 0,
        "witnesses": [told],
    }
    assert (form["summary"]["looser"], form["summary"]["stricter"]) == (["lending.2.thick"], [])
    for text in (review_as_text(form), review_as_markdown(form)):
        assert "looser, proved: it lets more pass" in text
        assert says in text


def test_what_is_only_not_known_to_differ_is_not_called_equivalent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Verdict("equivalent", "up to 3 rows", False, 3, ()))
    form = form_of(LIBRARY, copied(LIBRARY, tmp_path / "library", MORE_THICK), verdicts=True)
    for text in (review_as_text(form), review_as_markdown(form)):
        assert "no difference found" in text
        assert "equivalent" not in text


def test_without_z3_nothing_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "find_spec", lambda name: None)
    form = form_of(LIBRARY, copied(LIBRARY, tmp_path / "library", MORE_THICK))
    (rule,) = form["clauses"][0]["rules"]
    assert rule["verdict"]["verdict"] == "not decided"
    assert rule["verdict"]["why"] == "z3 is not installed (pip install 'policycheck[review]')"


def test_no_verdict_is_looked_for_where_a_rule_cannot_judge_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Verdict("looser", "this was not to be asked", True, 0, ()))
    edit = ("lending.yaml", "severity: major", "severity: minor")
    form = form_of(LIBRARY, copied(LIBRARY, tmp_path / "library", edit), verdicts=True)
    (rule,) = form["clauses"][0]["rules"]
    assert rule["verdict"]["verdict"] == "equivalent"
    assert form["summary"]["looser"] == ["lending.2.thick"]


def test_a_witness_is_a_term_that_one_version_finds_something_in(command: Command, tmp_path: Path) -> None:
    new = copied(LIBRARY, tmp_path / "library", ("policy.yaml", "value: 14", "value: 9"))
    out = tmp_path / "witnesses"
    out.mkdir()
    ran = command("diff", LIBRARY, new, "--verdicts", "--witnesses", out, "--fail-on", "looser")
    assert (ran.code, ran.err) == (0, "")
    assert "stricter" in ran.out
    found = []
    file = out / "lending.1.stricter.json"
    for policy in (LIBRARY, new):
        judged = command("run", file, "--policy", policy, "--as-of", "2021-07-21", "--format", "json")
        findings = json.loads(judged.out)["findings"]
        found.append([f["id"] for f in findings if f["rule"] == "lending.1" and f["outcome"] == "breach"])
    assert found[0] == []
    assert len(found[1]) == 1
