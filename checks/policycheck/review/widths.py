"""How many rows it takes to reach the figures that rules count up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from policycheck_engine import Aggregate, Atom, Body, Compare, Const, Program, Var
from policycheck_engine.norms import Norm
from policycheck_engine.program import variables, walk

MOST = 12
"""So many rows are tried at most."""


def widths(program: Program, norm: Norm) -> dict[str, int]:
    """So many rows of each base relation make a difference to what is counted in it; those that are only
    read are left out."""
    out: dict[str, int] = {}
    for rule in program.rules:
        for literal in walk(rule.body):
            if isinstance(literal, Aggregate) and literal.kind in ("count", "share"):
                rows = max([rows_for(literal, figure) for figure in figures(program, literal)], default=0)
                names = [v.name for t in literal.of for v in variables(t)]
                widen(out, program, literal.body, names, rows)
    if norm.share is not None or norm.allow:
        rows = norm.allow + 2 if norm.share is None else denominator(norm.share)
        own = [name for name in norm.columns if name not in norm.subject]
        case = Atom(norm.case, tuple((name, Var(name)) for name in norm.columns))
        widen(out, program, (case,), own, rows)
    return {name: min(rows, MOST) for name, rows in out.items()}


def widen(out: dict[str, int], program: Program, body: Body, names: Iterable[str], rows: int) -> None:
    for relation in set(holding(program, body, set(names), set())):
        out[relation] = max(out.get(relation, 0), rows)


def figures(program: Program, literal: Aggregate) -> Iterator[int | float]:
    """The figures that the result of an aggregate is compared with, here or where it is handed on."""
    for rule in program.rules:
        for other in walk(rule.body):
            if isinstance(other, Compare):
                for one, two in ((other.left, other.right), (other.right, other.left)):
                    if one == literal.into and isinstance(two, Const) and isinstance(two.value, int | float):
                        yield two.value


def rows_for(literal: Aggregate, figure: int | float) -> int:
    return int(figure) + 1 if literal.kind == "count" else denominator(figure)


def denominator(share: float) -> int:
    """How many cases it takes for just such a share of them."""
    return Fraction(str(share)).limit_denominator(MOST).denominator


def holding(program: Program, body: Body, names: set[str], seen: set[str]) -> Iterator[str]:
    """The base relations whose rows give variables of a body their values."""
    heads = program.heads
    for literal in walk(body):
        if not isinstance(literal, Atom):
            continue
        columns = [c for c, t in literal.args if isinstance(t, Var) and t.name in names]
        if columns and literal.relation not in heads:
            yield literal.relation
        elif columns and literal.relation not in seen:
            for rule in heads[literal.relation]:
                given = {t.name for c, t in rule.args if c in columns and isinstance(t, Var)}
                yield from holding(program, rule.body, given, seen | {literal.relation})
