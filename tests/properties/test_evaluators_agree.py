"""All evaluators derive the same facts from every program."""

from __future__ import annotations

from hypothesis import given
from policycheck_engine import duck, memory

from tests.properties.profile import examples
from tests.properties.strategies import worlds
from tests.properties.worlds import World, solved


@given(worlds())
@examples(150)
def test_the_naive_evaluator_and_duckdb_agree(world: World) -> None:
    assert solved(world).facts == solved(world, duck.evaluate).facts


@given(worlds(most=4))
@examples(300)
def test_the_naive_evaluator_and_the_one_in_memory_agree(world: World) -> None:
    assert solved(world).facts == solved(world, memory.evaluate).facts
