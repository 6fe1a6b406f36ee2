"""All evaluators derive the same facts from every program."""

from __future__ import annotations

import pytest
from hypothesis import given
from policycheck.engines import evaluator
from policycheck_engine import duck, memory

from tests.properties.profile import examples
from tests.properties.strategies import worlds
from tests.properties.worlds import World, solved
from tests.support import needs_durable


@given(worlds())
@examples(150)
def test_the_naive_evaluator_and_duckdb_agree(world: World) -> None:
    assert solved(world).facts == solved(world, duck.evaluate).facts


@given(worlds(most=4))
@examples(300)
def test_the_naive_evaluator_and_the_one_in_memory_agree(world: World) -> None:
    assert solved(world).facts == solved(world, memory.evaluate).facts


@needs_durable
@given(worlds(most=4))
@examples(400)
def test_the_naive_evaluator_and_durable_rules_agree(world: World) -> None:
    assert solved(world).facts == solved(world, evaluator("durable")).facts


@needs_durable
@pytest.mark.parametrize("small", [1, 8])
def test_durable_rules_agrees_when_stages_are_split(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    durable = evaluator("durable")
    monkeypatch.setattr("policycheck_engine.rete.SMALL", small)
    monkeypatch.setattr("policycheck_engine.stages.MOST_PARTS", small)

    @given(worlds(most=4))
    @examples(100)
    def agree(world: World) -> None:
        assert solved(world).facts == solved(world, durable).facts

    agree()
