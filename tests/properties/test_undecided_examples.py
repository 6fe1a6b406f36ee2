"""An undecided example is undecided because of the field that it leaves unknown: some value of it decides."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from policycheck.engines import evaluate
from policycheck.findings import findings_of, worst_first
from policycheck.policy.compile import compile_policy
from policycheck.policy.find import packs, shipped
from policycheck.policy.load import load_policy
from policycheck.policy.model import Policy, Setting
from policycheck.policy.ready import ready_of
from policycheck.policy.unknowns import unknowns_of
from policycheck.records.check import Tables
from policycheck.records.model import Field
from policycheck.trials import Layer, leaves_unknown, world
from policycheck_engine import NEVER, Value

from tests.properties.profile import examples

Left = tuple[str, str, str, str]
"""A policy, a rule of it, and a relation and field that an undecided example leaves unknown."""


@cache
def policies() -> dict[str, Policy]:
    return {pack.id: load_policy(pack.versions[-1][1]) for pack in packs(shipped())}


@cache
def left_unknown() -> list[Left]:
    return [
        (policy.id, rule, relation, name)
        for policy in policies().values()
        for rule, unknown in unknowns_of(
            policy, [r.id for r in policy.rules.values() if not r.attested]
        ).items()
        for relation, name in unknown.fields
    ]


def values(field: Field, name: str, relation: str, tables: Tables) -> Iterator[Value]:
    """Values that a field could have: those of its kind, and those that other rows have."""
    if field.type == "bool":
        yield from (True, False)
    if field.type in ("int", "decimal"):
        yield from (0, 1, 30, 1000)
    if field.type == "datetime":
        yield from (f"2021-{day}T{hour:02}:30:00" for day in ("04-27", "04-28") for hour in range(8, 17))
    if field.type == "date":
        yield from ("2000-01-01", "2020-11-30", "2021-03-19", "2021-05-05", "2022-01-31", NEVER["date"])
    if field.missing == "blank" and field.type == "text":
        yield ""
    if field.type == "text":
        yield from (
            *field.one_of,
            "something",
            "2020",
            "2021",
            "governors",
            "head_teacher",
            "child-protection",
        )
    for there, table in tables.items():
        if there == relation or there == (field.to or "").partition(".")[0]:
            column = name if there == relation else (field.to or "").partition(".")[2]
            place = table.relation.index(column) if column else 0
            yield from {row[place] for row in table.rows} - {None}


def filled(tables: Tables, relation: str, name: str, value: Value) -> Tables:
    """The records with this value wherever the field is unknown."""
    table = tables[relation]
    place = table.relation.index(name)
    rows = [
        (*row[:place], value if row[place] is None else row[place], *row[place + 1 :]) for row in table.rows
    ]
    columns = tuple(replace(c, unknown=c.unknown and c.name != name) for c in table.relation.columns)
    return {**tables, relation: replace(table, rows=rows, relation=replace(table.relation, columns=columns))}


def decided(policy: Policy, rule: str, tables: Tables, setting: Setting) -> bool:
    base = {name: table.relation for name, table in tables.items()}
    ready = ready_of(compile_policy(policy, base, setting, [rule]), setting)
    _, findings = findings_of(ready, evaluate(ready, tables, "memory"), tables)
    return all(f.outcome != "undecided" for f in worst_first(findings))


def decided_by_some_value(policy: Policy, rule: str, example: Layer, relation: str, name: str) -> bool:
    tables, setting, _ = world(policy, [example])
    field = policy.model.relations[relation].fields[name]
    return any(
        decided(policy, rule, filled(tables, relation, name, value), setting)
        for value in values(field, name, relation, tables)
    )


def test_there_are_such_fields() -> None:
    assert len(left_unknown()) > 150


@given(st.deferred(lambda: st.sampled_from(left_unknown())))
@examples(40)
def test_some_value_decides(left: Left) -> None:
    name, rule, relation, field = left
    policy = policies()[name]
    undecided = policy.rules[rule].data["examples"]["undecided"]
    own = [example for example in undecided if leaves_unknown(policy, example, relation, field)]
    assert any(decided_by_some_value(policy, rule, example, relation, field) for example in own)
