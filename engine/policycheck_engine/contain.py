"""A proof that whatever one program derives another derives too, for facts of any number.

`contained` looks for a way to read each body of the second program into the first: every literal of the
second then follows from the literals of the first, so every match of the first is a match of the second.
Under a negation the two change places. It finds what people do to rules: another figure, one condition more
or less, another exemption, a word more in a list, variables and definitions with other names. Where it finds
nothing, nothing is said.

Why it is sound for unknown values too: the certain and the possible reading of a body (`readings`) are made
literal by literal; a literal that follows from others does so in both. Steps back in a calendar, which may
have no value, are left alone (`entail`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count

from msgspec import Struct, field

from policycheck_engine.check import binds
from policycheck_engine.entail import Said
from policycheck_engine.order import ordered
from policycheck_engine.program import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Compare,
    Either,
    Literal,
    Member,
    Not,
    Program,
    Rule,
    Term,
    Var,
    names_in,
    taken,
    variables,
)
from policycheck_engine.readings import RISING, readings
from policycheck_engine.strata import needed
from policycheck_engine.unfold import OPPOSITE, substituted, term_under, unfolded
from policycheck_engine.values import Value

Reading = dict[str, Term]
"""Variables of the right body as terms of the left one."""

Pairs = Sequence[tuple[Term, Term]]
Ways = Iterator[tuple[Reading, list[tuple[Term, Term]]]]
"""Readings, each with the pairs of terms of which it adds that the first is at most the second."""

ANYTHING = "\0anything"

PATIENCE = 20_000
"""So many literals are tried before the search is given up."""


def contained(left: Program, right: Program, name: str) -> bool:
    """Whether every row that the left program derives of a relation is derived by the right one, whatever
    the facts. Both are checked programs over the same base relations."""
    if needed(left, [name]).rules == needed(right, [name]).rules:
        return True
    one, two = _Prover(unfolded(left), gaps(left)), _Prover(unfolded(right), gaps(right))
    one.other, two.other = two, one
    two.names = one.names
    try:
        return one.relation(name, left.relations[name].names)
    except _GaveUpError:
        return False


def impossible(program: Program, name: str) -> bool:
    """Whether nothing can be derived of a relation for certain, whatever the facts: each of its rules
    contradicts itself, or asks for the absence of what the rest of it implies."""
    prover = _Prover(unfolded(program), gaps(program))
    prover.other = prover
    try:
        return prover.never(name, frozenset())
    except _GaveUpError:
        return False


def gaps(program: Program) -> set[tuple[str, str]]:
    """The columns that may hold an unknown: of the base relations as they say, of the others as follows."""
    plain = readings(program).program.relations
    return {
        (name, column)
        for name, relation in program.relations.items()
        for column in relation.names
        if all(c.name != column or c.unknown for c in plain[name].columns)
    }


class _GaveUpError(Exception):
    """Too many ways to try."""


class _Prover:
    """Proves that relations of its own program, the left one, are part of those of the other's, the right."""

    other: _Prover

    def __init__(self, program: Program, gaps: set[tuple[str, str]]) -> None:
        self.program, self.gaps = program, gaps
        self.known: dict[tuple[str, frozenset[str]], bool] = {}
        self.tries = 0
        self.names = count()

    def relation(self, name: str, columns: Sequence[str]) -> bool:
        """Whether the rows of the left one, cut to some columns, are all among those of the right one. Inside
        its own proof a recursive one may be taken for proved: facts are derived in finitely many steps."""
        lefts, rights = self.program.heads.get(name), self.other.program.heads.get(name)
        if lefts is None or rights is None:
            return lefts is rights
        key = (name, frozenset(columns))
        if key not in self.known:
            self.known[key] = True
            proved = all(any(self.rule(a, b, columns) for b in rights) for a in lefts)
            if not proved:
                # what was proved from it meanwhile is not proved
                self.known = {k: v for k, v in self.known.items() if not v}
            self.known[key] = proved
        return self.known[key]

    def never(self, name: str, above: frozenset[str]) -> bool:
        """Whether a relation has no rows. Facts are derived in finitely many steps, so one that is asked
        about already cannot be what the first of its own rows comes from."""
        rules = self.program.heads.get(name)
        if rules is None:
            return False
        return name in above or all(self.fails(rule.body, above | {name}) for rule in rules)

    def fails(self, body: Body, above: frozenset[str]) -> bool:
        """Whether a body matches nothing."""
        if _Scope(body, _Around()).said.never:
            return True
        if any(isinstance(x, Atom) and self.never(x.relation, above) for x in body):
            return True
        return any(
            self.denied(tuple(x for x in body if x is not literal), literal)
            for literal in body
            if isinstance(literal, Not | Compare)
        )

    def denied(self, rest: Body, literal: Not | Compare) -> bool:
        """Whether the rest of a body says the opposite of one of its literals."""
        if isinstance(literal, Compare):
            said = _Scope(rest, _Around()).said
            return said.compares(OPPOSITE[literal.op], said.rep(literal.left), said.rep(literal.right))
        same: Reading = {name: Var(name) for name in binds(rest, set())}
        return self.bodies(rest, literal.body, same, _Around())

    def rule(self, left: Rule, right: Rule, columns: Sequence[str]) -> bool:
        one, two = dict(left.args), dict(right.args)
        if not (set(columns) <= set(one) and set(columns) <= set(two)):
            return False
        equal = [(one[c], two[c]) for c in columns]
        return self.bodies(left.body, right.body, {}, _Around(), equal)

    def bodies(self, left: Body, right: Body, reading: Reading, around: _Around, equal: Pairs = ()) -> bool:
        """Whether each match of the left body gives one of the right, with these pairs of terms alike.
        `around` tells of the bodies around the left one, `reading` of those around the right one."""
        scope = _Scope(left, around)
        if scope.said.never:
            return True
        right, twos = self.apart(right, [two for _, two in equal], set(reading))
        joined = frozenset(reading) | {n for n, places in atom_places(right).items() if places > 1}
        reading, rest = dict(reading), []
        for (one, _), two in zip(equal, twos, strict=True):
            if isinstance(two, Var) and two.name not in reading:
                reading[two.name] = one
            else:
                rest.append((one, two))
        try:
            order = ordered(right, set(reading))
        except ValueError:
            return False
        return any(True for _ in self.ways(scope, order, joined, reading, rest))

    def apart(self, body: Body, terms: Sequence[Term], shared: set[str]) -> tuple[Body, list[Term]]:
        """A body whose own variables have names that are used nowhere else."""
        number = next(self.names)
        own = names_in(body) | {v.name for t in terms for v in variables(t)}
        fresh: Reading = {name: Var(f"{name}'{number}") for name in own - shared}
        return tuple(substituted(x, fresh) for x in body), [term_under(t, fresh) for t in terms]

    def read(self, body: Body, terms: Sequence[Term], reading: Reading) -> tuple[Body, list[Term]]:
        """A nested body of the right in terms of the left."""
        body, terms = self.apart(body, terms, set(reading))
        return tuple(substituted(x, reading) for x in body), [term_under(t, reading) for t in terms]

    def ways(
        self, scope: _Scope, order: Body, joined: frozenset[str], reading: Reading, rest: Pairs
    ) -> Iterator[Reading]:
        """All readings of a right body in the left one; `joined` are the variables that its atoms compare."""
        if not order:
            if all(scope.said.alike(one, term_under(two, reading)) for one, two in rest):
                yield reading
            return
        for found, orders in self.one(order[0], scope, joined, reading):
            self.tries += 1
            if self.tries > PATIENCE:
                raise _GaveUpError
            yield from self.ways(scope.knowing(orders), order[1:], joined, found, rest)

    def one(self, literal: Literal, scope: _Scope, joined: frozenset[str], reading: Reading) -> Ways:
        """The ways in which one literal of the right follows from the left."""
        said = scope.said
        match literal:
            case Atom():
                for i, other in enumerate(scope.body):
                    if isinstance(other, Atom) and other.relation == literal.relation:
                        yield from self.atom((literal, other), i, scope, joined, reading)
            case Bind() if literal.var.name not in reading:
                yield {**reading, literal.var.name: term_under(literal.term, reading)}, []
            case Bind():
                if said.compares("=", reading[literal.var.name], term_under(literal.term, reading)):
                    yield reading, []
            case Compare():
                left, right = (term_under(t, reading) for t in (literal.left, literal.right))
                if said.compares(literal.op, left, right):
                    yield reading, []
            case Member():
                values = frozenset(v.value for v in literal.values)
                term = term_under(literal.term, reading)
                if said.is_member(term, values) or self.words(term, scope) <= values:
                    yield reading, []
            case Not():
                others = [x for x in scope.body if isinstance(x, Not)]
                if any(self.turned((literal.body, x.body), scope, reading) for x in others):
                    yield reading, []
            case Either():
                if self.either(literal, scope, reading):
                    yield reading, []
            case Aggregate():
                for other in scope.body:
                    if isinstance(other, Aggregate):
                        yield from self.aggregate(literal, other, scope, reading)

    def atom(
        self, pair: tuple[Atom, Atom], place: int, scope: _Scope, joined: frozenset[str], reading: Reading
    ) -> Ways:
        """What the right atom's variables are when its row is that of the left atom. Where the right one
        compares, so must the left: an unknown equals nothing for certain."""
        right, left = pair
        if not self.relation(right.relation, [c for c, _ in right.args]):
            return
        has = dict(left.args)
        found = dict(reading)
        for column, term in right.args:
            there = has.get(column, Var(f"?{place}.{column}"))
            if isinstance(term, Var) and term.name not in found:
                found[term.name] = there
                continue
            finds = isinstance(term, Var) and term.name not in joined
            known = finds or scope.compares(there) or (left.relation, column) not in self.gaps
            if not (known and scope.said.alike(there, term_under(term, found))):
                return
        yield found, []

    def words(self, term: Term, scope: _Scope) -> frozenset[Value]:
        """All the values that a term can have by the column it stands in; when it may have any, one that no
        list has."""
        for i, literal in enumerate(scope.body):
            if not isinstance(literal, Atom):
                continue
            for column in self.program.relations[literal.relation].columns:
                there = dict(literal.args).get(column.name, Var(f"?{i}.{column.name}"))
                known = (literal.relation, column.name) not in self.gaps and not column.nothing
                if there == term and known and column.values:
                    return frozenset(column.values)
        return frozenset((ANYTHING,))

    def turned(
        self,
        nested: tuple[Body, Body],
        scope: _Scope,
        reading: Reading,
        terms: tuple[Sequence[Term], Sequence[Term]] = ((), ()),
    ) -> bool:
        """Whether a nested body of the right is part of one of the left."""
        right, rights = self.read(nested[0], terms[0], reading)
        inside = scope.inside
        same: Reading = {name: Var(name) for name in inside.names}
        return self.other.bodies(right, nested[1], same, inside, list(zip(rights, terms[1], strict=True)))

    def either(self, right: Either, scope: _Scope, reading: Reading) -> bool:
        if any(self.bodies(scope.body, body, reading, scope.around) for body in right.bodies):
            return True
        return any(
            all(
                any(self.bodies((*scope.body, *branch), body, reading, scope.around) for body in right.bodies)
                for branch in other.bodies
            )
            for other in scope.body
            if isinstance(other, Either)
        )

    def aggregate(self, right: Aggregate, left: Aggregate, scope: _Scope, reading: Reading) -> Ways:
        """The right aggregate's value is that of the left one, or at most or at least that."""
        alike = (right.kind, right.unit, len(right.of)) == (left.kind, left.unit, len(left.of))
        if not alike or (right.weight is None) is not (left.weight is None):
            return
        windows = zip(right.window or (), left.window or (), strict=True)
        if not all(scope.said.alike(term_under(a, reading), b) for a, b in windows):
            return
        less, more = self.rows(right, left, "body", scope, reading)
        if right.kind == "share":
            less = more = less and more and all(self.rows(right, left, "against", scope, reading))
        into = right.into.name
        if less and more and into not in reading:
            yield {**reading, into: left.into}, []
        elif less and more and scope.said.alike(reading[into], left.into):
            yield reading, []
        elif into not in reading:
            # with more matches a value only grows or only falls; of none, some kinds have no value
            ways = [less] if right.kind in ("max", "min") else [less, more]
            for found, fewer in zip(ways, (True, False), strict=False):
                if found and right.kind != "share":
                    fresh = Var(f"{into}~{next(self.names)}")
                    pair = (left.into, fresh) if fewer is RISING[right.kind] else (fresh, left.into)
                    yield {**reading, into: fresh}, [pair]

    def rows(
        self, right: Aggregate, left: Aggregate, part: str, scope: _Scope, reading: Reading
    ) -> tuple[bool, bool]:
        """Whether what the left aggregate is over is part of what the right one is over, and the reverse."""
        ours: Body = getattr(left, part)
        theirs: Body = getattr(right, part)
        pairs = list(zip(taken(left), taken(right), strict=True))
        less = self.bodies(ours, theirs, reading, scope.inside, pairs)
        more = self.turned((theirs, ours), scope, reading, (taken(right), taken(left)))
        return less, more


def atom_places(body: Body) -> Counter[str]:
    """In how many places of a body's atoms each variable stands."""
    atoms = [x for x in body if isinstance(x, Atom)]
    return Counter(t.name for x in atoms for _, t in x.args if isinstance(t, Var))


class _Around(Struct, frozen=True):
    """The bodies around one: their variables, what those of them that are computed stand for, and the pairs
    of terms of which the first is known to be at most the second."""

    names: frozenset[str] = frozenset()
    computed: Mapping[str, Term] = field(default_factory=dict)
    orders: Pairs = ()


class _Scope:
    """A left body, the bodies around it, and what it says."""

    def __init__(self, body: Body, around: _Around, orders: Pairs = ()) -> None:
        self.body, self.around = body, around
        self.said = Said(body, [*around.orders, *orders], around.computed)
        self.places = atom_places(body)

    def compares(self, term: Term) -> bool:
        """Whether an atom with this term compares it, rather than finding a value for it."""
        return not isinstance(term, Var) or term.name in self.around.names or self.places[term.name] > 1

    def knowing(self, orders: Pairs) -> _Scope:
        """The same with more that is known of the order of terms."""
        return _Scope(self.body, self.around, [*self.said.orders, *orders]) if orders else self

    @cached_property
    def inside(self) -> _Around:
        """What the bodies nested in this one have around them."""
        made = dict(self.around.computed)
        for literal in self.body:
            if isinstance(literal, Bind) and literal.var.name not in {*self.places, *self.around.names}:
                made.setdefault(literal.var.name, self.said.rep(literal.term))
        names = frozenset(binds(self.body, set(self.around.names)))
        return _Around(names, made, self.said.orders)
