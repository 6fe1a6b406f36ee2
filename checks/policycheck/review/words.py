"""What programs name: numbers, days, and texts by what they are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, field
from policycheck_engine import Atom, Bind, Compare, Const, Member, Program, Var
from policycheck_engine.program import Call, Literal, Rule, Term, terms, walk

from policycheck.review.near import constants

LOOSE = "loose"
"""What texts are compared with that may stand in any free text."""


class Words(Struct):
    """What the programs name: numbers and days, and the texts by what they stand for: the column
    (relation, field) or the domain they are compared with."""

    numbers: set[float] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    texts: dict[object, set[str]] = field(default_factory=dict)
    blanks: bool = False


def words(programs: Iterable[Program]) -> Words:
    """What the programs name."""
    out = Words()
    for program in programs:
        for kind, value in constants(program):
            if kind == "number" and isinstance(value, int | float) and abs(value) < 10**5:
                out.numbers.add(float(value))
            elif isinstance(value, str) and value[:4].isdigit() and value[4:5] == "-":
                out.days.add(value)
        for rule in program.rules:
            named_texts(program, rule, out)
    return out


def named_texts(program: Program, rule: Rule, out: Words) -> None:
    """The texts that a rule compares with columns, by column and by domain."""
    literals = list(walk(rule.body))
    kinds: dict[str, set[object]] = {}
    for literal in literals:
        if isinstance(literal, Atom):
            for column, term in literal.args:
                if isinstance(term, Var):
                    kinds.setdefault(term.name, set()).update(kinds_of(program, literal.relation, column))
                elif isinstance(term, Const) and isinstance(term.value, str):
                    for kind in kinds_of(program, literal.relation, column):
                        out.texts.setdefault(kind, set()).add(term.value)
    for name, text in compared_texts(literals):
        for kind in kinds.get(name, ()):
            out.texts.setdefault(kind, set()).add(text)
    out.blanks = out.blanks or any(asks_blank(t) for literal in literals for t in terms(literal))


def asks_blank(term: Term) -> bool:
    """Whether a term asks if a text is blank."""
    return isinstance(term, Call) and (term.function == "is_blank" or any(map(asks_blank, term.args)))


def kinds_of(program: Program, relation: str, column: str) -> set[object]:
    """What a column's values are compared as: the ids of a domain, the column itself, or any free text."""
    asked = next(c for c in program.relations[relation].columns if c.name == column)
    if asked.domain is not None:
        return {asked.domain}
    derived = relation in {rule.head for rule in program.rules}
    return {LOOSE} if derived and not asked.values else {(relation, column)}


def compared_texts(literals: Iterable[Literal]) -> Iterator[tuple[str, str]]:
    """Variables and the texts that they are compared with."""
    for literal in literals:
        pairs: list[tuple[Any, Any]] = []
        match literal:
            case Compare(left=left, right=right):
                pairs = [(left, right), (right, left)]
            case Bind(var=var, term=term):
                pairs = [(var, term)]
            case Member(term=term, values=values):
                pairs = [(term, v) for v in values]
        for one, two in pairs:
            if isinstance(one, Var) and isinstance(two, Const) and isinstance(two.value, str):
                yield one.name, two.value
