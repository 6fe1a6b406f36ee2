"""Reviews: every edit is classed as what it is, and what is no change is none."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from policycheck.policy.find import packs, shipped
from policycheck.policy.load import load_policy, model_of
from policycheck.policy.model import Policy
from policycheck.report.diff_form import review_as_json
from policycheck.review.review import review
from policycheck.review.versions import Version
from policycheck.trials import example_trials, lacking_examples, scenario_trials
from policycheck.yamlfile import load

from tests.support import ROOT, copied

POLICIES = [
    *sorted(f.parent for f in (ROOT / "policies").glob("*/*/policy.yaml")),
    *sorted(f.parent for f in (ROOT / "tests" / "cases").glob("*/policy.yaml")),
    *(ROOT / name for name in ("benchmarks/six-rules", "tests/review/library")),
]
WOODLANDS = ROOT / "policies" / "woodlands-progress-mentor" / "2021-03-19"
DRAFT = ROOT / "fixtures" / "drafts" / "woodlands-progress-mentor" / "2022-03-18"
PLANTED: list[dict[str, Any]] = json.loads(DRAFT.with_suffix(".planted.json").read_text(encoding="utf-8"))
LIBRARY = ROOT / "tests" / "review" / "library"
EDITS: list[dict[str, Any]] = load(ROOT / "tests" / "review" / "edits.yaml", []).data
Form = Mapping[str, Any]


def form_of(old: Policy, new: Policy) -> dict[str, Any]:
    """The form of a review without verdicts."""
    return review_as_json(review(Version("old", old), Version("new", new), verdicts=False))


# Each edit of a list is classed as itself


def edited(change: Mapping[str, list[list[str]]], folder: Path) -> Policy:
    """The library after an edit."""
    edits = [(name, find, new) for name, replaced in change.items() for find, new in replaced]
    return load_policy(copied(LIBRARY, folder, *edits))


def test_the_library_holds() -> None:
    assert [t for t in example_trials(load_policy(LIBRARY)) if t.wrong] == []


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: e["edit"])
def test_an_edit_is_classed_as_itself(edit: Mapping[str, Any], tmp_path: Path) -> None:
    form = form_of(load_policy(LIBRARY), edited(edit["change"], tmp_path / "library"))
    expected = edit["expect"]
    assert {c["what"]: c["kind"] for c in form["changes"]} == expected.get("policy", {})
    for part in ("parameters", "definitions", "records"):
        wanted = expected.get(part, {})
        found = {named["name"]: told(named["changes"], named) for named in form[part]}
        assert found == {name: told_of(found, name, data) for name, data in wanted.items()}
    clauses = dict(clauses_by_id(form))
    wanted = expected.get("clauses", {})
    assert clauses == {name: told_of(clauses, name, data) for name, data in wanted.items()}
    assert form["remarks"] == edit.get("remarks", [])
    assert form["summary"]["different"] == bool(expected)


def clauses_by_id(form: Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is told of each clause; one that took the id of a removed one is marked by a plus."""
    removed = {c["id"] for c in form["clauses"] if c["status"] == "removed"}
    for clause in form["clauses"]:
        changes = [*clause["changes"], *(c for rule in clause["rules"] for c in rule["changes"])]
        again = clause["status"] != "removed" and clause["id"] in removed
        yield clause["id"] + ("+" if again else ""), told(changes, clause)


def told(changes: list[dict[str, Any]], thing: Form) -> dict[str, Any]:
    """What a form tells of a thing."""
    rules = [rule for rule in thing["rules"] if isinstance(rule, str)]
    was = thing.get("was", []) if thing["status"] != "removed" else []
    return {
        "status": thing["status"],
        "kinds": sorted({c["kind"] for c in changes}),
        "says": [c["says"] for c in changes],
        "was": [w for w in was if w != thing.get("id")],
        "rules": rules,
    }


def told_of(found: Mapping[str, Any], name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is wanted of a thing, with what was found where nothing is said of it."""
    there = found.get(name, {})
    return {**there, **wanted, "kinds": sorted(wanted["kinds"]), "was": wanted.get("was", [])}


# What is the same is no change


def name(folder: Path) -> str:
    return folder.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("folder", POLICIES, ids=name)
def test_a_policy_does_not_differ_from_itself(folder: Path) -> None:
    form = form_of(load_policy(folder), load_policy(folder))
    assert not form["summary"]["different"]
    assert form["remarks"] == []
    assert sum(form["summary"]["clauses"].values()) == form["summary"]["clauses"]["unchanged"]


@pytest.mark.parametrize("folder", POLICIES, ids=name)
def test_neither_layout_nor_names_of_variables_are_a_change(folder: Path, tmp_path: Path) -> None:
    """All keys in the reverse order, all variables of rules and definitions under other names."""
    copy = tmp_path / folder.parent.name / folder.name
    shutil.copytree(folder, copy)
    shutil.copy(model_of(folder).document.file, copy / "records.yaml")
    constants = {*load_policy(folder).parameters, "as_of"}
    for file in copy.glob("*.yaml"):
        if file.stem not in ("scene", "records"):
            data = load(file, []).data
            file.write_text(yaml.safe_dump(rewritten(data, constants), sort_keys=False), encoding="utf-8")
    form = form_of(load_policy(folder), load_policy(copy))
    assert [c["id"] for c in form["clauses"]] == []
    assert not form["summary"]["different"]


def rewritten(data: dict[str, Any], constants: set[str]) -> dict[str, Any]:
    """A file of a policy, its rules and definitions in variables of other names."""
    out = dict(data)
    if data.get("definitions"):
        out["definitions"] = [rewritten_definition(d, constants) for d in reversed(data["definitions"])]
    if "clauses" in data:
        out["clauses"] = [rewritten_clause(c, constants) for c in data["clauses"]]
    return out


def rewritten_definition(data: dict[str, Any], constants: set[str]) -> dict[str, Any]:
    """What a definition gives are its fields, so those keep their names."""
    given = {v.removeprefix("$") for v in data["gives"]}
    return {**data, "when": elsewise(data["when"], constants | given)}


def rewritten_clause(data: dict[str, Any], constants: set[str]) -> dict[str, Any]:
    rules = [r if isinstance(r, str) else rewritten_rule(r, constants) for r in data.get("rules", ())]
    return {**dict(reversed(data.items())), **({"rules": rules} if rules else {})}


def rewritten_rule(data: dict[str, Any], constants: set[str]) -> dict[str, Any]:
    texts = ("message", "remedy", "excuse_note", "say", "because", "id", "reading", "examples")
    named = ("message", "remedy", "excuse_note", "say")
    fixed = constants | {"failed", "cases"}

    def part(key: str, value: Any) -> Any:
        if key in named:
            return re.sub(r"\{(\w+)\}", lambda m: m[0] if m[1] in fixed else "{" + m[1] + "_2}", value)
        if key in ("notes", "unless") and isinstance(value, list) and all("when" in v for v in value):
            return [{k: part(k, v) for k, v in one.items()} for one in value]
        if key == "unless" and isinstance(value, dict) and "when" in value:
            return {k: part(k, v) for k, v in value.items()}
        return value if key in texts else elsewise(value, constants)

    return {key: part(key, value) for key, value in reversed(data.items())}


def elsewise(data: Any, constants: set[str]) -> Any:
    """YAML data with its keys in the reverse order, and other names for all but these variables."""
    if isinstance(data, str):
        return data + "_2" if data[:1] == "$" and data[1:] not in constants else data
    if isinstance(data, list):
        return [elsewise(one, constants) for one in data]
    if isinstance(data, dict):
        return {elsewise(k, constants): elsewise(v, constants) for k, v in reversed(data.items())}
    return data


# The draft: what was planted is what is told


@pytest.fixture(scope="module")
def draft_form() -> dict[str, Any]:
    return form_of(load_policy(WOODLANDS), load_policy(DRAFT))


@pytest.mark.parametrize("plant", PLANTED, ids=lambda p: p["why"])
def test_a_planted_change_is_classed_as_it_must_be(plant: Mapping[str, Any], draft_form: Form) -> None:
    expected = plant["expect"]
    assert expected
    whole = {c["what"]: c["kind"] for c in draft_form["changes"]}
    assert expected.get("policy", {}).items() <= whole.items()
    for part in ("parameters", "definitions"):
        found = {named["name"]: named for named in draft_form[part]}
        for thing, wanted in expected.get(part, {}).items():
            assert found[thing]["status"] == wanted["status"]
            assert sorted(found[thing]["rules"]) == sorted(wanted["rules"])
    clauses = dict(clauses_by_id(draft_form))
    for clause, wanted in expected.get("clauses", {}).items():
        assert {key: clauses[clause][key] for key in wanted} == wanted
    assert not clauses.keys() & set(expected.get("unchanged", ()))


def test_nothing_is_told_that_was_not_planted(draft_form: Form) -> None:
    def planted(part: str) -> set[str]:
        return {thing for plant in PLANTED for thing in plant["expect"].get(part, ())}

    assert {c["id"] for c in draft_form["clauses"]} == planted("clauses")
    assert {c["what"] for c in draft_form["changes"]} == planted("policy")
    for part in ("parameters", "definitions", "records"):
        assert {named["name"] for named in draft_form[part]} == planted(part)


def test_the_draft_is_what_its_edits_make_of_the_shipped_version() -> None:
    from drafting import woodlands

    made = woodlands.files()
    folder = ROOT / "fixtures"
    there = {f.relative_to(folder).as_posix() for f in (folder / "drafts").rglob("*") if f.is_file()}
    assert there == set(made)
    different = [name for name, text in made.items() if (folder / name).read_text(encoding="utf-8") != text]
    assert different == [], "run python fixtures/make.py"


def test_examples_and_scenarios_of_the_draft_hold(draft_form: Form) -> None:
    """Those of what changed; the others are the shipped version's."""
    draft = load_policy(DRAFT)
    rules = {rule["new"] for clause in draft_form["clauses"] for rule in clause["rules"] if rule["new"]}
    trials = [*lacking_examples(draft, rules), *example_trials(draft, rules), *scenario_trials(draft)]
    assert [t for t in trials if t.wrong] == []


def test_examples_are_judged_as_if_their_version_were_in_force(tmp_path: Path) -> None:
    """The copy that a review begins with keeps the days of its examples."""
    policy = load_policy(copied(LIBRARY, tmp_path / "2030-01-01"))
    trials = list(example_trials(policy))
    assert policy.version == "2030-01-01"
    assert trials
    assert [t for t in trials if t.wrong] == []


def test_the_draft_is_never_picked_for_records() -> None:
    found = [folder for pack in packs(shipped()) for _, folder in pack.versions]
    assert WOODLANDS in found
    assert DRAFT not in found
