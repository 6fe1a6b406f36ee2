"""Order means nothing: of rows, of rules, of literals."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from policycheck_engine import Aggregate, Body, Either, Literal, Not, Program

from tests.properties.profile import examples
from tests.properties.refinement import outcomes
from tests.properties.strategies import worlds
from tests.properties.worlds import World, checked, solved

T = TypeVar("T")


@given(worlds(norm=True), st.randoms(use_true_random=False))
@examples(200)
def test_order_means_nothing(world: World, chance: Random) -> None:
    assert world.norm is not None
    other = replace(
        world,
        program=shuffled_program(world.program, chance),
        rows={name: tuple(shuffled(rows, chance)) for name, rows in world.rows.items()},
    )
    assert checked(other) is not None
    one, two = solved(world), solved(other)
    assert one.facts == two.facts
    assert outcomes(one, world.norm) == outcomes(two, world.norm)


def shuffled_program(program: Program, chance: Random) -> Program:
    rules = [replace(rule, body=shuffled_body(rule.body, chance)) for rule in program.rules]
    return replace(program, rules=tuple(shuffled(rules, chance)))


def shuffled_body(body: Body, chance: Random) -> Body:
    return tuple(shuffled([shuffled_literal(literal, chance) for literal in body], chance))


def shuffled_literal(literal: Literal, chance: Random) -> Literal:
    match literal:
        case Not():
            return replace(literal, body=shuffled_body(literal.body, chance))
        case Either():
            bodies = [shuffled_body(body, chance) for body in literal.bodies]
            return replace(literal, bodies=tuple(shuffled(bodies, chance)))
        case Aggregate():
            return replace(
                literal,
                body=shuffled_body(literal.body, chance),
                against=shuffled_body(literal.against, chance),
            )
    return literal


def shuffled(items: Sequence[T], chance: Random) -> list[T]:
    return chance.sample(items, len(items))
