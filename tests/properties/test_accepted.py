"""A failure that is accepted from outside changes a breach and nothing else; what is certain stays so."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from policycheck_engine import Value
from policycheck_engine.norms import Judgement, Norm, judge
from policycheck_engine.readings import high

from tests.properties.profile import LONG, examples
from tests.properties.refinement import contradictions, outcomes
from tests.properties.strategies import worlds
from tests.properties.worlds import DOMAIN, Outcome, World, solved, solved_fillings

FILLINGS = 300 if LONG else 40
MILDER = ("excused", "explained", "undecided")


class Accepted(Outcome, frozen=True):
    """An outcome in which failures are accepted when one of their variables is known to have some values."""

    name: str
    values: frozenset[Value]

    def judged(self, norm: Norm) -> Judgement:
        return judge(norm, self.split.outline(), self.facts, self.accepts)

    def accepts(self, case: Mapping[str, Value]) -> bool:
        return high(self.name) not in case and case.get(self.name) in self.values

    def of(self, outcome: Outcome) -> Accepted:
        return Accepted(outcome.split, outcome.facts, self.name, self.values)


@st.composite
def accepting(draw: st.DrawFn) -> tuple[World, Accepted]:
    """A world, and what comes of it when some failures are accepted."""
    world = draw(worlds(norm=True))
    assert world.norm is not None
    every = [value for values in DOMAIN.values() for value in values]
    values = draw(st.frozensets(st.sampled_from(every), min_size=3))
    outcome = solved(world)
    name = draw(st.sampled_from(world.norm.columns))
    return world, Accepted(outcome.split, outcome.facts, name, values)


@given(accepting())
@examples(200)
def test_only_a_breach_changes(tried: tuple[World, Accepted]) -> None:
    world, accepted = tried
    assert world.norm is not None
    before = outcomes(Outcome(accepted.split, accepted.facts), world.norm)
    after = outcomes(accepted, world.norm)
    assert before.keys() == after.keys()
    changed = {(before[key], after[key]) for key in after if before[key] != after[key]}
    assert changed <= {("breach", outcome) for outcome in MILDER}


@given(accepting())
@examples(150)
def test_no_filling_contradicts_it(tried: tuple[World, Accepted]) -> None:
    world, accepted = tried
    for rows, exact in solved_fillings(world, FILLINGS):
        found = list(contradictions(accepted, accepted.of(exact), world.norm))
        assert not found, f"{rows}: {found[0]}"


@given(accepting())
@examples(200)
def test_cases_are_counted_once(tried: tuple[World, Accepted]) -> None:
    world, accepted = tried
    assert world.norm is not None
    judgement, usual = accepted.judged(world.norm), Outcome.judged(accepted, world.norm)
    moved = sum(len(judged.accepted) for judged in judgement.others)
    assert judgement.cases.total() == usual.cases.total()
    assert judgement.cases["breach"] == usual.cases["breach"] - moved
    assert judgement.cases["excused"] == usual.cases["excused"] + moved
