"""Records read by their types are the records read row by row, or are not read at all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from policycheck.records.check import Tables, check_records
from policycheck.records.model import Field, RecordModel, RelationModel, load_model
from policycheck.records.read import Source, read_records

from tests.properties.profile import examples
from tests.support import ROOT

MODELS = [
    load_model(ROOT / folder / "records.yaml")
    for folder in ("benchmarks/six-rules", "tests/cases", "policies")
]
RIGHT: dict[str, list[Any]] = {
    "text": [*map(str, range(99)), ""],
    "int": [0, 1, 7],
    "decimal": [0.5, 2, 1e3],
    "bool": [True, False],
    "date": ["2021-05-04", "2021-05-11"],
    "time": ["09:00:00", "10:30:00"],
    "datetime": ["2021-05-04T09:00:00", "2021-05-04T10:30:00"],
}
WRONG = ["yes", "2021-5-4", "09:00", "2021-05-04 09:00", 1.0, 10**30, [], {}, [None]]


def values(f: Field) -> st.SearchStrategy[Any]:
    right: list[Any] = list(f.one_of) or RIGHT[f.type]
    return st.sampled_from([*right, *right, *right, None]) | st.sampled_from([*right, *WRONG])


@st.composite
def rows(draw: Any, relation: RelationModel, model: RecordModel, known: tuple[str, ...] = ()) -> Any:
    """A row, mostly of the right form, with its children in it."""
    row: dict[str, Any] = {}
    for name, f in relation.fields.items():
        if name not in known and draw(st.integers(0, 99 if f.missing == "required" else 2)):
            value = values(f) if draw(st.integers(0, 59)) == 0 else st.sampled_from(RIGHT[f.type])
            row[name] = draw(value)
            if f.one_of and draw(st.integers(0, 59)):
                row[name] = f.one_of[0]
    for child in model.children.get(relation.name, ()):
        if draw(st.booleans()):
            keys = model.parent_keys(child)
            own = [f for n, f in child.fields.items() if n not in keys]
            item = rows(child, model, keys)
            items = item | st.sampled_from(RIGHT[own[0].type]) if len(own) == 1 else item
            assert child.nested is not None
            row[child.nested.name] = draw(st.lists(items, max_size=2) | st.none())
    if draw(st.integers(0, 99)) == 0:
        row["unheard_of"] = 1
    return row


@st.composite
def records(draw: Any) -> tuple[RecordModel, dict[str, list[Any]]]:
    model = draw(st.sampled_from(MODELS))
    chosen = draw(st.lists(st.sampled_from(sorted(model.relations)), max_size=3, unique=True))
    return model, {name: draw(st.lists(rows(model.relations[name], model), max_size=3)) for name in chosen}


def same(one: Tables, two: Tables) -> bool:
    """Whether tables are alike to the type of each value, and their rows have the same places."""
    return all(
        repr(one[name].rows) == repr(two[name].rows)
        and one[name].relation == two[name].relation
        and one[name].source == two[name].source
        and [one[name].places(i) for i in range(len(one[name].rows))]
        == [two[name].places(i) for i in range(len(two[name].rows))]
        for name in (*one, *two)
    )


@given(records(), st.booleans())
@examples(300)
def test_typed_records_are_the_same_or_none(
    made: tuple[RecordModel, dict[str, list[Any]]], folder: bool
) -> None:
    model, data = made
    with tempfile.TemporaryDirectory() as place:
        path = Path(place)
        if folder:
            for name, listed in data.items():
                (path / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in listed))
            (path / f"{next(iter(model.relations))}.ndjson").touch()
        else:
            path = path / "term.json"
            path.write_text(json.dumps(data))
        source = Source(path)
        typed = source.typed(model)
        if typed is None:
            return
        quick, problems = check_records(typed, model)
        if problems:
            return
        raw, unread = read_records(source, model)
        slow, wrong = check_records(raw, model)
        assert not unread
        assert not wrong
        assert same(quick, slow)
