"""The naive evaluator and DuckDB derive the same facts from every program."""

from __future__ import annotations

from hypothesis import given
from policycheck_engine import duck

from tests.properties.profile import examples
from tests.properties.strategies import worlds
from tests.properties.worlds import World, solved


@given(worlds())
@examples(150)
def test_naive_and_duckdb_agree(world: World) -> None:
    assert solved(world).facts == solved(world, duck.evaluate).facts
