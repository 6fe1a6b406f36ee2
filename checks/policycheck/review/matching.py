"""Whether two bodies ask the same, up to the names of their variables and the order of what they ask.

Bodies are compared as the engine reads them. A match says which variable of the old body is which of the
new one; what is inside a `not` or an aggregate has variables of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from policycheck_engine import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Call,
    Compare,
    Const,
    Either,
    Literal,
    Member,
    Not,
    Term,
    Var,
)
from policycheck_engine.program import names_in, terms, variables

STEPS = 50_000
"""After so many tries two bodies count as different; only long ones full of look-alikes need more."""

FLIPPED = {">": "<", ">=": "<="}


class Renaming(Struct, frozen=True):
    """Which old variable is which new one; no two are the same."""

    there: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)

    def plus(self, old: str, new: str) -> Renaming | None:
        """With one more pair, or None when either has another partner."""
        if self.there.get(old) == new:
            return self
        if old in self.there or new in self.back:
            return None
        return Renaming({**self.there, old: new}, {**self.back, new: old})

    def among(self, names: set[str]) -> Renaming:
        """Only the pairs whose old variable is one of these."""
        there = {old: new for old, new in self.there.items() if old in names}
        return Renaming(there, {new: old for old, new in there.items()})


class Matcher(Struct, dict=True):
    """Matches old bodies with new ones.

    `relations` gives what definitions are called now; `constant` says whether an old value and a new one
    count as the same.
    """

    relations: Mapping[str, str]
    constant: Callable[[Any, Any], bool]
    steps: int = 0

    def match(self, old: Body, new: Body, known: Renaming) -> Renaming | None:
        """A renaming that makes the old body the new one and agrees with what is known; or None."""
        self.steps = 0
        fresh = count(1)
        old, new = (apart(body, set(names), fresh) for body, names in ((old, known.there), (new, known.back)))
        return next(self.bodies(old, new, known), None)

    def bodies(self, old: Body, new: Body, known: Renaming) -> Iterator[Renaming]:
        if len(old) != len(new):
            return
        if not old:
            yield known
            return
        shape = self.shape(old[0], self.relations)
        for i, literal in enumerate(new):
            if self.shape(literal, {}) == shape:
                self.steps += 1
                if self.steps > STEPS:
                    return
                rest = (*new[:i], *new[i + 1 :])
                for more in self.literals(old[0], literal, known):
                    yield from self.bodies(old[1:], rest, more)

    @staticmethod
    def shape(literal: Literal, relations: Mapping[str, str]) -> tuple[Any, ...]:
        """What must be equal for two literals to match at all."""
        match literal:
            case Atom():
                name = relations.get(literal.relation, literal.relation)
                return ("atom", name, *sorted(column for column, _ in literal.args))
            case Compare():
                return ("compare", FLIPPED.get(literal.op, literal.op))
            case Aggregate():
                return ("aggregate", literal.kind, literal.unit, len(literal.of), len(literal.body))
            case Not():
                return ("not", len(literal.body))
            case Either():
                return ("either", len(literal.bodies))
            case _:
                return (type(literal).__name__,)

    def literals(self, old: Literal, new: Literal, known: Renaming) -> Iterator[Renaming]:
        match old, new:
            case Atom(), Atom():
                there = dict(new.args)
                yield from self.terms([(term, there[column]) for column, term in old.args], known)
            case Compare(), Compare():
                yield from self.terms(list(zip(sides(old), sides(new), strict=True)), known)
                if old.op in ("=", "!="):
                    yield from self.terms([(old.left, new.right), (old.right, new.left)], known)
            case Member(), Member():
                if self.lists([c.value for c in old.values], [c.value for c in new.values]):
                    yield from self.terms([(old.term, new.term)], known)
            case Bind(), Bind():
                yield from self.terms([(old.var, new.var), (old.term, new.term)], known)
            case Not(), Not():
                yield from self.bodies(old.body, new.body, known)
            case Either(), Either():
                yield from self.any_order(old.bodies, new.bodies, known)
            case Aggregate(), Aggregate():
                yield from self.aggregates(old, new, known)

    def aggregates(self, old: Aggregate, new: Aggregate, known: Renaming) -> Iterator[Renaming]:
        if (old.weight is None) != (new.weight is None):
            return
        pairs: list[tuple[Term, Term]] = [(old.into, new.into), *zip(old.of, new.of, strict=True)]
        pairs += [(a, b) for a, b in ((old.weight, new.weight),) if a is not None and b is not None]
        pairs += list(zip(old.window or (), new.window or (), strict=True))
        for more in self.bodies(old.body, new.body, known):
            for most in self.bodies(old.against, new.against, more):
                yield from self.terms(pairs, most)

    def any_order(self, old: Sequence[Body], new: Sequence[Body], known: Renaming) -> Iterator[Renaming]:
        """Each old body is one of the new ones."""
        if not old:
            yield known
            return
        for i, body in enumerate(new):
            for more in self.bodies(old[0], body, known):
                yield from self.any_order(old[1:], (*new[:i], *new[i + 1 :]), more)

    def terms(self, pairs: Sequence[tuple[Term, Term]], known: Renaming) -> Iterator[Renaming]:
        """All pairs of terms are the same."""
        found: Renaming | None = known
        for old, new in pairs:
            found = found and self.term(old, new, found)
        if found is not None:
            yield found

    def term(self, old: Term, new: Term, known: Renaming) -> Renaming | None:
        match old, new:
            case Var(), Var():
                return known.plus(old.name, new.name)
            case Const(), Const():
                return known if self.constant(old.value, new.value) else None
            case Call(), Call():
                if (old.function, old.calendar, len(old.args)) != (new.function, new.calendar, len(new.args)):
                    return None
                return next(self.terms(list(zip(old.args, new.args, strict=True)), known), None)
        return None

    def lists(self, old: Sequence[Any], new: Sequence[Any]) -> bool:
        """Two lists of values, in any order."""
        left = list(new)
        for value in old:
            found = next((v for v in left if self.constant(value, v)), None)
            if found is None:
                return False
            left.remove(found)
        return not left


def sides(compare: Compare) -> tuple[Term, Term]:
    """The lesser side first."""
    return (compare.right, compare.left) if compare.op in FLIPPED else (compare.left, compare.right)


def apart(body: Body, known: set[str], fresh: Iterator[int]) -> Body:
    """The body with names of their own for the variables of each nested body."""
    level = known | {v.name for literal in body for term in terms(literal) for v in variables(term)}
    return tuple(apart_literal(literal, level, fresh) for literal in body)


def apart_literal(literal: Literal, level: set[str], fresh: Iterator[int]) -> Literal:
    match literal:
        case Not(body=body):
            return replace(literal, body=inner(body, level, fresh))
        case Either(bodies=bodies):
            return replace(literal, bodies=tuple(inner(b, level, fresh) for b in bodies))
        case Aggregate():
            names = {name: f"{name}#{next(fresh)}" for name in sorted(names_in((literal,)) - level)}
            own = renamed_literal(literal, names)
            assert isinstance(own, Aggregate)
            known = level | set(names.values())
            return replace(own, body=apart(own.body, known, fresh), against=apart(own.against, known, fresh))
    return literal


def inner(body: Body, level: set[str], fresh: Iterator[int]) -> Body:
    """A nested body, its own variables renamed."""
    names = {name: f"{name}#{next(fresh)}" for name in sorted(names_in(body) - level)}
    return apart(renamed(body, names), level, fresh)


def renamed(body: Body, names: Mapping[str, str]) -> Body:
    """The body with other names for some variables."""
    return tuple(renamed_literal(literal, names) for literal in body)


def renamed_literal(literal: Literal, names: Mapping[str, str]) -> Literal:
    def term(t: Term) -> Term:
        return renamed_term(t, names)

    def variable(v: Var) -> Var:
        return replace(v, name=names.get(v.name, v.name))

    match literal:
        case Atom():
            return replace(literal, args=tuple((column, term(t)) for column, t in literal.args))
        case Compare():
            return replace(literal, left=term(literal.left), right=term(literal.right))
        case Member():
            return replace(literal, term=term(literal.term))
        case Bind():
            return replace(literal, var=variable(literal.var), term=term(literal.term))
        case Not():
            return replace(literal, body=renamed(literal.body, names))
        case Either():
            return replace(literal, bodies=tuple(renamed(b, names) for b in literal.bodies))
        case Aggregate():
            return replace(
                literal,
                into=variable(literal.into),
                body=renamed(literal.body, names),
                against=renamed(literal.against, names),
                of=tuple(term(t) for t in literal.of),
                weight=None if literal.weight is None else term(literal.weight),
                window=literal.window and (term(literal.window[0]), term(literal.window[1])),
            )


def renamed_term(term: Term, names: Mapping[str, str]) -> Term:
    match term:
        case Var(name=name):
            return replace(term, name=names.get(name, name))
        case Call(args=args):
            return replace(term, args=tuple(renamed_term(a, names) for a in args))
    return term
