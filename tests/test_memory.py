"""What the in-memory evaluator makes of rules that can be written in more than one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from policycheck_engine import (
    Aggregate,
    Atom,
    Body,
    Column,
    Compare,
    Const,
    Literal,
    Member,
    Not,
    Program,
    Relation,
    Row,
    Rule,
    Term,
    Var,
)
from policycheck_engine.memory import World, steps
from policycheck_engine.naive import evaluate

Tables = Mapping[str, Sequence[Row]]

V, W, X, Y, Z = (Var(name) for name in "vwxyz")
WIDTHS = {"few": 1, "pair": 2, "also": 3, "many": 3, "span": 3}

MANY: Tables = {
    "few": [(i,) for i in range(10)],
    "pair": [(i, i % 5) for i in range(200)],
    "many": [(i % 7, i % 11, i) for i in range(200)],
    "also": [(i % 6, i % 4, i % 9) for i in range(200)],
    "span": [(i % 2, i, i + i % 4) for i in range(200)],
}
"""Rows enough for everything that is done for many rows only; `pair` and `many` have keys."""

OTHERS: dict[str, Tables] = {
    "no pair of the same": {**MANY, "pair": [(1, 2), (3, 4)]},
    "nothing": {name: [] for name in MANY},
    "not a key": {**MANY, "pair": [(i // 3, i % 5) for i in range(30)], "many": [*MANY["also"], (1, 1, 1)]},
    "other rows": {name: [row[::-1] for row in rows[::3]] for name, rows in MANY.items()},
}


def atom(name: str, *terms: Term | None) -> Atom:
    """An atom, of which some columns do not matter."""
    return Atom(name, tuple((f"c{i}", term) for i, term in enumerate(terms) if term is not None))


def rule(head: str, terms: Sequence[Term], *body: Literal) -> Rule:
    return Rule(head, atom(head, *terms).args, body)


def count(name: str) -> tuple[Literal, ...]:
    """How many values of the last column go with a value of the first."""
    return (Aggregate("count", W, (atom(name, X, None, Y),), of=(Y,)),)


def inside_each_other(depth: int) -> Body:
    """A body with as many negations inside each other, each of a link to the next."""
    body: Body = ()
    for i in reversed(range(depth)):
        body = (atom("pair", Var(f"x{i}"), Var(f"x{i + 1}")), Compare("<", X, Const(7)), *body)
        body = (Not((Compare(">=", X, Const(0)), *body)),)
    return body


LINKED = rule("linked", (X, Y), atom("many", X, None, Z), atom("pair", Z, Y))
SAME = rule("same", (X, X), atom("many", X, None, None))

RULES: dict[str, list[Rule]] = {
    "an atom that another implies": [
        rule(
            "found", (X, Y), atom("many", X, None, Y), atom("many", X, None, None), atom("many", None, V, Y)
        ),
        rule("found", (X, X), atom("pair", X, None), atom("pair", X, W), Not((atom("pair", W, W),))),
    ],
    "not implied: a value from around": [
        rule(
            "found",
            (X, Z),
            atom("few", X),
            atom("few", Z),
            Not((atom("many", X, None, Y), atom("many", None, Z, Y))),
        ),
    ],
    "not implied: twice the same value": [rule("found", (X,), atom("pair", X, None), atom("pair", Y, Y))],
    "aggregates that look alike": [
        rule("found", (X, W), atom("few", X), *count("many")),
        rule("also found", (X, W), atom("few", X), *count("also")),
        rule("found again", (X, W), atom("few", X), *count("many")),
    ],
    "other aggregates": [
        rule("found", (X, W), atom("few", X), Aggregate("max", W, (atom("many", X, None, Y),), weight=Y)),
        rule("also found", (X, W), atom("few", X), Aggregate("min", W, (atom("pair", Y, X),), weight=Y)),
        rule(
            "found again",
            (X, W),
            atom("few", X),
            Aggregate(
                "share",
                W,
                (atom("many", X, None, Y), atom("pair", Y, X)),
                of=(Y,),
                against=(atom("many", X, None, Y), Not((atom("pair", Y, X),))),
            ),
        ),
    ],
    "rows found by a key": [
        rule("found", (X, Y), atom("many", None, None, X), atom("pair", X, Y)),
        rule("also found", (X,), atom("many", None, None, X), atom("pair", X, Const(3))),
        rule("found again", (X,), atom("few", X), Not((atom("many", X, None, Y), atom("pair", Y, Const(3))))),
    ],
    "a loop that is left": [
        rule("found", (X,), atom("few", X), Not((atom("span", X, Y, Z), Compare("<", Y, Z))))
    ],
    "loops that are left": [
        rule(
            "found",
            (X,),
            atom("few", X),
            Not((atom("also", X, Y, Z), atom("span", Y, Z, W), Compare("<", X, W))),
        ),
    ],
    "a test before the loops": [
        rule(
            "found",
            (X,),
            atom("few", X),
            Not((Compare(">", X, Const(2)), atom("also", X, Y, Z), atom("span", Y, Z, None))),
        ),
    ],
    "no match for which there is no match": [
        rule(
            "found",
            (X,),
            atom("few", X),
            Not((atom("also", X, Y, Z), Not((atom("span", Y, Z, V), Compare("=", V, Z))))),
        ),
        rule("also found", (X,), atom("few", X), Not((Not((atom("also", X, Y, None), atom("pair", Y, X))),))),
    ],
    "negations inside each other": [
        rule("found", (X,), atom("few", X), Compare(">", X, Const(depth - 9)), *inside_each_other(depth))
        for depth in (5, 9, 14, 30)
    ],
    "values that many rows share": [
        rule("found", (X,), atom("many", X, None, None)),
        rule("also found", (Y, X), atom("also", X, Y, None), Not((atom("pair", X, Y),))),
        rule("found again", (X,), atom("many", X, Y, None), Compare("<", X, Y)),
    ],
    "only tested": [
        LINKED,
        SAME,
        rule("found", (X, Y), atom("few", X), atom("few", Y), atom("linked", X, Y)),
        rule("also found", (X, Y), atom("few", X), atom("few", Y), Not((atom("linked", X, Y),))),
        rule("found again", (X, Y), atom("few", X), atom("few", Y), atom("same", X, Y)),
        rule("found again", (X, X), atom("few", X), atom("same", Const(2), X)),
        rule(
            "found too", (X, Y), atom("few", X), atom("also", X, Z, Y), atom("few", Z), atom("linked", X, Y)
        ),
    ],
    "only tested, one inside the other": [
        rule("inner", (X,), atom("also", X, Y, None), atom("pair", Y, None)),
        rule(
            "outer",
            (X,),
            atom("few", X),
            Aggregate("count", W, (atom("many", X, Z, Y), atom("inner", Z)), of=(Y,)),
            Compare(">", W, Const(3)),
        ),
        rule("found", (X,), atom("few", X), atom("outer", X)),
    ],
    "values that are common": [
        rule("found", (X,), atom("span", Const(1), X, None)),
        rule("also found", (X,), atom("span", V, X, None), Member(V, (Const(1), Const(5)))),
    ],
    "between two bounds": [
        rule(
            "found",
            (X, Y),
            atom("few", X),
            atom("span", Const(1), Y, Z),
            Compare("<=", Y, X),
            Compare(">=", Z, X),
        ),
    ],
}


@pytest.mark.parametrize("case", RULES)
def test_rules_for_many_rows(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policycheck_engine.plan.LITTLE", 10)
    monkeypatch.setattr("policycheck_engine.specialise.SAFE", 0)
    rules = RULES[case]
    widths = WIDTHS | {r.head: len(r.args) for r in rules}
    relations = {n: Relation(n, tuple(Column(f"c{i}", "int") for i in range(w))) for n, w in widths.items()}
    program = Program(relations, tuple(rules))
    wanted = [r.head for r in rules if "found" in r.head]
    made = World({}, MANY)
    taken = steps(program, wanted, made)
    assert made.only(wanted) == evaluate(program, MANY, wanted)
    for others in OTHERS.values():
        again = World({}, others)
        for step in taken:
            again.take(step)
        assert again.only(wanted) == evaluate(program, others, wanted)


@pytest.mark.parametrize("row", [(None, 1), (1, None), (None, None), (1, 1), (1, 2)])
def test_two_columns_that_may_be_the_same_give_the_value_that_one_of_them_has(row: Row) -> None:
    columns = (Column("c0", "int", unknown=True), Column("c1", "int", unknown=True))
    day = Relation("day", (Column("c0", "int"),))
    relations = {
        "two": Relation("two", columns),
        "day": day,
        "both": Relation("both", (Column("c0", "int"),)),
    }
    either = Atom("two", (("c0", X), ("c1", X)), sure=False)
    program = Program(relations, (rule("both", (X,), either, Atom("day", (("c0", X),), sure=False)),))
    tables: Tables = {"two": [row], "day": [(i,) for i in range(50)]}
    world = World({}, tables)
    steps(program, ["both"], world)
    expected: dict[Row, set[Row]] = {(None, 1): {(1,)}, (1, None): {(1,)}, (1, 1): {(1,)}, (1, 2): set()}
    assert world.only(["both"]) == evaluate(program, tables, ["both"])
    assert world.only(["both"])["both"] == expected.get(row, set(tables["day"]))
