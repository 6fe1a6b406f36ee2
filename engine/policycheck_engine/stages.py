"""A body in stages, for `durable.py`: which facts meet, what must hold between them, and what is left.

A stage joins parts: the matches so far, and atoms. What looks at one part alone (constants, tests,
functions) is done when its rows are read. What stands between two parts is a link or a shared variable,
and a negated atom is a part that must not match; those are for the working memory to find. What is left
are tests across parts that call functions, and nested bodies, which come after the stage.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

from msgspec import Struct, field

from policycheck_engine import order
from policycheck_engine.functions import Days, apply
from policycheck_engine.program import (
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
    Relation,
    Term,
    Var,
    names_in,
    nested,
    variables,
)
from policycheck_engine.values import Row, Value

MOST_PARTS = 6
"""A stage joins no more; what comes out of it is a part of the next one."""

HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

Function = Callable[[Row], Value]
Step = Callable[[Row], Row | None]


class Matches(Struct, frozen=True):
    """The matches of a body so far: the values of some variables."""

    columns: tuple[str, ...]
    rows: Collection[Row]


UNIT = Matches((), ((),))
"""One match that says nothing: where a body begins."""


class Part(Struct):
    """The rows of one part of a stage: what it reads, and how a row of that becomes a row of the part.

    `columns` are variables, and terms of links under names of their own; `sure` says what an unknown does
    to a variable that has a value from an earlier part.
    """

    relation: str | None
    columns: list[str]
    sure: bool = True
    source: Iterable[Row] = ()
    steps: list[Step] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def grown(self, row: Row) -> Row | None:
        """A row with what the steps add to it; None when one of them does not let it pass."""
        found: Row | None = row
        for step in self.steps:
            if found is None:
                return None
            found = step(found)
        return found

    def made_of(self, row: Row) -> Row | None:
        """What a row of the relation becomes in the part."""
        found = self.source.select(row) if isinstance(self.source, Reading) else row
        return None if found is None else self.grown(found)

    def keep(self, names: Collection[str]) -> None:
        """Leave out the columns that nobody looks at any more."""
        places = [i for i, name in enumerate(self.columns) if name in names]
        if len(places) < len(self.columns):
            self.columns = [self.columns[i] for i in places]
            self.steps.append(lambda row: tuple([row[i] for i in places]))

    def read(self) -> None:
        """Make the rows, each once."""
        if self.steps:
            made = map(self.grown, self.source)
            self.rows = list(dict.fromkeys([row for row in made if row is not None]))
        else:
            self.rows = list(self.source)


class Link(Struct, frozen=True):
    """Two columns of two parts stand in an order; `left` comes no later than `right`."""

    left: tuple[int, str]
    op: str
    right: tuple[int, str]
    sure: bool


class Stage(Struct):
    """Parts that are joined; those from `positive` on must not match."""

    parts: list[Part]
    positive: int
    links: list[Link] = field(default_factory=list)
    last: list[Literal] = field(default_factory=list)

    def compared(self) -> list[list[str]]:
        """The columns of each part that are compared with others."""
        names = {(i, name) for name, places in self.shared().items() for i in places}
        names |= {end for link in self.links for end in (link.left, link.right)}
        return [[n for n in part.columns if (i, n) in names] for i, part in enumerate(self.parts)]

    def shared(self) -> dict[str, list[int]]:
        """The variables that several parts have, with these parts in order."""
        places: dict[str, list[int]] = {}
        for i, part in enumerate(self.parts):
            for name in part.columns:
                places.setdefault(name, []).append(i)
        return {name: found for name, found in places.items() if len(found) > 1}


class Variant(Struct, frozen=True):
    """A way for a stage to match: for each part which of its columns are known, and what then must hold.

    `parts` has the pattern of each positive part; `absent` a negated part with a pattern, each with its
    own tests. A test is a place (part, column), an operator and a column of the part itself.
    """

    parts: tuple[tuple[Pattern, tuple[Test, ...]], ...]
    absent: tuple[tuple[int, Pattern, tuple[Test, ...]], ...]


Pattern = tuple[bool, ...]
Test = tuple[str, str, tuple[int, str]]


def variants(
    stage: Stage, patterns: Sequence[Collection[Pattern]], coded: Sequence[Sequence[str]]
) -> Iterator[Variant]:
    """All ways for a stage to match, by what is known in the rows that are there.

    `coded` names the columns of each part that are compared, `patterns` which of them are known together.
    """
    shared = stage.shared()
    chosen: list[tuple[Pattern, tuple[Test, ...]]] = []

    def known(place: tuple[int, str]) -> bool:
        part, name = place
        return chosen[part][0][coded[part].index(name)]

    def tests(i: int, pattern: Pattern) -> tuple[Test, ...] | None:
        """What must hold between a part and those before it; None when it cannot match."""
        part, found = stage.parts[i], []
        here = dict(zip(coded[i], pattern, strict=True))
        for name in part.columns:
            before = [(p, name) for p in shared.get(name, ()) if p < min(i, stage.positive)]
            if not before:
                continue
            value = next((place for place in before if known(place)), None)
            if here[name] and value is not None:
                found.append((name, "=", value))
            elif part.sure:
                return None
        for link in stage.links:
            if link.right[0] == i:
                if here[link.right[1]] and known(link.left):
                    found.append((link.right[1], FLIPPED[link.op], link.left))
                elif link.sure:
                    return None
        return tuple(found)

    def from_part(i: int) -> Iterator[Variant]:
        if i < stage.positive:
            for pattern in patterns[i]:
                found = tests(i, pattern)
                if found is not None:
                    chosen.append((pattern, found))
                    yield from from_part(i + 1)
                    chosen.pop()
            return
        absent = []
        for n in range(stage.positive, len(stage.parts)):
            for pattern in patterns[n]:
                found = tests(n, pattern)
                if found is not None:
                    absent.append((n, pattern, found))
        yield Variant(tuple(chosen), tuple(absent))

    return from_part(0)


class Planner:
    """Makes stages; knows the relations, the sizes of what they hold, and the calendars."""

    def __init__(
        self,
        relations: Mapping[str, Relation],
        rows: Callable[[str], Collection[Row]],
        days: Callable[[str], Days | None],
    ) -> None:
        self.relations = relations
        self.rows = rows
        self.days = days
        self.count = 0
        self.read: dict[tuple[str, bool, object], list[Row]] = {}

    def fresh(self, what: str) -> str:
        """A name that no variable has."""
        self.count += 1
        return f"~{what}{self.count}"

    # Bodies

    def plain(self, body: Body) -> list[Literal]:
        """The literals, with terms of atoms that call functions as comparisons of their own."""
        out: list[Literal] = []
        for literal in body:
            if isinstance(literal, Atom) and any(isinstance(t, Call) for _, t in literal.args):
                args: list[tuple[str, Term]] = []
                for column, term in literal.args:
                    if isinstance(term, Call):
                        var = Var(self.fresh("call"))
                        out.append(Compare("=", var, term, literal.sure))
                        term = var
                    args.append((column, term))
                literal = Atom(literal.relation, tuple(args), literal.sure, literal.finds, literal.origin)
            out.append(literal)
        return out

    def stage(self, left: list[Literal], env: Matches, keep: frozenset[str]) -> tuple[Stage, list[Literal]]:
        """The next stage of a body, and the literals that are left after it."""
        chosen = self.chosen(left, set(env.columns))
        rest = [literal for literal in left if literal not in chosen]
        parts = [self.part(atom) for atom in chosen]
        if env.columns:
            parts.insert(0, Part(None, list(env.columns), source=env.rows))
        stage = Stage(parts, len(parts))
        self.settle(stage, rest)
        looked_at = keep | names_in(tuple(rest)) | names_in(tuple(stage.last))
        looked_at |= {name for link in stage.links for _, name in (link.left, link.right)}
        looked_at |= set(stage.shared())
        for part in parts:
            part.keep(looked_at)
        return stage, rest

    def chosen(self, left: list[Literal], known: set[str]) -> list[Atom]:
        """Atoms to join next: those tied to what is known first, small ones before large ones."""
        atoms = list(dict.fromkeys(x for x in left if isinstance(x, Atom)))
        same = [names_in((x,)) for x in left if isinstance(x, Compare) and x.op == "="]
        known = set(known)
        out: list[Atom] = []

        def rank(atom: Atom) -> tuple[int, int]:
            own = seen(atom).gives
            ties = len(own & known) + sum(bool(names & own and names & known) for names in same)
            return (-ties, len(self.rows(atom.relation)))

        while atoms and len(out) < MOST_PARTS:
            best = min(atoms, key=rank)
            atoms.remove(best)
            out.append(best)
            known |= seen(best).gives
        return out

    def settle(self, stage: Stage, rest: list[Literal]) -> None:
        """Take out of the rest what the stage can decide, and put it where it is decided."""
        settled = True
        while settled:
            settled = False
            known = {name for part in stage.parts[: stage.positive] for name in part.columns}
            known |= {name for literal in stage.last for name in seen(literal).gives}
            for literal in list(rest):
                if isinstance(literal, Atom) or not ready(literal, rest, known):
                    continue
                if (
                    self.within(literal, stage)
                    or self.between(literal, stage)
                    or self.against(literal, stage)
                ):
                    pass
                elif simple(literal):
                    stage.last.append(literal)
                else:
                    continue
                rest.remove(literal)
                settled = True
                break

    def within(self, literal: Literal, stage: Stage) -> bool:
        """Decide a literal where one part has all that it looks at."""
        if not simple(literal):
            return False
        i = self.home(seen(literal).needs, stage)
        if i is None:
            return False
        part = stage.parts[i]
        part.steps.append(self.step(literal, part.columns))
        if isinstance(literal, Bind):
            part.columns.append(literal.var.name)
        return True

    def between(self, literal: Literal, stage: Stage) -> bool:
        """Decide a comparison where each side is of one part."""
        if not isinstance(literal, Compare):
            return False
        sides = (literal.left, literal.right)
        one, other = (self.home({v.name for v in variables(term)}, stage) for term in sides)
        if one is None or other is None:
            return False
        left = (one, self.column(literal.left, stage.parts[one]))
        right = (other, self.column(literal.right, stage.parts[other]))
        stage.links.append(link(left, literal.op, right, literal.sure))
        return True

    def against(self, literal: Literal, stage: Stage) -> bool:
        """Decide a negation of one atom, and of tests that tie it to single parts."""
        if not isinstance(literal, Not) or not stage.positive:
            return False
        body = self.plain(literal.body)
        atoms = [x for x in body if isinstance(x, Atom)]
        left = [x for x in body if not isinstance(x, Atom)]
        if len(atoms) != 1 or not all(map(simple, left)):
            return False
        inner = self.part(atoms[0])
        outer = {name for part in stage.parts[: stage.positive] for name in part.columns}
        later = {name for x in stage.last for name in seen(x).gives}
        loose = set() if inner.sure else outer & set(inner.columns)
        if later & names_in(literal.body) or loose & names_in(tuple(left)):
            return False
        links: list[tuple[tuple[int, str], str, Term, bool]] = []
        while left:
            now = next((x for x in left if seen(x).needs <= set(inner.columns)), None)
            if now is not None:
                inner.steps.append(self.step(now, inner.columns))
                if isinstance(now, Bind):
                    inner.columns.append(now.var.name)
            else:
                now = next((x for x in left if isinstance(x, Compare)), None)
                if now is None:
                    return False
                tie = self.tie(now, set(inner.columns), stage)
                if tie is None:
                    return False
                links.append(tie)
            left.remove(now)
        n = len(stage.parts)
        stage.parts.append(inner)
        for place, op, term, sure in links:
            stage.links.append(Link(place, op, (n, self.column(term, inner)), sure))
        inner.keep(outer | {name for x in stage.links if x.right[0] == n for name in [x.right[1]]})
        return True

    def tie(
        self, literal: Compare, own: set[str], stage: Stage
    ) -> tuple[tuple[int, str], str, Term, bool] | None:
        """A comparison of a negated atom with a part of the stage."""
        for near, far, op in (
            (literal.left, literal.right, FLIPPED[literal.op]),
            (literal.right, literal.left, literal.op),
        ):
            if {v.name for v in variables(near)} <= own:
                i = self.home({v.name for v in variables(far)}, stage)
                if i is not None:
                    return (i, self.column(far, stage.parts[i])), op, near, literal.sure
        return None

    def home(self, names: Collection[str], stage: Stage) -> int | None:
        """The part that has the final values of these variables. That of a variable which several parts
        have is final in each of them when all but the first are sure, since then they are equal."""
        positive = stage.parts[: stage.positive]
        for name in names:
            if not all(part.sure for part in [p for p in positive if name in p.columns][1:]):
                return None
        return next((i for i, part in enumerate(positive) if set(names) <= set(part.columns)), None)

    def column(self, term: Term, part: Part) -> str:
        """The column of a part that has the value of a term."""
        if isinstance(term, Var):
            return term.name
        name = self.fresh("term")
        part.steps.append(self.step(Bind(Var(name), term), part.columns))
        part.columns.append(name)
        return name

    # Rows

    def forget(self, relation: str) -> None:
        """Read a relation anew when it is next asked for, since it has grown."""
        self.read = {key: rows for key, rows in self.read.items() if key[0] != relation}

    def part(self, atom: Atom) -> Part:
        """The part of an atom: its variables, in the order of its arguments."""
        names = list(dict.fromkeys(t.name for _, t in atom.args if isinstance(t, Var)))
        relation = self.relations[atom.relation]
        args = [(relation.index(column), term) for column, term in atom.args]
        shape = tuple((p, names.index(t.name) if isinstance(t, Var) else t) for p, t in args)
        key = (atom.relation, atom.sure, shape)
        select = selector(args, names, atom.sure)
        return Part(atom.relation, names, atom.sure, Reading(self, key, select), [])

    def step(self, literal: Literal, columns: Sequence[str]) -> Step:
        """What a literal does to a row: a test lets it pass or not, a binding adds a value to it."""
        if isinstance(literal, Bind):
            value = self.value(literal.term, columns)
            return lambda row: (*row, value(row))
        test = self.test(literal, columns)
        return lambda row: row if test(row) else None

    def test(self, literal: Literal, columns: Sequence[str]) -> Callable[[Row], bool]:
        """A test of a row."""
        match literal:
            case Compare(op=op, sure=sure):
                left, right = self.value(literal.left, columns), self.value(literal.right, columns)
                return lambda row: holds(op, left(row), right(row), sure)
            case Member(sure=sure):
                value = self.value(literal.term, columns)
                members = {c.value for c in literal.values}
                return lambda row: not sure if (v := value(row)) is None else v in members
            case Not(body=body):
                tests = [self.test(x, columns) for x in body]
                return lambda row: not all(test(row) for test in tests)
            case Either(bodies=bodies):
                either = [[self.test(x, columns) for x in body] for body in bodies]
                return lambda row: any(all(test(row) for test in tests) for tests in either)
        raise AssertionError(f"no test: {literal}")

    def value(self, term: Term, columns: Sequence[str]) -> Function:
        """The value of a term in a row."""
        match term:
            case Var(name=name):
                return operator.itemgetter(columns.index(name))
            case Const(value=value):
                return lambda row: value
            case Call(function=function, calendar=None):
                args = [self.value(arg, columns) for arg in term.args]
                return lambda row: apply(function, [arg(row) for arg in args])
        days = self.days(term.calendar or "")
        if days is None:
            return lambda row: None
        args = [self.value(arg, columns) for arg in term.args]
        return lambda row: apply(term.function, [arg(row) for arg in args], days)


class Reading(Struct, frozen=True):
    """The rows that an atom can match, as the values of its variables; read once for all atoms like it."""

    planner: Planner
    key: tuple[str, bool, object]
    select: Step

    def __iter__(self) -> Iterator[Row]:
        read = self.planner.read
        if self.key not in read:
            found = map(self.select, self.planner.rows(self.key[0]))
            read[self.key] = list(dict.fromkeys([row for row in found if row is not None]))
        return iter(read[self.key])


def selector(args: list[tuple[int, Term]], names: list[str], sure: bool) -> Step:
    """The values of an atom's variables in a row of its relation, or None when the row cannot match."""
    consts = [(place, term.value) for place, term in args if isinstance(term, Const)]
    places: list[list[int]] = [
        [place for place, term in args if isinstance(term, Var) and term.name == name] for name in names
    ]
    first = [found[0] for found in places]
    again = [(i, place) for i, found in enumerate(places) for place in found[1:]]

    def select(row: Row) -> Row | None:
        for place, value in consts:
            if not holds("=", row[place], value, sure):
                return None
        out = [row[place] for place in first]
        for i, place in again:
            if not holds("=", row[place], out[i], sure):
                return None
            if out[i] is None:
                out[i] = row[place]
        return tuple(out)

    return select


def holds(op: str, left: Value, right: Value, sure: bool) -> bool:
    """Whether two values stand in an order; of an unknown nothing is sure and everything possible."""
    if left is None or right is None:
        return not sure
    return HOLDS[op](left, right)


def link(one: tuple[int, str], op: str, other: tuple[int, str], sure: bool) -> Link:
    """A link with its ends in the order of the parts."""
    return Link(one, op, other, sure) if one[0] <= other[0] else Link(other, FLIPPED[op], one, sure)


@cache
def seen(literal: Literal) -> order.Part:
    """A literal with the variables it gives, needs and finds."""
    return order.part(literal)


def ready(literal: Literal, rest: list[Literal], known: set[str]) -> bool:
    """Whether all that a literal looks at has its value."""
    lacking = {name for other in rest for name in seen(other).gives} - known
    return not seen(literal).needs & lacking and not seen(literal).waits([seen(other) for other in rest])


def simple(literal: Literal) -> bool:
    """Whether a literal is decided by the values of variables alone."""
    if isinstance(literal, Not | Either):
        return all(simple(x) and not isinstance(x, Bind) for body in nested(literal) for x in body)
    return isinstance(literal, Compare | Member | Bind)


def all_patterns(width: int) -> list[Pattern]:
    """Every way in which so many columns can be known or not."""
    return list(product((True, False), repeat=width))
