"""How rules are written for the in-memory evaluator changes nothing of what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from policycheck_engine import (
    Atom,
    Column,
    Not,
    Program,
    Relation,
    Row,
    Rule,
    Type,
    Value,
    Var,
    check,
    readings,
)
from policycheck_engine.memory import World as Facts
from policycheck_engine.memory import counted_by, steps
from policycheck_engine.naive import evaluate

from tests.properties.profile import examples
from tests.properties.strategies import worlds
from tests.properties.worlds import DOMAIN, World, tables

Records = Mapping[str, Sequence[Row]]

POOL: dict[Type, tuple[Value, ...]] = {**DOMAIN, "decimal": (0.5, 1.0, 2.0), "bool": (True, False)}


class Unsure(Facts):
    """Facts about whose number nothing true is said."""

    seed: float

    def guess(self, relation: str, places: tuple[int, ...]) -> float:
        return Random(f"{self.seed} {relation} {places}").choice((0, 1, 1.5, 8, 40, 5000))


def agrees(program: Program, records: Records, wanted: Sequence[str], chance: Random) -> None:
    """Whatever is guessed of these records, the steps give the same, and so they do for other records."""
    facts = Unsure(counted_by(program), records)
    facts.seed = chance.random()
    taken = steps(program, wanted, facts)
    assert facts.only(wanted) == evaluate(program, records, wanted)
    others = {name: [row for row in rows if chance.random() < 0.7] for name, rows in records.items()}
    again = Facts(counted_by(program), others)
    for step in taken:
        again.take(step)
    assert again.only(wanted) == evaluate(program, others, wanted)


@given(worlds(most=4), st.randoms(use_true_random=False))
@examples(300)
def test_guesses_change_nothing(world: World, chance: Random) -> None:
    split = readings(check(world.program)[0])
    names = list(split.program.relations)
    wanted = chance.sample(names, chance.randint(1, min(3, len(names))))
    agrees(split.program, tables(world, split), wanted, chance)


@pytest.mark.parametrize("safe", [0, 10**9], ids=["in-place", "derived"])
def test_relations_that_are_only_tested(safe: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policycheck_engine.plan.LITTLE", 0)
    monkeypatch.setattr("policycheck_engine.specialise.SAFE", safe)

    @given(worlds(most=4), st.randoms(use_true_random=False))
    @examples(300)
    def agree(world: World, chance: Random) -> None:
        split = readings(check(world.program)[0])
        program, wanted = asking(split.program)
        pools = {pool(type_): [(value,) for value in (*values, None)] for type_, values in POOL.items()}
        agrees(program, {**tables(world, split), **pools}, wanted, chance)

    agree()


def pool(type_: Type) -> str:
    return f"any {type_}"


def asking(program: Program) -> tuple[Program, list[str]]:
    """The program with two more relations for each derived one: of values that it has, and that it lacks."""
    relations = dict(program.relations)
    for type_ in POOL:
        relations[pool(type_)] = Relation(pool(type_), (Column("value", type_, unknown=True),))
    rules, wanted = list(program.rules), []
    for name in program.heads:
        columns = [c for c in program.relations[name].columns if c.type in POOL]
        args = tuple((c.name, Var(c.name)) for c in columns)
        given = tuple(Atom(pool(c.type), (("value", Var(c.name)),)) for c in columns)
        for mark, asked in (("has", Atom(name, args)), ("lacks", Not((Atom(name, args),)))):
            wanted.append(f"{mark} {name}")
            relations[wanted[-1]] = Relation(wanted[-1], tuple(replace(c, unknown=True) for c in columns))
            rules.append(Rule(wanted[-1], args, (*given, asked)))
    return Program(relations, tuple(rules), program.calendars), wanted
