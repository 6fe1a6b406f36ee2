"""A program: relations and rules, as plain data.

Rules are Datalog with negation, aggregates and functions. A body is a tuple of literals that must hold
together; a variable that occurs in a nested body and nowhere around it belongs to that body.

`sure` on a literal says what an unknown value does to it: a sure literal does not hold on an unknown, a
possible one does. Programs as written have sure literals only; `readings` makes the other kind.
`origin` is what the caller wants to be told when something is wrong there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal as OneOf

from msgspec import Struct, field

from policycheck_engine.problems import NOWHERE, Origin
from policycheck_engine.values import Type, Value

Comparison = OneOf["=", "!=", "<", "<=", ">", ">="]
AggregateKind = OneOf["count", "sum", "share", "max", "min", "gap"]
Bound = OneOf["exact", "low", "high"]


class Var(Struct, frozen=True):
    """A variable."""

    name: str
    origin: Origin = NOWHERE


class Const(Struct, frozen=True):
    """A value; its type is that of what it is compared with.

    One that differs from run to run, such as the day of judging, has a `name`: a program that was made
    ready with one value of that type can be run with another.
    """

    value: Value
    origin: Origin = NOWHERE
    name: str | None = None


class Call(Struct, frozen=True):
    """A function of terms; `calendar` names the calendar it counts by, where it needs one."""

    function: str
    args: tuple[Term, ...]
    calendar: str | None = None
    origin: Origin = NOWHERE


Term = Var | Const | Call


class Atom(Struct, frozen=True):
    """There is a row of the relation whose columns have these values.

    In a possible reading it may find a value for variables that were unknown before: those in `finds`.
    """

    relation: str
    args: tuple[tuple[str, Term], ...]
    sure: bool = True
    finds: frozenset[str] = frozenset()
    origin: Origin = NOWHERE


class Compare(Struct, frozen=True):
    """Two values stand in this order."""

    op: Comparison
    left: Term
    right: Term
    sure: bool = True
    origin: Origin = NOWHERE


class Member(Struct, frozen=True):
    """A value is one of these."""

    term: Term
    values: tuple[Const, ...]
    sure: bool = True
    origin: Origin = NOWHERE


class Bind(Struct, frozen=True):
    """A variable has the value of a term."""

    var: Var
    term: Term
    origin: Origin = NOWHERE


class Not(Struct, frozen=True):
    """The body has no match."""

    body: Body
    origin: Origin = NOWHERE


class Either(Struct, frozen=True):
    """At least one of the bodies has a match; it gives no values."""

    bodies: tuple[Body, ...]
    origin: Origin = NOWHERE


class Aggregate(Struct, frozen=True):
    """A number or moment made of all matches of a body; always has exactly one value, maybe unknown.

    count  how many different `of`
    sum    the sum of `weight` over the different `of`
    share  how much of the matches of `body` or `against` are matches of `body`: by number of different
           `of`, or by their `weight`
    max, min   of `weight`; unknown when there is none
    gap    the largest distance between neighbouring dates `weight`, counting the ends of `window`; in
           days, in weeks (days divided by seven) or in days of a calendar
    """

    kind: AggregateKind
    into: Var
    body: Body
    of: tuple[Term, ...] = ()
    weight: Term | None = None
    against: Body = ()
    window: tuple[Term, Term] | None = None
    unit: str | None = None
    bound: Bound = "exact"
    origin: Origin = NOWHERE


Literal = Atom | Compare | Member | Bind | Not | Either | Aggregate
Body = tuple[Literal, ...]


class Rule(Struct, frozen=True):
    """The head holds for each match of the body."""

    head: str
    args: tuple[tuple[str, Term], ...]
    body: Body
    origin: Origin = NOWHERE


class Column(Struct, frozen=True):
    """A field of a relation.

    `domain` says what an id identifies: ids of different domains are never the same thing.
    `values` are the only ones it can have; `unknown` says that it may hold None; `positive` that it is
    never below zero; `nothing` that it can hold the value that stands for nothing.
    """

    name: str
    type: Type
    domain: str | None = None
    values: tuple[str, ...] = ()
    unknown: bool = False
    positive: bool = False
    nothing: bool = False


class Relation(Struct, frozen=True):
    """A table of facts.

    `missing` says that the input does not have it, so that it is unknown as a whole; `doubtful` that it
    may have more rows than are certain, which its possible reading then holds.
    """

    name: str
    columns: tuple[Column, ...]
    missing: bool = False
    doubtful: bool = False

    def index(self, column: str) -> int:
        """The position of a column."""
        return next(i for i, c in enumerate(self.columns) if c.name == column)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(c.name for c in self.columns)


class Calendar(Struct, frozen=True):
    """The days that count: those of a relation's date column, or the Mondays of their weeks."""

    name: str
    relation: str
    column: str
    by_week: bool = False


class Program(Struct, frozen=True):
    """Base relations, rules over them, and the calendars that functions count by."""

    relations: Mapping[str, Relation]
    rules: tuple[Rule, ...]
    calendars: Mapping[str, Calendar] = field(default_factory=dict)

    @property
    def heads(self) -> dict[str, list[Rule]]:
        """The rules by the relation that they derive."""
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            found.setdefault(rule.head, []).append(rule)
        return found


def variables(term: Term) -> Iterator[Var]:
    """The variables of a term, in order."""
    if isinstance(term, Var):
        yield term
    elif isinstance(term, Call):
        for arg in term.args:
            yield from variables(arg)


def terms(literal: Literal) -> Iterator[Term]:
    """The terms of a literal itself, without those of nested bodies."""
    match literal:
        case Atom(args=args):
            yield from (term for _, term in args)
        case Compare(left=left, right=right):
            yield from (left, right)
        case Member(term=term):
            yield term
        case Bind(var=var, term=term):
            yield from (var, term)
        case Aggregate(into=into, window=window):
            yield into
            yield from window or ()


def nested(literal: Literal) -> Iterator[Body]:
    """The bodies inside a literal, with the terms that an aggregate takes from them as literals."""
    match literal:
        case Not(body=body):
            yield body
        case Either(bodies=bodies):
            yield from bodies
        case Aggregate(body=body, against=against):
            yield body
            if against:
                yield against


def taken(literal: Aggregate) -> tuple[Term, ...]:
    """The terms that an aggregate takes from each match of its body."""
    return literal.of + (() if literal.weight is None else (literal.weight,))


def walk(body: Body) -> Iterator[Literal]:
    """All literals of a body, nested ones too."""
    for literal in body:
        yield literal
        for inner in nested(literal):
            yield from walk(inner)


def names_in(body: Body) -> set[str]:
    """The names of all variables that occur in a body, nested ones too."""
    found: set[str] = set()
    for literal in body:
        if isinstance(literal, Atom):
            _add_names((term for _, term in literal.args), found)
            continue
        _add_names(terms(literal), found)
        if isinstance(literal, Aggregate):
            _add_names(taken(literal), found)
        for inner in nested(literal):
            found |= names_in(inner)
    return found


def _add_names(some: Iterable[Term], found: set[str]) -> None:
    for term in some:
        if isinstance(term, Var):
            found.add(term.name)
        elif isinstance(term, Call):
            _add_names(term.args, found)
