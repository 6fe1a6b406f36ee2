"""The order in which the literals of a body can be matched, one after the other."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from msgspec import Struct

from policycheck_engine.program import Aggregate, Atom, Bind, Body, Literal, Var, names_in, variables


class Part(Struct, frozen=True, eq=False):
    """A literal of a body: the variables it gives a value, those that must have one before it, all that it
    mentions, and those it may find a value for. `free` says that it looks at nothing but variables."""

    literal: Literal
    gives: frozenset[str]
    needs: frozenset[str]
    names: frozenset[str]
    finds: frozenset[str]
    free: bool

    def waits(self, left: Collection[Part]) -> bool:
        """Whether a variable that the literal looks at may yet be found: one that is unknown so far gets
        its value from a later atom of a possible reading."""
        return not self.free and any(other is not self and self.needs & other.finds for other in left)


def parts(body: Body) -> list[Part]:
    """The literals of a body with what is known of each."""
    return [part(literal) for literal in body]


def part(literal: Literal) -> Part:
    """A literal with the variables it gives, needs, mentions and finds."""
    names = frozenset(names_in((literal,)))
    if isinstance(literal, Atom):
        own = frozenset(t.name for _, t in literal.args if isinstance(t, Var))
        inside = frozenset(v.name for _, t in literal.args if not isinstance(t, Var) for v in variables(t))
        free = all(isinstance(t, Var) for _, t in literal.args)
        return Part(literal, own, inside, names, literal.finds, free)
    if isinstance(literal, Bind):
        gives = frozenset({literal.var.name})
        return Part(
            literal, gives, frozenset(v.name for v in variables(literal.term)), names, NO_NAMES, False
        )
    if isinstance(literal, Aggregate):
        gives = frozenset({literal.into.name})
        window = {v.name for t in literal.window or () for v in variables(t)}
        return Part(literal, gives, (names - gives) | window, names, NO_NAMES, False)
    return Part(literal, NO_NAMES, names, names, NO_NAMES, False)


NO_NAMES: frozenset[str] = frozenset()


def ordered(body: Body, known: set[str]) -> Body:
    """The same literals, each after those that give its variables a value; tests as early as they can."""
    return _ordered(body, _given(body) - known)


def arranged(body: Body, known: set[str]) -> Body:
    """The same as `ordered`, for a body that is asked about once."""
    left = parts(body)
    return _arranged(left, {name for p in left for name in p.gives} - known)


@cache
def _parts(body: Body) -> list[Part]:
    return parts(body)


@cache
def _given(body: Body) -> frozenset[str]:
    return frozenset(name for p in _parts(body) for name in p.gives)


@cache
def _ordered(body: Body, missing: frozenset[str]) -> Body:
    return _arranged(list(_parts(body)), set(missing))


def _arranged(left: list[Part], lacking: set[str]) -> Body:
    out: list[Literal] = []
    while left:
        ready = [p for p in left if not p.needs & lacking]
        ready = [p for p in ready if not p.waits(left)] or ready
        if not ready:
            raise ValueError(", ".join(f"`${name}`" for name in sorted(lacking) if name[0] != "_"))
        chosen = next((p for p in ready if not isinstance(p.literal, Atom)), ready[0])
        left.remove(chosen)
        out.append(chosen.literal)
        lacking -= chosen.gives
    return tuple(out)
