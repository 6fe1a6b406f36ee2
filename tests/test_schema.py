"""The JSON Schema of a term file says the same as the check of records does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator
from policycheck.policy.find import shipped
from policycheck.records.model import load_model
from policycheck.schemas_for import NAMES, named_schema, term_schema

from tests.support import ROOT, Ran

SMALL = ROOT / "fixtures" / "small"


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(named_schema(name, None))


def test_schema_of_sections_knows_the_relations() -> None:
    schema = named_schema("section", "woodlands-progress-mentor")
    Draft202012Validator.check_schema(schema)
    relations = schema["$defs"]["body"]["anyOf"][0]["properties"]
    assert "staff_id" in relations["deployments"]["properties"]
    assert "lesson" in relations["happened"]["properties"]


def test_full_term_follows_the_schema() -> None:
    schema = term_schema(load_model(shipped() / "records.yaml"))
    data = json.loads((ROOT / "fixtures" / "woodlands" / "summer-2021.json").read_text(encoding="utf-8"))
    small = {name: rows[:200] for name, rows in data.items()}
    errors = list(Draft202012Validator(schema).iter_errors(small))
    assert errors == []


@pytest.mark.parametrize(
    ("file", "right"),
    [
        ("good.json", True),
        ("nested-rows.json", False),
        ("typo-in-field.json", False),
        ("uk-date.json", False),
        ("wrong-type.json", False),
        ("not-in-the-list.json", False),
        ("unknown-relation.json", False),
        ("missing-key.json", False),
    ],
)
def test_schema_finds_what_the_check_finds(file: str, right: bool) -> None:
    schema = term_schema(load_model(shipped() / "records.yaml"))
    data = json.loads((SMALL / file).read_text(encoding="utf-8"))
    assert Draft202012Validator(schema).is_valid(data) is right


def test_command_prints_a_schema(command: Callable[..., Ran]) -> None:
    ran = command("schema", "term")
    assert ran.code == 0
    assert "deployments" in json.loads(ran.out)["properties"]


def test_unknown_schema(command: Callable[..., Ran]) -> None:
    ran = command("schema", "trm")
    assert ran.code == 2
    assert "did you mean `term`" in ran.err
