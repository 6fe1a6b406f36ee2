"""Findings and their form: the short ways say what the long ones say."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from policycheck.engines import evaluate
from policycheck.findings import Finding, Maker, Teller, outcome_of
from policycheck.policy.model import Setting
from policycheck.prepare import Prepared, prepared
from policycheck.report.json_form import form_of, judged_hash
from policycheck.report.json_text import indented
from policycheck.run import ready_version, run
from policycheck_engine.norms import ONE_BREACH

from tests.support import ROOT

SIX_RULES = ROOT / "benchmarks" / "six-rules"
TERMS = ("fixtures/woodlands/summer-2021.json", "fixtures/holy-cross/summer-2021.json")


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a term with a thousand deployments, of which half are findings."""
    folder = tmp_path_factory.mktemp("thousand")
    subprocess.run([sys.executable, SIX_RULES / "generate.py", "1000", folder], check=True)
    return folder / "term.json"


def told_both_ways(records: Prepared) -> Iterator[tuple[Finding, Finding]]:
    """Every plain breach in some records, as it is told in the short way and in the long one."""
    policy = records.current
    ready = ready_version(policy, records.tables, Setting(records.info.as_of, {}), set(policy.rules), policy)
    maker = Maker(ready, records.tables, ())
    for judgement in evaluate(ready, records.tables, "memory"):
        rule = policy.rules[judgement.norm.rule]
        teller = Teller(maker, rule, judgement.norm)
        for judged in judgement.others:
            if teller.simple and judged.cases is ONE_BREACH:
                outcome = outcome_of(rule, judged)
                yield teller.breach(judged, outcome), teller.whole(judged, outcome)


@pytest.mark.parametrize("term", TERMS)
def test_plain_breaches_are_told_alike(term: str) -> None:
    pairs = list(told_both_ways(prepared(ROOT / term)))
    assert len(pairs) > 3
    assert [short for short, whole in pairs if short != whole] == []


def test_plain_breaches_of_six_rules_are_told_alike(deployments: Path) -> None:
    pairs = list(told_both_ways(prepared(deployments, str(SIX_RULES))))
    assert len(pairs) > 500
    assert [short for short, whole in pairs if short != whole] == []


@pytest.mark.parametrize("term", TERMS)
def test_a_form_is_the_same_whether_its_findings_are_put_into_plain_data_or_not(term: str) -> None:
    result = run(ROOT / term)
    assert indented(form_of(result)) == indented(result.as_json())
    assert judged_hash(form_of(result)) == judged_hash(result.as_json())


def plainly_hashed(form: dict[str, Any]) -> str:
    """The hash of a result by the letter: no receipt, no places of sources, and each source by its name."""

    def named(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**e, "source": e["source"] and e["source"].split("/")[-1]} for e in entries]

    judged = json.loads(json.dumps(form))
    del judged["receipt"], judged["records"]["sources"]
    judged["records"]["left_out"] = named(judged["records"]["left_out"])
    judged["findings"] = [{**f, "records": named(f["records"])} for f in judged["findings"]]
    judged["waivers"] = named(judged["waivers"])
    text = json.dumps(judged, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("records", [*TERMS, "docs/examples/first-sheets"])
def test_the_hash_of_a_result_does_not_depend_on_where_its_records_are(records: str) -> None:
    form = run(ROOT / records, "woodlands-progress-mentor" if "sheets" in records else None).as_json()
    assert form["findings"] != []
    assert judged_hash(form) == form["receipt"]["sha256"]["result"] == plainly_hashed(form)


def test_the_hash_takes_the_folder_from_each_source_and_nothing_else() -> None:
    def form(*sources: str) -> dict[str, Any]:
        records = [{"relation": "r", "id": "1", "source": s, "at": "line 1"} for s in sources]
        return {
            "records": {"sources": sorted(sources), "left_out": []},
            "findings": [{"message": 'its "source":"a/b/x.csv"', "records": records}],
            "waivers": [],
            "receipt": {},
        }

    nested = form("a/b/x.csv", "a/y.csv", "z.csv", 'a/"q"/w.csv', "a/b/c/x.csv")
    assert judged_hash(nested) == plainly_hashed(nested)
    assert judged_hash(form("a/x.csv")) == judged_hash(form("b/x.csv")) != judged_hash(form("a/y.csv"))
