"""Every example and every scenario of every policy here holds, and every rule has the examples it needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from policycheck.policy.compile import check_whole
from policycheck.policy.find import packs
from policycheck.policy.load import load_policy
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
def test_examples_hold_in_memory(folder: Path) -> None:
    trials = list(example_trials(load_policy(folder), engine="memory"))
    assert trials
    assert [t for t in trials if t.wrong] == []


@pytest.mark.parametrize("folder", SHIPPED, ids=name)
@pytest.mark.parametrize("engine", ["memory", "duckdb", DURABLE])
def test_scenarios_hold_on_others(folder: Path, engine: str) -> None:
    trials = list(scenario_trials(load_policy(folder), engine))
    assert trials
    assert [t for t in trials if t.wrong] == []


@pytest.mark.parametrize("folder", SHIPPED, ids=name)
def test_every_rule_has_the_examples_it_needs(folder: Path) -> None:
    assert list(lacking_examples(load_policy(folder))) == []
