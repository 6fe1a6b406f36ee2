"""Every example and every scenario of every policy here holds, and every rule has the examples it needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from policycheck.policy.compile import check_whole
from policycheck.policy.find import packs
from policycheck.policy.load import load_policy
from policycheck.policy.model import Policy
from policycheck.trials import example_trials, lacking_examples, scenario_trials

from tests.support import DURABLE, ROOT

SHIPPED = [folder for pack in packs(ROOT / "policies") for _, folder in pack.versions]
CASES = sorted(f.parent for f in (ROOT / "tests" / "cases").glob("*/policy.yaml"))
OTHERS = [ROOT / "benchmarks" / "six-rules", ROOT / "tests" / "bad_policies" / "good"]


def name(folder: Path) -> str:
    return folder.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("folder", [*SHIPPED, *CASES, *OTHERS], ids=name)
def test_examples_and_scenarios_hold(folder: Path) -> None:
    policy = load_policy(folder)
    check_whole(policy)
    trials = [*example_trials(policy), *scenario_trials(policy)]
    assert trials
    assert [t for t in trials if t.wrong] == []


@pytest.mark.parametrize("folder", [*CASES, *OTHERS], ids=name)
@pytest.mark.parametrize("engine", ["memory", "duckdb", DURABLE])
def test_examples_and_scenarios_hold_on_others(folder: Path, engine: str) -> None:
    policy = load_policy(folder)
    trials = [*example_trials(policy, engine=engine), *scenario_trials(policy, engine)]
    assert [t for t in trials if t.wrong] == []


@pytest.mark.parametrize("folder", SHIPPED, ids=name)
@pytest.mark.parametrize("engine", ["memory", "duckdb", DURABLE])
def test_scenarios_hold_on_others(folder: Path, engine: str) -> None:
    trials = list(scenario_trials(load_policy(folder), engine))
    assert trials
    assert [t for t in trials if t.wrong] == []


@pytest.mark.parametrize("folder", SHIPPED, ids=name)
def test_every_rule_has_an_example_that_holds_and_one_that_does_not(folder: Path) -> None:
    assert list(lacking_examples(load_policy(folder))) == []


EXPECTED = {
    "woodlands-progress-mentor": {
        "front": 3,
        "purpose": 8,
        "expectations.slt": 21,
        "expectations.teachers": 19,
        "expectations.mentors": 34,
        "principles": 7,
        "deployment": 18,
        "classroom": 8,
        "interactions": 10,
        "preparation": 16,
        "interventions": 23,
        "key-roles": 22,
        "prohibited": 3,
        "examples": 6,
        "training": 12,
        "review": 15,
        "signoff": 2,
    },
    "holy-cross-learning-mentor": {
        "mission": 2,
        "rationale": 4,
        "statement": 3,
        "key-principles": 27,
        "objectives": 13,
        "governors": 6,
        "head": 5,
        "staff": 6,
        "mentor": 3,
        "assessment": 13,
        "organisation": 22,
        "monitoring": 14,
        "complaints": 7,
        "training": 5,
        "success": 15,
        "policy-review": 7,
        "jd.head": 4,
        "jd.purpose": 3,
        "jd.universal": 14,
        "jd.targeted": 27,
        "jd.specialist": 12,
        "jd.admin": 40,
        "jd.closing": 3,
    },
}


def current(policy: str) -> Policy:
    pack = next(p for p in packs(ROOT / "policies") if p.id == policy)
    return load_policy(pack.versions[-1][1])


@pytest.mark.parametrize("policy", EXPECTED)
def test_no_clause_is_missing(policy: str) -> None:
    sections = {s.id: len(s.clauses) for s in current(policy).sections}
    assert sections == EXPECTED[policy]


@pytest.mark.parametrize("policy", EXPECTED)
def test_every_clause_is_decided_by_one_of_three(policy: str) -> None:
    assert {c.decided_by for c in current(policy).clauses()} == {"rule", "attestation", "definition"}
