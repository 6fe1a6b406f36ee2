"""A field that is left empty, or a sheet that is not kept, never makes a finding in the Woodlands policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from policycheck.policy.compile import mentioned
from policycheck.policy.load import load_policy, model_of
from policycheck.policy.model import Policy
from policycheck.trials import Layer, judged_layers

from tests.properties.profile import examples

RULES = (
    "front.3.missing",
    "front.3.late",
    "expectations.slt.4.b",
    "expectations.slt.7.a.missing",
    "principles.3",
    "deployment.2.a",
    "preparation.4.a",
    "prohibited.1",
    "prohibited.2",
    "prohibited.3",
)
"""Rules that read fields of which records.yaml says that a missing value is unknown."""

Cell = tuple[str, tuple[tuple[str, Any], ...], str]


@cache
def woodlands() -> Policy:
    folder = Path(__file__).parents[2] / "policies" / "woodlands-progress-mentor" / "2021-03-19"
    return load_policy(folder, model_of(folder))


@cache
def read_by(rule: str) -> frozenset[str]:
    """The relations that a rule reads, itself or through definitions."""
    policy = woodlands()
    found: set[str] = set()
    queue = list(mentioned(policy.rules[rule].data))
    while queue:
        name = queue.pop()
        if name in policy.definitions and name not in found:
            queue += mentioned(policy.definitions[name].when)
        found.add(name)
    return frozenset(found & policy.model.relations.keys())


def cells(rule: str, example: Layer) -> Iterator[Cell]:
    """The fields of an example that may be left empty: relation, key of the row, field."""
    policy = woodlands()
    defaults = policy.scene.get("defaults") or {}
    for layer in (policy.scene["rows"], example.get("given") or {}):
        for name in sorted(read_by(rule) & layer.keys()):
            model = policy.model.relations[name]
            for row in layer[name] if model.key else ():
                whole = {**defaults.get(name, {}), **row}
                key = tuple((k, whole[k]) for k in model.key)
                unknown = [f.name for f in model.fields.values() if f.missing == "unknown"]
                yield from ((name, key, field) for field in unknown if field not in model.key)


def emptied(found: list[Cell]) -> Layer:
    """A layer that leaves these fields empty."""
    given: dict[str, list[dict[str, Any]]] = {}
    for name, key, field in found:
        given.setdefault(name, []).append({**dict(key), field: None})
    return {"given": given}


def outcomes(rule: str, layers: list[Layer]) -> set[tuple[str, str]]:
    """What is said for certain: subjects with their outcomes."""
    findings, met, problems = judged_layers(woodlands(), layers, [rule], "memory")
    assert not problems, problems
    said = {(shown(f.subject), f.outcome) for f in findings if f.outcome != "undecided"}
    return said | {(shown({k: v for k, v in m.items() if k != "rule"}), "met") for m in met}


def shown(subject: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in subject.items())


@st.composite
def emptied_examples(draw: st.DrawFn) -> tuple[str, Layer, Layer]:
    """A rule, one of its examples, and a layer that leaves some fields of it empty."""
    rule = draw(st.sampled_from(RULES))
    every = woodlands().rules[rule].data["examples"].values()
    example = draw(st.sampled_from([e for examples_ in every for e in examples_]))
    found = list(cells(rule, example))
    assume(found)
    return rule, example, emptied(draw(st.lists(st.sampled_from(found), min_size=1, max_size=4, unique=True)))


@given(emptied_examples())
@examples(60)
def test_an_empty_field_never_makes_a_finding(tried: tuple[str, Layer, Layer]) -> None:
    rule, example, less = tried
    assert outcomes(rule, [example, less]) <= outcomes(rule, [example])


@st.composite
def examples_without_a_relation(draw: st.DrawFn) -> tuple[str, Layer, Layer]:
    """Any rule that has examples, one of these, and a relation that it does without."""
    policy = woodlands()
    rule = draw(st.sampled_from([r.id for r in policy.rules.values() if r.data.get("examples")]))
    example = draw(st.sampled_from([e for es in policy.rules[rule].data["examples"].values() for e in es]))
    names = [n for n in sorted(read_by(rule)) if policy.model.relations[n].absent == "unknown"]
    assume(names)
    return rule, example, {"absent": [draw(st.sampled_from(names))]}


@given(examples_without_a_relation())
@examples(60)
def test_an_absent_relation_never_makes_a_finding(tried: tuple[str, Layer, Layer]) -> None:
    rule, example, less = tried
    assert outcomes(rule, [example, less]) <= outcomes(rule, [example])
