"""What is said for certain stays true, whatever the unknowns turn out to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from policycheck_engine import (
    Aggregate,
    Atom,
    Call,
    Column,
    Const,
    Either,
    Literal,
    Not,
    Program,
    Relation,
    Row,
    Rule,
    Var,
)
from policycheck_engine.readings import possible

from tests.properties.profile import LONG, examples
from tests.properties.refinement import contradictions, outcomes
from tests.properties.strategies import worlds
from tests.properties.worlds import World, solved, solved_fillings

FILLINGS = 300 if LONG else 60


@given(worlds(norm=True))
@examples(200)
def test_no_filling_contradicts_an_outcome(world: World) -> None:
    vague = solved(world)
    for rows, exact in solved_fillings(world, FILLINGS):
        found = list(contradictions(vague, exact, world.norm))
        assert not found, f"{rows}: {found[0]}"


@given(worlds(norm=True))
@examples(100)
def test_what_is_certain_is_possible(world: World) -> None:
    outcome = solved(world)
    for name in outcome.split.split:
        assert outcome.facts[name] <= outcome.facts[possible(name)]


@given(worlds(norm=True, nulls=False, failing=False))
@examples(150)
def test_complete_records_leave_nothing_undecided(world: World) -> None:
    assert world.norm is not None
    outcome = solved(world)
    for name in outcome.split.split:
        assert outcome.facts[name] == outcome.facts[possible(name)]
    assert "undecided" not in outcomes(outcome, world.norm).values()


def forgotten(row: Row, draw: st.DrawFn) -> Row:
    return tuple(None if draw(st.integers(0, 9)) == 9 else value for value in row)


def with_unknowns(relation: Relation, rows: tuple[Row, ...], every: bool) -> Relation:
    columns = tuple(
        replace(c, unknown=every or c.unknown or any(row[i] is None for row in rows))
        for i, c in enumerate(relation.columns)
    )
    return replace(relation, columns=columns)


@st.composite
def half_forgotten(draw: st.DrawFn) -> tuple[World, World]:
    """A world with some values forgotten, some rows in doubt, perhaps a relation missing; and as it was."""
    world = draw(worlds(norm=True, most=5))
    relations: dict[str, Relation] = {}
    rows: dict[str, tuple[Row, ...]] = {}
    doubtful: dict[str, tuple[Row, ...]] = {}
    for name, relation in world.program.relations.items():
        missing = relation.missing or draw(st.integers(0, 9)) == 9
        kept = [forgotten(row, draw) for row in world.rows[name]]
        doubted = [draw(st.integers(0, 9)) == 9 for _ in kept]
        rows[name] = () if missing else tuple(r for r, d in zip(kept, doubted, strict=True) if not d)
        lost = (*world.doubtful.get(name, ()), *(r for r, d in zip(kept, doubted, strict=True) if d))
        doubtful |= {name: lost} if lost and not missing else {}
        relations[name] = replace(
            with_unknowns(relation, rows[name], missing or bool(lost)),
            missing=missing,
            doubtful=not missing and (relation.doubtful or bool(lost)),
        )
    program = replace(world.program, relations=relations)
    return replace(world, program=program, rows=rows, doubtful=doubtful), world


@given(half_forgotten())
@examples(250)
def test_forgetting_never_makes_an_outcome(both: tuple[World, World]) -> None:
    less, world = both
    assert not list(contradictions(solved(less), solved(world), world.norm))


def p(variable: str) -> Atom:
    return Atom("p", (("p0", Var(variable)),))


@pytest.mark.parametrize(
    "inside",
    [
        Not((p("n1"),)),
        Either(((p("n1"),),)),
        Aggregate("count", Var("n2"), (p("n1"), p("i0")), (Var("i0"),)),
        Not((Atom("q", (("q0", Var("n1")), ("q1", Call("plus", (Var("n1"), Const(1)))))),)),
    ],
    ids=["not", "either", "count", "computed"],
)
def test_bounds_around_a_body_hold_inside_it(inside: Literal) -> None:
    """A sum that may be 0 or 1, and a body that looks for it among exact values."""
    relations = {
        "p": Relation("p", (Column("p0", "int", positive=True),)),
        "q": Relation("q", (Column("q0", "int", positive=True), Column("q1", "int"))),
        "days": Relation("days", (Column("day", "date", unknown=True),), doubtful=True),
    }
    total = Aggregate("sum", Var("n1"), (Atom("days", ()),), (Var("i0"),), weight=Var("i0"))
    given = ["n1", "n2"] if isinstance(inside, Aggregate) else ["n1"]
    rules = (
        Rule("total", (("n1", Var("n1")),), (p("i0"), total)),
        Rule("found", tuple((n, Var(n)) for n in given), (Atom("total", (("n1", Var("n1")),)), inside)),
    )
    records = {"p": ((1,),), "q": ((1, 2),), "days": ()}
    world = World(Program(relations, rules, {}), records, {"days": ((None,),)})
    vague = solved(world)
    for rows, exact in solved_fillings(world, FILLINGS):
        assert not list(contradictions(vague, exact)), rows
