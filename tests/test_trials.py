"""Which examples a rule has to have, and how an example is laid over the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from policycheck.policy.load import load_policy
from policycheck.policy.model import Policy
from policycheck.policy.unknowns import unknowns_of
from policycheck.trials import example_trials, lacking_examples, tried_example

RECORDS = """
title: Books
relations:
  books:
    says: A book.
    key: [book_id]
    fields:
      book_id: {type: id}
      shelf: {type: text, missing: unknown}
      pages: {type: int, minimum: 0, missing: unknown}
      blurb: {type: text, missing: blank}
      due_on: {type: date, missing: never}
  loans:
    says: A book is lent.
    key: [loan_id]
    fields:
      loan_id: {type: id}
      book_id: {type: id, to: books}
  waivers:
    says: A book that nobody has to look after.
    key: [book_id]
    absent: none
    fields:
      book_id: {type: id, to: books}
  stamps:
    says: A stamp in a book.
    key: [book_id, stamped_on]
    nested: {in: books, as: stamps}
    fields:
      book_id: {type: id, to: books}
      stamped_on: {type: date}
      by: {type: text, missing: unknown}
"""

POLICY = "policy: books\ntitle: Books\nsections: [care]\n"
SCENE = {"as_of": "2021-07-21", "defaults": {"books": {"shelf": "A", "pages": 10, "blurb": "a blurb"}}}


@pytest.fixture
def policy(tmp_path: Path) -> Callable[..., Policy]:
    """A policy of one rule with these parts; its examples are whatever is given."""

    def made(**rule: Any) -> Policy:
        whole = {"id": "care.1", "subject": ["$book"], "message": "{book}", **rule}
        clause = {
            "clause": "care.1",
            "says": "Books are looked after.",
            "modality": "obligation",
            "force": "must",
            "binds": ["readers"],
            "rules": [whole],
        }
        section = {"section": "care", "heading": "Care", "clauses": [clause]}
        (tmp_path / "records.yaml").write_text(RECORDS, encoding="utf-8")
        (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
        (tmp_path / "care.yaml").write_text(yaml.safe_dump(section, sort_keys=False), encoding="utf-8")
        (tmp_path / "scene.yaml").write_text(yaml.safe_dump(SCENE), encoding="utf-8")
        return load_policy(tmp_path)

    return made


EACH = {"for_each": {"books": {"book_id": "$book"}}}
BOOK = {"given": {"books": [{"book_id": "B1"}]}}


@pytest.mark.parametrize(
    ("rule", "fields", "relations"),
    [
        ({**EACH, "forbid": "always"}, [], ["books"]),
        (
            {**EACH, "require": {"books": {"book_id": "$book", "pages": {"more_than": 5}}}},
            ["pages"],
            ["books"],
        ),
        (
            {**EACH, "require": {"books": {"book_id": "$book", "blurb": {"blank": False}}}},
            ["blurb"],
            ["books"],
        ),
        ({**EACH, "require": {"loans": {"book_id": "$book"}}}, [], ["books", "loans"]),
        ({**EACH, "require": {"books": {"book_id": "$book", "due_on": {"not": None}}}}, [], ["books"]),
        ({**EACH, "unless": {"waivers": {"book_id": "$book"}}, "forbid": "always"}, [], ["books"]),
    ],
    ids=[
        "relation",
        "number",
        "box of a form",
        "another relation",
        "never has a meaning",
        "absent means none",
    ],
)
def test_what_can_leave_a_rule_undecided(
    policy: Callable[..., Policy], rule: dict[str, Any], fields: list[str], relations: list[str]
) -> None:
    unknown = unknowns_of(policy(**rule))["care.1"]
    assert [name for _, name in unknown.fields] == fields
    assert list(unknown.relations) == relations


def test_a_field_that_is_only_shown_decides_nothing(policy: Callable[..., Policy]) -> None:
    scope = {"books": {"book_id": "$book", "shelf": "$shelf"}}
    made = policy(for_each=scope, forbid="always", message="{book} on {shelf}")
    assert unknowns_of(made)["care.1"].fields == ()


def test_a_field_that_is_only_noted_decides_nothing(policy: Callable[..., Policy]) -> None:
    note = {"when": {"books": {"book_id": "$book", "shelf": "A"}}, "say": "On shelf A."}
    made = policy(**EACH, forbid="always", notes=[note])
    assert unknowns_of(made)["care.1"].fields == ()


def test_a_scope_may_rest_on_a_field(policy: Callable[..., Policy]) -> None:
    made = policy(for_each={"books": {"book_id": "$book", "shelf": "A"}}, forbid="always")
    assert unknowns_of(made)["care.1"].fields == (("books", "shelf"),)


def lacking(policy: Policy) -> list[str]:
    assert [t.wrong for t in example_trials(policy) if t.wrong] == []
    return [said for trial in lacking_examples(policy) for said in trial.wrong]


MANY = {**EACH, "require": {"books": {"book_id": "$book", "pages": {"more_than": 5}}}}
BOTH = {"met": [BOOK], "breach": [{"given": {"books": [{"book_id": "B1", "pages": 5}]}}]}
LACKS_PAGES = "has no undecided example in which `pages` of `books` is null"


@pytest.mark.parametrize(
    ("undecided", "said"),
    [
        ([], [LACKS_PAGES]),
        ([{"absent": ["books"]}], [LACKS_PAGES]),
        ([{"given": {"books": [{"book_id": "B1", "pages": None}]}}], []),
        ([{**BOOK, "absent": ["books.pages"]}], []),
        ([{"given": {"books": [{"book_id": "B1", "pages": None}]}, "absent": ["books"]}], [LACKS_PAGES]),
    ],
    ids=["none", "the relation absent", "null", "the field absent", "null in an absent relation"],
)
def test_a_field_needs_an_example_in_which_it_is_unknown(
    policy: Callable[..., Policy], undecided: list[Any], said: list[str]
) -> None:
    assert lacking(policy(**MANY, examples={**BOTH, "undecided": undecided})) == said


def test_an_empty_box_is_known(policy: Callable[..., Policy]) -> None:
    """Only a form without the box leaves the rule undecided."""
    rule = {**EACH, "require": {"books": {"book_id": "$book", "blurb": {"blank": False}}}}
    empty = {"given": {"books": [{"book_id": "B1", "blurb": None}]}}
    both = {"met": [BOOK], "breach": [empty]}
    assert lacking(policy(**rule, examples=both)) == [
        "has no undecided example without `blurb` of `books`: `absent: [books.blurb]`"
    ]
    made = policy(**rule, examples={**both, "undecided": [{**BOOK, "absent": ["books.blurb"]}]})
    assert lacking(made) == []


def test_a_null_in_a_row_inside_another_counts(policy: Callable[..., Policy]) -> None:
    rule = {**EACH, "require": {"stamps": {"book_id": "$book", "by": "Ada"}}}

    def stamped(by: str | None) -> dict[str, Any]:
        return {"given": {"books": [{"book_id": "B1", "stamps": [{"stamped_on": "2021-05-04", "by": by}]}]}}

    both = {"met": [stamped("Ada")], "breach": [stamped("Bo")]}
    assert len(lacking(policy(**rule, examples=both))) == 1
    assert lacking(policy(**rule, examples={**both, "undecided": [stamped(None)]})) == []


def test_without_such_fields_any_undecided_example_does(policy: Callable[..., Policy]) -> None:
    rule = {**EACH, "require": {"loans": {"book_id": "$book"}}}
    lent = {"given": {"books": [{"book_id": "B1"}], "loans": [{"loan_id": "L1", "book_id": "B1"}]}}
    both = {"met": [lent], "breach": [BOOK]}
    said = ["has no undecided example, such as one with `absent: [books]`"]
    assert lacking(policy(**rule, examples=both)) == said
    assert lacking(policy(**rule, examples={**both, "undecided": [{**BOOK, "absent": ["loans"]}]})) == []


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("book.pages", "there is no relation `book`; did you mean `books`?"),
        ("books.page", "`books` has no field `page`; did you mean `pages`?"),
    ],
)
def test_an_absent_field_that_is_not_there(policy: Callable[..., Policy], absent: str, said: str) -> None:
    made = policy(**MANY)
    assert tried_example(made, "care.1", "undecided", {"absent": [absent]}) == [said]
