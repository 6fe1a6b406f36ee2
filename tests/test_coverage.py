"""Every clause of both policies is accounted for, and what is open in an unfinished policy is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from policycheck.coverage import coverage_of
from policycheck.errors import PolicyError
from policycheck.policy.find import find_pack
from policycheck.policy.load import load_policy
from policycheck.report.coverage import coverage_as_json
from policycheck.run import run
from syrupy.assertion import SnapshotAssertion

from tests.support import ROOT, Ran

UNFINISHED = ROOT / "tests" / "unfinished"
TERM = ROOT / "fixtures" / "woodlands" / "summer-2021.json"

Form = dict[str, Any]

# clauses, and of them: by rule, by attestation, definitions
SECTIONS: dict[str, dict[str, tuple[int, int, int, int]]] = {
    "woodlands-progress-mentor": {
        "front": (3, 1, 0, 2),
        "purpose": (8, 0, 5, 3),
        "expectations.slt": (21, 14, 6, 1),
        "expectations.teachers": (19, 13, 6, 0),
        "expectations.mentors": (34, 22, 12, 0),
        "principles": (7, 6, 1, 0),
        "deployment": (18, 14, 0, 4),
        "classroom": (8, 2, 6, 0),
        "interactions": (10, 2, 8, 0),
        "preparation": (16, 9, 7, 0),
        "interventions": (23, 19, 4, 0),
        "key-roles": (22, 5, 16, 1),
        "prohibited": (3, 3, 0, 0),
        "examples": (6, 0, 5, 1),
        "training": (12, 9, 3, 0),
        "review": (15, 15, 0, 0),
        "signoff": (2, 0, 0, 2),
    },
    "holy-cross-learning-mentor": {
        "mission": (2, 0, 2, 0),
        "rationale": (4, 0, 3, 1),
        "statement": (3, 0, 2, 1),
        "key-principles": (27, 12, 15, 0),
        "objectives": (13, 1, 10, 2),
        "governors": (6, 5, 1, 0),
        "head": (5, 1, 3, 1),
        "staff": (6, 3, 3, 0),
        "mentor": (3, 1, 2, 0),
        "assessment": (13, 8, 5, 0),
        "organisation": (22, 6, 2, 14),
        "monitoring": (14, 12, 0, 2),
        "complaints": (7, 7, 0, 0),
        "training": (5, 4, 1, 0),
        "success": (15, 11, 3, 1),
        "policy-review": (7, 5, 0, 2),
        "jd.head": (4, 1, 0, 3),
        "jd.purpose": (3, 0, 2, 1),
        "jd.universal": (14, 7, 7, 0),
        "jd.targeted": (27, 16, 10, 1),
        "jd.specialist": (12, 10, 2, 0),
        "jd.admin": (40, 21, 19, 0),
        "jd.closing": (3, 1, 0, 2),
    },
}


@cache
def coverage(policy: str) -> Form:
    folder = find_pack(policy, None).versions[-1][1]
    return coverage_as_json(coverage_of(load_policy(folder)))


def counts(part: Form) -> tuple[int, int, int, int]:
    return part["clauses"], part["rule"], part["attestation"], part["definition"]


@pytest.mark.parametrize("policy", SECTIONS)
def test_the_clauses_are_those_of_the_document(policy: str) -> None:
    """`tests/data/clauses` lists every clause of the two documents, in their order."""
    listed = (ROOT / "tests" / "data" / "clauses" / f"{policy}.txt").read_text(encoding="utf-8").split()
    assert [c["id"] for c in coverage(policy)["clauses"]] == listed


@pytest.mark.parametrize("policy", SECTIONS)
def test_every_clause_is_decided_in_one_of_three_ways(policy: str) -> None:
    form = coverage(policy)
    assert {s["id"]: counts(s) for s in form["sections"]} == SECTIONS[policy]
    assert {c["decided_by"] for c in form["clauses"]} == {"rule", "attestation", "definition"}
    assert (form["unaccounted"], form["open"], form["rules_without_clause"]) == ([], [], [])


@pytest.mark.parametrize(("policy", "clauses"), [(name, 227 if "wood" in name else 255) for name in SECTIONS])
def test_all_sections_add_up(policy: str, clauses: int) -> None:
    form = coverage(policy)
    sums = [sum(column) for column in zip(*SECTIONS[policy].values(), strict=True)]
    assert counts(form["summary"]) == tuple(sums)
    assert form["summary"]["clauses"] == clauses


@pytest.mark.parametrize("policy", SECTIONS)
def test_a_clause_has_rules_unless_it_defines(policy: str) -> None:
    without = {c["decided_by"] for c in coverage(policy)["clauses"] if not c["rules"]}
    assert without == {"definition"}


@pytest.mark.parametrize("policy", SECTIONS)
def test_no_definition_is_of_no_use(policy: str) -> None:
    assert coverage(policy)["unused"]["definitions"] == []


def test_every_relation_is_of_use_to_one_of_the_policies() -> None:
    unused = [coverage(policy)["unused"] for policy in SECTIONS]
    assert set.intersection(*(set(u["relations"]) for u in unused)) == set()


# A policy under construction


def test_what_is_open_is_reported_and_not_refused(
    command: Callable[..., Ran], text_snapshot: SnapshotAssertion
) -> None:
    ran = command("coverage", UNFINISHED, "--clauses")
    assert ran.code == 1
    assert ran.err == ""
    assert ran.out == text_snapshot


def test_unaccounted_clauses_are_those_that_nothing_there_decides() -> None:
    form = coverage_as_json(coverage_of(load_policy(UNFINISHED, unfinished=True)))
    assert form["unaccounted"] == ["feeding.1", "feeding.2", "feeding.4"]
    assert [c["decided_by"] for c in form["clauses"] if c["id"] in form["unaccounted"]] == [None] * 3
    assert form["rules_without_clause"] == ["fruit.1"]
    assert {p["code"] for p in form["open"]} == {
        "undecided-clause",
        "unknown-rule",
        "unknown-clause",
        "unknown-name",
        "rule-name",
    }


def test_only_coverage_is_lenient(command: Callable[..., Ran]) -> None:
    for args in (["test", UNFINISHED], ["run", UNFINISHED / "term.json", "--policy", UNFINISHED]):
        ran = command(*args)
        assert ran.code == 2
        assert "nothing decides clause `feeding.1`" in ran.err
    with pytest.raises(PolicyError, match="feeding"):
        load_policy(UNFINISHED)


@pytest.mark.parametrize("mistake", ["wrong-relation", "unknown-key-in-rule", "clause-decided-twice"])
def test_other_mistakes_are_refused(mistake: str, command: Callable[..., Ran]) -> None:
    ran = command("coverage", ROOT / "tests" / "bad_policies" / mistake)
    assert ran.code == 2
    assert ran.out == ""


def test_a_finished_policy_gives_0(command: Callable[..., Ran]) -> None:
    ran = command("coverage", "tests/bad_policies/good", "--format", "json")
    assert ran.code == 0
    form = json.loads(ran.out)
    assert form["form"] == "policycheck/coverage/1"
    assert form["policy"] == {"id": "pets", "version": "", "title": "Keeping pets"}
    assert form["clauses"] == [
        {"id": "care.1", "section": "care", "decided_by": "rule", "rules": ["care.1"]},
        {"id": "care.2", "section": "care", "decided_by": "definition", "rules": []},
    ]
    assert form["unaccounted"] == []
    assert form["records"] is None


# What is of no use


def unused(kind: str) -> list[str]:
    names: list[str] = coverage_as_json(coverage_of(load_policy(UNFINISHED, unfinished=True)))["unused"][kind]
    return names


def test_unused_relations() -> None:
    """`terms` is the frame and `open_days` a calendar; a check of the records reads `visits.visited_on`."""
    assert unused("relations") == ["insurances"]


def test_unused_fields() -> None:
    """Keys are of use, and so is a field that a clause defines; what an unused definition reads is not."""
    assert unused("fields") == ["terms.nickname", "pets.weight"]


def test_unused_definitions_and_parameters() -> None:
    """A clause that defines something does not use it; a message that shows a parameter does."""
    assert unused("definitions") == ["heavy"]
    assert unused("parameters") == ["meals_min"]


# With records


def test_rules_that_the_records_do_not_exercise() -> None:
    result = run(UNFINISHED / "term.json", str(UNFINISHED), unfinished=True)
    form = coverage_as_json(coverage_of(result.policy, result))["records"]
    assert form["never_exercised"] == ["care.1.parrot", "fruit.1"]
    assert form["only_undecided"] == ["care.1", "care.3"]


def test_what_a_whole_term_exercises(command: Callable[..., Ran]) -> None:
    ran = command("coverage", "woodlands-progress-mentor", "--records", TERM, "--format", "json")
    assert ran.code == 0
    form = json.loads(ran.out)["records"]
    assert (form["school"], form["term"], form["as_of"]) == ("woodlands", "SUM21", "2021-07-21")
    assert form["never_exercised"] == ["deployment.4.2.b.share"]
    assert form["only_undecided"] == ["expectations.slt.8.b", "classroom.5"]


def test_many_rules_are_counted_by_section_unless_all_are_asked_for(command: Callable[..., Ran]) -> None:
    args = ("coverage", "woodlands-progress-mentor", "--records", "docs/examples/first-sheets")
    counted, named = command(*args), command(*args, "--clauses")
    assert (counted.code, named.code) == (0, 0)
    assert "\n  2 in front, 6 in purpose, " in counted.out
    assert "--clauses names them" in counted.out
    assert "\n  front.3.missing, front.3.late, " in named.out
    assert "--clauses" not in named.out


def test_wrong_records_are_refused(command: Callable[..., Ran]) -> None:
    ran = command("coverage", "woodlands-progress-mentor", "--records", "fixtures/small/uk-date.json")
    assert ran.code == 2
    assert "3 September 2021" in ran.err
