"""The order in which the literals of a body can be matched, one after the other."""

from __future__ import annotations

from functools import cache

from policycheck_engine.program import Aggregate, Atom, Bind, Body, Literal, Var, names_in, terms, variables


def ordered(body: Body, known: set[str]) -> Body:
    """The same literals, each after those that give its variables a value; tests as early as they can."""
    own = frozenset(n for n in _binders(body) if n not in known)
    return _ordered(body, own)


@cache
def _binders(body: Body) -> frozenset[str]:
    found: set[str] = set()
    for literal in body:
        found |= gives(literal)
    return frozenset(found)


@cache
def _ordered(body: Body, missing: frozenset[str]) -> Body:
    left = list(body)
    lacking = set(missing)
    out: list[Literal] = []
    while left:
        ready = [literal for literal in left if not needs(literal) & lacking]
        ready = [literal for literal in ready if not waits(literal, left)] or ready
        tests = [literal for literal in ready if not isinstance(literal, Atom)]
        if not ready:
            raise ValueError(", ".join(f"`${name}`" for name in sorted(lacking) if name[0] != "_"))
        chosen = tests[0] if tests else ready[0]
        left.remove(chosen)
        out.append(chosen)
        lacking -= gives(chosen)
    return tuple(out)


def waits(literal: Literal, left: list[Literal]) -> bool:
    """Whether a variable that a literal looks at may yet be found: one that is unknown so far gets its
    value from a later atom of a possible reading."""
    if isinstance(literal, Atom) and all(isinstance(term, Var) for _, term in literal.args):
        return False
    looked_at = needs(literal)
    return any(isinstance(other, Atom) and other is not literal and looked_at & other.finds for other in left)


def gives(literal: Literal) -> set[str]:
    """The variables that a literal gives a value."""
    match literal:
        case Atom():
            return {term.name for _, term in literal.args if isinstance(term, Var)}
        case Bind():
            return {literal.var.name}
        case Aggregate():
            return {literal.into.name}
    return set()


def needs(literal: Literal) -> set[str]:
    """The variables of the body around that must have a value before the literal."""
    match literal:
        case Atom():
            return {v.name for _, t in literal.args if not isinstance(t, Var) for v in variables(t)}
        case Bind():
            return {v.name for v in variables(literal.term)}
        case Aggregate():
            window = {v.name for t in literal.window or () for v in variables(t)}
            return window | names_in((literal,)) - gives(literal)
    return {v.name for t in terms(literal) for v in variables(t)} | names_in((literal,))
