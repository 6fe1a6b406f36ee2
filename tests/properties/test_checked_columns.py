"""Whole columns are found right when every value is, and types let pass what is right and nothing else."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from policycheck.records import check
from policycheck.records.check import Tables, check_records
from policycheck.records.model import Field, Frame, Missing, Nested, RecordModel, RelationModel
from policycheck.records.read import tables_of
from policycheck.records.typed import typed_records
from policycheck.yamlfile import Document
from policycheck_engine import Type

from tests.properties.profile import examples
from tests.properties.test_typed_records import same

RIGHT: dict[str, list[Any]] = {
    "text": ["a", "b", "c"],
    "int": [0, 1, 7],
    "decimal": [0.5, 2, 1e3],
    "bool": [True, False],
    "date": ["2021-05-04", "2021-05-11"],
    "time": ["09:00:00", "10:30"],
    "datetime": ["2021-05-04T09:00:00", "2021-05-04T10:30:00", "2021-05-05T10:30"],
}
WRONG: dict[str, list[Any]] = {
    "text": ["", "", "z", "z", 1, []],
    "int": [-1, -2, -(2**31), 1.0, 10**30, True, "1"],
    "decimal": [-0.5, -(2**31), 10**30, True, "1"],
    "bool": [0, "yes", {}],
    "date": ["", "9999-12-31", "2021-02-30", "2021-W18-2", "20210504", "2021-05-04T09:00:00"],
    "time": ["24:00:00", "09:00:00Z", "0900", "09:00:00.5", "2021-05-04", 9],
    "datetime": [
        *("9999-12-31T00:00:00", "2021-W18-2T09:00:00", "2021-05-04 09:00:00", "2021-05-04T09:00:00Z"),
        *("2021-05-04T24:00:00", "2021-05-04T09:00:00.5", "2021-05-04T0900", "2021-05-04"),
    ],
}


def right_values(f: Field) -> Sequence[Any]:
    """Values of a field that are right; no number or date is one of a few words."""
    return f.one_of if f.one_of and f.type == "text" else RIGHT[f.type]


def relation(name: str, key: tuple[str, ...], *fields: Field, **more: Any) -> RelationModel:
    return RelationModel(name, "", key, {f.name: f for f in fields}, **more)


def model_of_all() -> RecordModel:
    """A field of every type for each meaning of what is missing, references, spans and rows in rows."""
    every = [
        Field(f"{type_}_{missing}", type_, missing, minimum=0 if type_ in ("int", "decimal") else None)
        for missing in get_args(Missing)
        for type_ in get_args(Type)
    ]
    references = [
        *(Field(f"friend_{missing}", "text", missing, to="people") for missing in get_args(Missing)),
        Field("by_name", "text", "unknown", to="people.name"),
    ]
    words = [Field(f"word_{missing}", "text", missing, one_of=("a", "b")) for missing in get_args(Missing)]
    words += [
        Field("number", "int", "unknown", one_of=("1", "2")),
        Field("day", "date", "none", one_of=("a",)),
    ]
    relations = {
        "people": relation("people", ("id",), Field("id", "text"), Field("name", "text", "unknown")),
        "days": relation("days", ("day", "at"), *every),
        "visits": relation(
            "visits",
            ("id",),
            *(Field("id", "text"), Field("starts", "date"), Field("ends", "date", "never")),
            *references,
            *words,
            span=("starts", "ends"),
        ),
        "guests": relation(
            "guests",
            ("id", "guest"),
            *(Field("id", "text", to="visits"), Field("guest", "text", to="people")),
            nested=Nested("visits", "guests"),
        ),
        "turns": relation(
            "turns",
            ("guest", "n"),
            *(Field("guest", "text", to="people"), Field("n", "int"), Field("from", "time")),
            Field("until", "time", "unknown"),
            in_order=("from", "until"),
        ),
    }
    relations["days"] = relation("days", ("date_required", "time_required"), *every)
    children = {"visits": (relations["guests"],)}
    return RecordModel("", Document(Path()), relations, Frame(), {}, children)


MODEL = model_of_all()


@st.composite
def rows(draw: Any, name: str, wrong: int) -> dict[str, Any]:
    """A row, in which about one value of `wrong` is not as it should be."""
    row: dict[str, Any] = {}
    for f in MODEL.relations[name].fields.values():
        amiss = draw(st.integers(0, wrong)) == wrong
        if f.missing == "required" or draw(st.booleans()) or amiss:
            value = [*WRONG[f.type], None] if amiss else list(right_values(f))
            row[f.name] = draw(st.sampled_from(value))
        elif draw(st.booleans()):
            row[f.name] = None
    if name == "visits" and draw(st.booleans()):
        guests = st.sampled_from(["a", "b"]) | st.just({"guest": "a"})
        row["guests"] = draw(st.lists(guests, max_size=2) | st.none())
    return row


@st.composite
def records(draw: Any) -> dict[str, list[Any]]:
    names = draw(st.lists(st.sampled_from(["days", "visits", "turns"]), min_size=1, max_size=2, unique=True))
    wrong = draw(st.sampled_from([12, 40, 10_000]))
    made = {name: draw(st.lists(rows(name, wrong), max_size=3)) for name in names}
    people = draw(st.sampled_from(["abc", "abcz", "ab", "aab", "", None]))
    if people is not None:
        made["people"] = [
            {"id": i, "name": i} for i in draw(st.sampled_from(["abc", "abcz", "ab", "aab", ""]))
        ]
    return made


def by_columns(data: dict[str, list[Any]]) -> tuple[Tables, list[str]]:
    """The tables and the problems."""
    raw, problems = tables_of(data, "term.json", MODEL)
    tables, found = check_records(raw, MODEL)
    return tables, [str(p) for p in (*problems, *found)]


def by_values(data: dict[str, list[Any]]) -> tuple[Tables, list[str]]:
    """The same without a look at whole columns."""
    with (
        patch.object(check, "right_column", lambda *args: None),
        patch.object(check, "all_different", lambda *args: False),
        patch.object(check, "in_order", lambda *args: False),
    ):
        return by_columns(data)


def agree(data: dict[str, list[Any]]) -> str:
    """See that whole columns and types tell what values tell; what that is."""
    tables, problems = by_columns(data)
    slow, told = by_values(data)
    assert problems == told
    assert same(tables, slow)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "term.json"
        path.write_text(json.dumps(data))
        typed = typed_records(path, MODEL)
        if typed is None:
            return "left to the slow way"
        quick, found = check_records(typed, MODEL)
    assert bool(found) == bool(told)
    if told:
        return "wrong"
    assert all(table.relation == slow[name].relation for name, table in quick.items())
    assert all(repr(table.rows) == repr(slow[name].rows) for name, table in quick.items())
    return "right"


@given(records())
@examples(1000)
def test_columns_and_types_show_what_values_show(data: dict[str, list[Any]]) -> None:
    event(agree(data))


@pytest.mark.parametrize("name", ["days", "visits", "turns"])
def test_every_wrong_value_in_every_field(name: str) -> None:
    fields = MODEL.relations[name].fields.values()
    row = {f.name: right_values(f)[0] for f in fields if f.missing == "required"}
    for f in fields:
        for value in [*WRONG[f.type], *RIGHT[f.type], *f.one_of, None]:
            agree({name: [row | {f.name: value}], "people": [{"id": "a"}, {"id": "b"}]})
