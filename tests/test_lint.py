"""Lint: each kind of finding is found where it was planted, and nowhere else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from policycheck.errors import PolicyError, UsageError
from policycheck.policy.find import packs, shipped
from policycheck.policy.load import load_policy, model_of
from policycheck.policy.model import Policy
from policycheck.report.lint import lint_as_json
from policycheck.review.bench import Bench
from policycheck.review.dead import Dead, Life
from policycheck.review.lint import Lint, lint
from policycheck.review.overlaps import Overlap, overlaps
from policycheck.review.sides import small
from policycheck.review.versions import Version, opened
from policycheck.run import run
from policycheck.schemas_for import named_schema
from policycheck.trials import example_trials
from policycheck.yamlfile import load
from syrupy.assertion import SnapshotAssertion

from tests.review.pairs import all_records, made, pair, tiny
from tests.support import ROOT, Ran, closed, copied

COUNTER = ROOT / "tests" / "review" / "counter"
LIBRARY = ROOT / "tests" / "review" / "library"

FOUND = {
    "never-applies": ("money.3",),
    "never-breached": ("desk.3",),
    "implied": ("desk.2", "desk.1"),
    "never-both-met": ("money.1", "money.2"),
    "unused": ("dear",),
    "stale": ("money.4",),
}
"""What is planted in the policy of the counter."""

EDITS: dict[str, list[tuple[str, str, str]]] = load(ROOT / "tests" / "review" / "counter.edits.yaml", []).data


def edited(folder: Path, *names: str) -> Path:
    """A copy of the counter with some edits."""
    return copied(COUNTER, folder / "counter", *(edit for name in names for edit in EDITS[name]))


def found_in(folder: Path, since: Path | None = None) -> list[Lint]:
    """What lint finds and nobody accepts."""
    before = Version("old", load_policy(since)) if since else None
    return [one for one in lint(Version("new", load_policy(folder)), before).lints if not one.accepted]


def named(found: list[Lint]) -> set[tuple[str, tuple[str, ...]]]:
    """The codes, and what they are about."""
    return {(one.code, one.ids) for one in found}


def codes(found: list[Lint]) -> set[str]:
    return {one.code for one in found}


# Each kind of finding


def test_what_is_planted_is_found_and_nothing_else() -> None:
    pytest.importorskip("z3")
    found = found_in(COUNTER)
    assert named(found) == {*FOUND.items()}
    assert [one.code for one in found if one.open] == []
    assert codes([one for one in found if one.proved]) == {"never-applies", "implied", "unused", "stale"}


def test_it_is_told_in_words_and_for_programs(
    command: Callable[..., Ran], text_snapshot: SnapshotAssertion
) -> None:
    pytest.importorskip("z3")
    text, form = (command("lint", "tests/review/counter", "--format", f) for f in ("text", "json"))
    assert (text.code, form.code, text.err, form.err) == (1, 1, "", "")
    assert text.out == text_snapshot(name="text")
    assert form.out == text_snapshot(name="json")
    Draft202012Validator(closed(named_schema("lint", None))).validate(json.loads(form.out))


def test_a_witness_shows_what_it_says(command: Callable[..., Ran], tmp_path: Path) -> None:
    """Each witness is a term file, on which a run finds what the finding says."""
    pytest.importorskip("z3")
    command("lint", COUNTER, "--witnesses", tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "desk.2+desk.1.implied.json",
        "desk.3.never-breached.json",
        "money.1+money.2.never-both-met.json",
    ]
    breached = {
        f.name.partition(".json")[0]: {
            x.rule for x in run(f, policy=str(COUNTER), as_of="2021-07-21").findings
        }
        for f in tmp_path.iterdir()
    }
    assert breached["desk.2+desk.1.implied"] >= {"desk.1", "desk.2"}
    assert "desk.3" not in breached["desk.3.never-breached"]
    assert breached["money.1+money.2.never-both-met"] & {"money.1", "money.2"} == {"money.2"}


def test_a_policy_without_any_of_it_is_clean(tmp_path: Path, command: Callable[..., Ran]) -> None:
    pytest.importorskip("z3")
    ran = command("lint", edited(tmp_path, "mended"))
    assert (ran.code, ran.err) == (0, "")
    assert "0 findings, 0 more annotated, 0 not decided; 7 clauses, 7 rules." in ran.out


def test_rules_that_find_the_same_are_one_finding(tmp_path: Path) -> None:
    (one,) = (one for one in found_in(edited(tmp_path, "double")) if one.code == "implied")
    assert one.says == "rule `desk.2` finds just what `desk.1` finds"


def test_what_is_asked_of_values_alone_can_contradict_too(tmp_path: Path) -> None:
    pytest.importorskip("z3")
    assert named(found_in(edited(tmp_path, "values alone"))) == {*FOUND.items()}


def test_a_rule_that_yields_to_the_other_contradicts_it_no_more(tmp_path: Path) -> None:
    pytest.importorskip("z3")
    assert "never-both-met" not in codes(found_in(edited(tmp_path, "ranked")))


def test_a_rule_on_what_to_do_after_a_breach_contradicts_nothing(tmp_path: Path) -> None:
    """It applies only where the other is broken, and so they are never both met."""
    pytest.importorskip("z3")
    assert "never-both-met" not in codes(found_in(edited(tmp_path, "after a breach")))


def test_other_values_of_parameters_can_wake_a_rule(tmp_path: Path) -> None:
    """What an example shows with another value of a parameter is neither dead nor implied."""
    pytest.importorskip("z3")
    folder = edited(tmp_path, "waking")
    assert [t for t in example_trials(load_policy(folder)) if t.wrong] == []
    assert named(found_in(folder)) == {*FOUND.items()} - {("never-breached", ("desk.3",))}


# Annotations


def test_what_the_policy_accepts_is_listed_with_why(tmp_path: Path, command: Callable[..., Ran]) -> None:
    pytest.importorskip("z3")
    folder = edited(tmp_path, "accepted")
    ran = command("lint", folder, "--format", "json")
    form = json.loads(ran.out)
    assert ran.code == 0
    assert form["findings"] == form["not_decided"] == []
    assert {one["code"]: one["accepted"] for one in form["annotated"]} == {
        "unused": "For next year.",
        "implied": "The leaflet says both.",
        "never-breached": "The form forbids it.",
        "never-both-met": "To be settled.",
        "never-applies": "A joke.",
    }
    assert "accepted: For next year." in command("lint", folder, "--annotated").out


def test_annotations_of_what_is_mended_are_reported(tmp_path: Path) -> None:
    pytest.importorskip("z3")
    folder = edited(tmp_path, "accepted")
    for name, find, new in EDITS["mended"][:-1]:
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(find, new), encoding="utf-8")
    lints = lint(Version("new", load_policy(folder))).lints
    assert [(one.code, one.ids) for one in lints] == [
        ("stale", ("dear",)),
        ("stale", ("desk.2",)),
        ("stale", ("desk.3",)),
        ("stale", ("money.2",)),
        ("stale", ("money.3",)),
    ]


def test_an_annotation_names_a_rule_that_is_there(tmp_path: Path) -> None:
    (*_, (file, find, _)) = EDITS["mended"]
    edit = (file, find, "        lint: {implied: {money.9: Why not.}}\n")
    with pytest.raises(PolicyError) as raised:
        load_policy(copied(COUNTER, tmp_path / "counter", edit))
    (problem,) = raised.value.problems
    assert (problem.code, problem.message) == ("unknown-rule", "there is no rule `money.9`")


def test_annotations_are_no_change_of_a_policy(tmp_path: Path, command: Callable[..., Ran]) -> None:
    folder = edited(tmp_path, "accepted")
    ran = command("diff", COUNTER, folder)
    assert ran.code == 0
    assert "what lint accepts" in ran.out


# What changed in words alone


def test_a_clause_whose_words_alone_changed(tmp_path: Path) -> None:
    found = found_in(edited(tmp_path, "words"), since=COUNTER)
    (one,) = (one for one in found if one.code == "words-only")
    assert one.ids == ("desk.1",)
    assert one.why == "in old it said: What is lent comes back within a fortnight."


@pytest.mark.parametrize("more", [["words", "rule"], ["words", "parameter"], ["words", "records"], ["force"]])
def test_a_clause_of_which_more_changed(tmp_path: Path, more: list[str]) -> None:
    assert "words-only" not in codes(found_in(edited(tmp_path, *more), since=COUNTER))


def test_the_words_of_a_signed_clause_are_what_is_signed(tmp_path: Path) -> None:
    folder = ROOT / "tests" / "cases" / "attested"
    shutil.copy(folder.parent / "records.yaml", tmp_path)
    edit = ("attested.yaml", "Every reader is known by name.", "Every reader is known by face.")
    old, new = (
        load_policy(copied(folder, tmp_path / "old")),
        load_policy(copied(folder, tmp_path / "new", edit)),
    )
    assert codes(list(lint(Version("new", new), Version("old", old)).lints)) == set()


def test_words_can_be_accepted_until_they_change_no_more(tmp_path: Path) -> None:
    folder = edited(tmp_path, "words", "words and why")
    assert named(found_in(folder, since=COUNTER)) == {*FOUND.items()}
    assert named(found_in(folder)) == {*FOUND.items()}
    again = copied(folder, tmp_path / "again", EDITS["mended"][-1])
    stale = [one for one in found_in(again, since=folder) if one.code == "stale"]
    assert named(stale) == {("stale", ("desk.1",))}


def test_two_policies_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are two policies"):
        found_in(COUNTER, since=LIBRARY)


# Where it runs


def test_without_z3_what_is_left_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policycheck.review.bench.has_solver", lambda: False)
    monkeypatch.setattr("policycheck.review.lint.has_solver", lambda: False)
    linted = lint(Version("new", load_policy(COUNTER)))
    found = {one.code: one.ids for one in linted.lints if not one.open}
    assert found == {code: FOUND[code] for code in ("never-applies", "implied", "unused", "stale")}
    unsure = {one.ids: one.why for one in linted.lints if one.open}
    assert set(unsure) == {("desk.3",), ("desk.1", "desk.2"), ("money.1", "money.2")}
    assert set(unsure.values()) == {"z3 is not installed (pip install 'policycheck[review]')"}
    assert [code for code, _ in linted.not_made] == [
        *("never-applies", "never-breached", "implied", "never-both-met", "words-only")
    ]


def test_a_version_in_git_is_linted_as_it_stands_there(
    tmp_path: Path, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(COUNTER, tmp_path / "counter")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *arguments], check=True)
    monkeypatch.chdir(tmp_path)
    with opened("HEAD:counter") as version:
        form = lint_as_json(lint(version))
    assert form["policy"]["commit"]
    assert [one["at"] for one in form["findings"] if one["code"] == "unused"] == [
        "HEAD:counter/policy.yaml:21:5"
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere"),
        ((COUNTER, "--witnesses", "nowhere"), "there is no folder `nowhere`"),
        ((COUNTER, "--since", LIBRARY), "are two policies"),
    ],
    ids=["policy", "folder", "since"],
)
def test_bad_usage(arguments: tuple[Any, ...], said: str, command: Callable[..., Ran]) -> None:
    ran = command("lint", *arguments)
    assert ran.code == 2
    assert said in ran.err


# The policies that come with it


@pytest.mark.parametrize("pack", [*packs(shipped())], ids=lambda pack: pack.id)
def test_a_shipped_policy_has_nothing_that_is_not_accounted_for(pack: Any) -> None:
    pytest.importorskip("z3")
    folder = pack.versions[-1][1]
    linted = lint(Version(pack.id, load_policy(folder, model_of(folder))))
    assert [(one.code, one.ids, one.why) for one in linted.lints if one.accepted is None] == []


# What is said of random rules is true of all small records


RULES = 60
BATCH = 15
MOST = 300


def two_rules(seed: int) -> Policy:
    """The tiny policy with two random rules."""
    policy = tiny()
    (rule,) = policy.rules.values()
    one, two = pair(seed)
    second = replace(rule, id="tiny.2", data={**rule.data, "id": "tiny.2"})
    return replace(policy, rules={"tiny.1": made(rule, one), "tiny.2": made(second, two)})


@pytest.mark.parametrize("first", range(0, RULES, BATCH))
def test_no_finding_contradicts_all_small_records(first: int) -> None:
    pytest.importorskip("z3")
    wrong, claims = [], 0
    for seed in range(first, first + BATCH):
        bench = Bench(two_rules(seed), 1.0)
        try:
            fields = bench.fields(["tiny.1", "tiny.2"])
        except PolicyError:
            continue
        said: list[Dead | Overlap] = []
        life = Life(bench)
        said += [dead for dead in map(life.dead, bench.policy.rules) if dead]
        alive = [r for r in bench.policy.rules if all(getattr(d, "rule", "") != r for d in said)]
        said += overlaps(bench, alive, lambda *_: None)
        claims += len(said)
        days = bench.policy.scene["rows"]["days"]
        for records in all_records(fields, MOST):
            judged = small({**records, "days": days}, bench.model, bench.as_of)
            if judged is not None:
                wrong += [(seed, one, records) for one in said if contradicts(bench, one, judged)]
    assert wrong == []
    assert claims > 0


def contradicts(bench: Bench, one: Dead | Overlap, records: Any) -> bool:
    """Whether records show that something that was said is not so."""
    if one.open:
        return False
    if isinstance(one, Dead):
        judgement = bench.judgement(one.rule, records)
        applied = judgement.met or any(j.outcome != "undecided" for j in judgement.others)
        return bool(bench.failing(one.rule, records) or (applied and not one.applies))
    if one.implied:
        first, second = (bench.failing(rule, records) for rule in (one.one, one.other))
        return bool(first - second) or (one.both and bool(second - first))
    first, second = (frozenset(bench.judgement(rule, records).met) for rule in (one.one, one.other))
    return bool(first & second)
