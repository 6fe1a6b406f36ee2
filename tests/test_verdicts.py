"""What became of a changed rule: cases with the verdict that is right, for each thing that rules can say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from policycheck.policy.load import load_policy
from policycheck.policy.model import Policy
from policycheck.records.model import load_model
from policycheck.review.verdicts import Verdict, verdict
from policycheck.run import run
from policycheck.yamlfile import load

from tests.support import ROOT

HERE = ROOT / "tests" / "review"
CASES: list[dict[str, Any]] = load(HERE / "changes.yaml", []).data


@pytest.fixture(scope="module")
def library() -> Policy:
    """A policy with one rule, `loans.1`, over the library of the conformance cases."""
    return load_policy(HERE / "hand", load_model(ROOT / "tests" / "cases" / "records.yaml"))


def changed(policy: Policy, data: Mapping[str, Any], case: Mapping[str, Any]) -> Policy:
    """The policy with another rule, and with the parameters and definitions of a case."""
    rule = policy.rules["loans.1"]
    parameters = {
        name: replace(p, value=case.get("parameters", {}).get(name, p.value))
        for name, p in policy.parameters.items()
    }
    definitions = {
        name: replace(d, when=case.get("definitions", {}).get(name, d.when))
        for name, d in policy.definitions.items()
    }
    message = {"id": "loans.1", "message": "This is not as it should be.", "remedy": "Mend it."}
    text = replace(rule, data={**message, **data})
    return replace(policy, rules={"loans.1": text}, parameters=parameters, definitions=definitions)


def judged(library: Policy, case: Mapping[str, Any], seconds: float = 4.0) -> Verdict:
    """The verdict on a case."""
    both = case.get("both", {})
    old, new = ({**both, **(case[side] or {})} for side in ("old", "new"))
    usual = {"for_each": {"loans": {"loan_id": "$loan"}}, "subject": ["$loan"], "forbid": "always"}
    return verdict(
        changed(library, old or usual, {}),
        changed(library, new or usual, case),
        "loans.1" if case["old"] is not None else None,
        "loans.1" if case["new"] is not None else None,
        seconds=seconds,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_verdict(library: Policy, case: dict[str, Any]) -> None:
    pytest.importorskip("z3")
    said = judged(library, case)
    assert said.verdict == case["verdict"], said.why
    assert said.proved is case.get("proved", True), said.why
    assert said.proved or said.bound >= 2
    directions = {"incomparable": 2, "equivalent": 0}.get(said.verdict, 1)
    assert len(said.witnesses) == directions


def test_without_a_solver_it_is_said_so(library: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policycheck.review.verdicts.has_solver", lambda: False)
    case = next(c for c in CASES if c["name"] == "what is counted")
    said = judged(library, case, 1.0)
    assert said.verdict in ("looser", "not decided")
    assert (said.proved, said.bound) == (False, 0)
    assert "z3 is not installed" in said.why


def test_a_solution_that_is_not_real_is_not_shown(library: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3")
    monkeypatch.setattr("policycheck.review.hunt.Hunt.look", lambda *_: False)
    said = judged(library, next(c for c in CASES if c["name"] == "another word"), 1.0)
    assert said.verdict == "not decided"
    assert said.witnesses == ()
    assert "did not show it" in said.why


# Witnesses are records that `policycheck run` takes, and both versions say there what the verdict says

OLD = ROOT / "policies" / "woodlands-progress-mentor" / "2021-03-19"
EDITS = {
    "prohibited.2": ("prohibited.yaml", "{is: $sender, not: null}", "{is: $sender}"),
    "expectations.teachers.5.b": ("policy.yaml", "school_days:\n    value: 2", "school_days:\n    value: 3"),
    "deployment.2.a": ("policy.yaml", "share_min:\n    value: 0.5", "share_min:\n    value: 0.6"),
    "review.4.a": ("review.yaml", "kind: annual, held_on: {on_or_before", "held_on: {on_or_before"),
}
"""Rules, and what is replaced by what in a file of the policy."""


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Policy, Policy]:
    """The policy of Woodlands, and a later version with some rules changed."""
    pack = tmp_path_factory.mktemp("policies") / "woodlands-progress-mentor"
    shutil.copytree(OLD, pack / "2021-03-19")
    shutil.copytree(OLD, pack / "2022-01-10")
    shutil.copy(ROOT / "policies" / "records.yaml", pack.parent)
    for file, old, new in EDITS.values():
        section = pack / "2022-01-10" / file
        text = section.read_text(encoding="utf-8")
        assert old in text
        section.write_text(text.replace(old, new), encoding="utf-8")
    return load_policy(pack / "2021-03-19"), load_policy(pack / "2022-01-10")


@pytest.mark.parametrize("rule", EDITS)
def test_witnesses_can_be_run(versions: tuple[Policy, Policy], rule: str, tmp_path: Path) -> None:
    old, new = versions
    said = verdict(old, new, rule, rule, seconds=4.0)
    assert said.witnesses
    for witness in said.witnesses:
        file = tmp_path / f"{witness.direction}.json"
        file.write_text(json.dumps(witness.records), encoding="utf-8")
        old_found, new_found = (
            {
                f.id
                for f in run(file, str(version.folder), as_of=witness.as_of, only=[rule]).findings
                if f.outcome in ("breach", "missed", "advice")
            }
            for version in versions
        )
        has, lacks = (old_found, new_found) if witness.direction == "looser" else (new_found, old_found)
        assert witness.finding in has - lacks
        assert len(witness.records) < 15
