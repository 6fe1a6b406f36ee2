"""Random worlds: stratified programs that are safe by construction, norms over them, and small records.

Names say types: `t1` is a text, `i0` a whole number, `d2` a date, `n3` was counted or computed. Names of
variables are used again where they can be, so that a variable inside a body is now its own, now tied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import assume
from hypothesis import strategies as st
from msgspec.structs import replace
from policycheck_engine import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Calendar,
    Call,
    Column,
    Compare,
    Const,
    Either,
    Literal,
    Member,
    Not,
    Program,
    Relation,
    Row,
    Rule,
    Term,
    Type,
    Var,
)
from policycheck_engine.norms import Norm
from policycheck_engine.program import names_in

from tests.properties.worlds import DOMAIN, World, checked

T = TypeVar("T")
Env = dict[str, Column]

DAYS = ("2021-01-28", "2021-01-29", "2021-02-01", "2021-02-02", "2021-02-08")
CALENDARS = {
    "open": Calendar("open", "days", "day"),
    "open_weeks": Calendar("open_weeks", "days", "day", by_week=True),
}
SHAPES: tuple[tuple[str, tuple[Type, ...], Type], ...] = (
    ("add_days", ("date", "int"), "date"),
    ("add_weeks", ("date", "int"), "date"),
    ("add_months", ("date", "int"), "date"),
    ("week_of", ("date",), "date"),
    ("month_of", ("date",), "date"),
    ("earlier", ("date", "date"), "date"),
    ("later", ("date", "date"), "date"),
    ("add", ("date", "int"), "date"),
    ("days_between", ("date", "date"), "int"),
    ("between", ("date", "date"), "int"),
    ("weekday_of", ("date",), "int"),
    ("plus", ("int", "int"), "int"),
    ("minus", ("int", "int"), "int"),
    ("times", ("int", "int"), "int"),
    ("earlier", ("int", "int"), "int"),
    ("later", ("int", "int"), "int"),
    ("over", ("int", "int"), "decimal"),
    ("weeks_between", ("date", "date"), "decimal"),
    ("plus", ("decimal", "int"), "decimal"),
    ("later", ("text", "text"), "text"),
)
"""Functions by what they take and give."""

FAILING = ("over", "add")
"""Functions that may have no value."""

KINDS = ("new",) * 5 + ("known",) * 3 + ("out",) * 3 + ("const", "call")
"""What stands in a column: a variable of its own, one that is known, nothing, a value, a call."""

OPS = ("=", "!=", "<", "<=", ">", ">=")


@dataclass
class Author:
    """Writes bodies: `relations` are those that can be read by now."""

    draw: st.DrawFn
    relations: dict[str, Relation]
    computed: int = 0
    calls: bool = True
    failing: bool = True
    reserved: set[str] = field(default_factory=set)

    def pick(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(options))

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(0, one_in - 1)) == one_in - 1

    def const(self, type_: Type) -> Const:
        return Const(self.pick((0.5, 1.0, 2.0) if type_ == "decimal" else DOMAIN[type_]))

    def computed_name(self) -> str:
        self.computed += 1
        return f"n{self.computed}"

    def known(self, env: Env, type_: Type) -> list[str]:
        return [name for name, column in env.items() if column.type == type_]

    def fresh(self, env: Env, column: Column) -> str:
        """A name not in use here; it may be in use inside a body beside it."""
        names = [f"{column.type[0]}{i}" for i in range(40)]
        return self.pick([name for name in names if name not in env and name not in self.reserved][:2])

    def term(self, env: Env, type_: Type, depth: int = 1) -> Term:
        """A variable, a value or a call."""
        known = self.known(env, type_)
        shapes = [s for s in SHAPES if s[2] == type_ and (self.failing or s[0] not in FAILING)]
        shapes = shapes if depth and self.calls else []
        kind = self.pick(["var"] * 3 * bool(known) + ["const"] + ["call"] * bool(shapes))
        if kind == "var":
            return Var(self.pick(known))
        if kind == "const":
            return self.const(type_)
        function, takes, _ = self.pick(shapes)
        args = tuple(self.term(env, t, depth - 1) for t in takes)
        calendar = self.pick(list(CALENDARS)) if function in ("add", "between") else None
        return Call(function, args, calendar)

    # Bodies

    def body(self, env: Env, depth: int, atoms: Sequence[int] = (1, 1, 2), more: int = 2) -> Body:
        """A body; what it gives is added to `env`."""
        out: list[Literal] = [self.atom(env) for _ in range(self.pick(atoms))]
        for _ in range(self.draw(st.integers(0, more))):
            out += self.more(env, depth)
        return tuple(out)

    def atom(self, env: Env, relation: str | None = None) -> Atom:
        chosen = self.relations[relation or self.pick(list(self.relations))]
        args: list[tuple[str, Term]] = []
        own: Env = {}
        for column in chosen.columns:
            kind = self.pick(KINDS)
            known = self.known(env, column.type)
            if kind == "known" and known:
                args.append((column.name, Var(self.pick(known))))
            elif kind == "const":
                args.append((column.name, self.const(column.type)))
            elif kind == "call" and known:
                args.append((column.name, self.term(env, column.type)))
            elif kind != "out":
                name = self.fresh(env | own, column)
                own[name] = column
                args.append((column.name, Var(name)))
        env |= own
        return Atom(chosen.name, tuple(args))

    def more(self, env: Env, depth: int) -> list[Literal]:
        """Tests, computed values and nested bodies."""
        kinds = [self.compare, self.compare, self.member, self.bind]
        if depth:
            kinds += [self.negation, self.negation, self.either] + [self.aggregate] * 6
        return self.pick(kinds)(env, depth)

    def compare(self, env: Env, depth: int) -> list[Literal]:
        if not env:
            return []
        name = self.pick(list(env))
        term = self.term(env, env[name].type)
        sides = (Var(name), term) if self.chance(2) else (term, Var(name))
        return [Compare(self.pick(OPS), *sides)]  # type: ignore[arg-type]

    def member(self, env: Env, depth: int) -> list[Literal]:
        names = [name for name, c in env.items() if c.type in DOMAIN]
        if not names:
            return []
        name = self.pick(names)
        values = self.draw(
            st.lists(st.sampled_from(DOMAIN[env[name].type]), min_size=1, max_size=2, unique=True)
        )
        return [Member(Var(name), tuple(Const(v) for v in values))]

    def bind(self, env: Env, depth: int) -> list[Literal]:
        column = Column("", self.pick(("date", "int", "text", "decimal")))
        if self.known(env, column.type) and self.chance(4):
            return [Bind(Var(self.pick(self.known(env, column.type))), self.term(env, column.type))]
        if not env or (column.type == "decimal" and not self.calls):
            return []
        term = self.term(env, column.type)
        name = self.computed_name()
        env[name] = column
        return [Bind(Var(name), term)]

    def negation(self, env: Env, depth: int) -> list[Literal]:
        return [Not(self.body(dict(env), depth - 1))]

    def either(self, env: Env, depth: int) -> list[Literal]:
        return [Either(tuple(self.body(dict(env), depth - 1, (0, 1, 1)) for _ in range(2)))]

    # Aggregates

    def aggregate(self, env: Env, depth: int) -> list[Literal]:
        made = self.pick((self.count, self.count, self.sum, self.share, self.extreme, self.gap))(env, depth)
        if made is None:
            return []
        literal, column = made
        name = literal.into.name
        env[name] = column
        if self.chance(3):
            return [literal]
        return [literal, Compare(self.pick(OPS), Var(name), self.term(env, column.type))]  # type: ignore[arg-type]

    def inside(self, env: Env, depth: int) -> tuple[Env, Body]:
        inner = dict(env)
        return inner, self.body(inner, depth - 1)

    def own(self, inner: Env, env: Env, types: Sequence[str] = ("text", "int", "date")) -> list[str]:
        """The variables to aggregate over, those of the body itself if it has any."""
        names = [n for n, c in inner.items() if c.type in types]
        return [n for n in names if n not in env] or names

    def count(self, env: Env, depth: int) -> tuple[Aggregate, Column] | None:
        inner, body = self.inside(env, depth)
        names = self.own(inner, env)
        if not names:
            return None
        of = self.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        into = Var(self.computed_name())
        return Aggregate("count", into, body, of=tuple(map(Var, of))), Column("", "int", positive=True)

    def sum(self, env: Env, depth: int) -> tuple[Aggregate, Column] | None:
        inner, body = self.inside(env, depth)
        weights = [n for n in self.own(inner, env, ("int", "decimal")) if inner[n].positive]
        names = self.own(inner, env)
        if not weights or not names:
            return None
        into, weight = Var(self.computed_name()), self.pick(weights)
        literal = Aggregate("sum", into, body, of=(Var(self.pick(names)),), weight=Var(weight))
        return literal, Column("", inner[weight].type, positive=True)

    def share(self, env: Env, depth: int) -> tuple[Aggregate, Column] | None:
        inner, whole = self.inside(env, depth)
        before = set(self.reserved)
        self.reserved |= names_in(whole)
        have = self.body(dict(inner), depth - 1)
        self.reserved = before
        names = self.own(inner, env)
        if not names:
            return None
        weights = [Var(n) for n in self.own(inner, env, ("int",)) if inner[n].positive]
        literal = Aggregate(
            "share",
            Var(self.computed_name()),
            (*whole, *have),
            of=(Var(self.pick(names)),),
            weight=self.pick([None, *weights]),
            against=(*whole, Not(have)),
        )
        return literal, Column("", "decimal", positive=True)

    def extreme(self, env: Env, depth: int) -> tuple[Aggregate, Column] | None:
        inner, body = self.inside(env, depth)
        names = self.own(inner, env, ("int", "date", "decimal"))
        if not names:
            return None
        weight = self.pick(names)
        literal = Aggregate(self.pick(("max", "min")), Var(self.computed_name()), body, weight=Var(weight))
        return literal, replace(inner[weight], name="")

    def gap(self, env: Env, depth: int) -> tuple[Aggregate, Column] | None:
        inner, body = self.inside(env, depth)
        names = self.own(inner, env, ("date",))
        if not names or inner[names[0]].type != "date":
            return None
        literal = Aggregate(
            "gap",
            Var(self.computed_name()),
            body,
            weight=Var(self.pick(names)),
            window=(self.term(env, "date", 0), self.term(env, "date", 0)),
            unit=self.pick(("days", "weeks", *CALENDARS)),
        )
        return literal, Column("", "decimal" if literal.unit == "weeks" else "int", positive=True)


# Programs


@dataclass
class Draft:
    """A program that is being written."""

    author: Author
    base: dict[str, Relation]
    rules: list[Rule] = field(default_factory=list)

    def derived(self, name: str) -> None:
        """A relation with one or two rules, of which the second may be recursive."""
        author = self.author
        env: Env = {}
        body = author.body(env, 2)
        args = head(author, env)
        self.rules.append(Rule(name, tuple((f"c{i}", Var(v)) for i, v in enumerate(args)), body))
        columns = tuple(replace(env[v], name=f"c{i}") for i, v in enumerate(args))
        if author.chance(3):
            self.recursive(name, columns)
        elif author.chance(3):
            self.another(name, columns, 1)
        author.relations[name] = Relation(name, columns)

    def another(self, name: str, columns: Sequence[Column], depth: int, recursive: bool = False) -> None:
        env: Env = {}
        body = self.author.body(env, depth)
        if recursive:
            body = (self.author.atom(env, name), *body)
        found = [self.author.known(env, c.type) for c in columns]
        if all(found):
            args = tuple((c.name, Var(self.author.pick(f))) for c, f in zip(columns, found, strict=True))
            self.rules.append(Rule(name, args, body))

    def recursive(self, name: str, columns: tuple[Column, ...]) -> None:
        before = dict(self.author.relations)
        self.author.calls = False
        self.another(name, columns, 1)
        self.author.relations[name] = Relation(name, columns)
        self.another(name, columns, 0, recursive=True)
        self.author.relations, self.author.calls = before, True


def head(author: Author, env: Env) -> list[str]:
    """The variables that a rule gives."""
    assume(env)
    return author.draw(st.lists(st.sampled_from(list(env)), min_size=1, max_size=3, unique=True))


def norm_of(draft: Draft) -> Norm:
    """A norm with all that it can have, written as policies are compiled."""
    author = draft.author
    env: Env = {}
    body = author.body(env, 1, more=1)
    assume(env)
    case = given_by(body)
    draft.rules.append(Rule("case", args(case), body))
    every_case = Atom("case", args(case))
    if author.chance(2):
        wrong = author.body(env, 1, (0, 1, 1), more=1)
    else:
        wrong = (Not(author.body(dict(env), 1, more=1)),)
    draft.rules.append(Rule("fails", args(env), (every_case, *wrong)))
    failure = Atom("fails", args(env))

    def about(kind: str, odds: int = 2) -> str | None:
        if not author.chance(odds):
            return None
        inner = dict(env)
        more = author.body(inner, 1, (0, 1, 1), more=1)
        draft.rules.append(Rule(kind, args(inner), (failure, *more)))
        return kind

    pending = None
    if author.known(env, "date") and author.chance(2):
        pending = "pending"
        due = Compare(">=", author.term(env, "date"), author.const("date"))
        draft.rules.append(Rule(pending, args(case), (failure, due)))
    subject = author.draw(st.lists(st.sampled_from(list(case)), min_size=1, max_size=2, unique=True))
    return Norm(
        rule="rule",
        case="case",
        fails="fails",
        columns=tuple(case),
        subject=tuple(subject),
        share=author.pick((None, None, 0.5, 0.75)),
        allow=author.pick((0, 0, 1)),
        pending=pending,
        excused=about("excused"),
        explained=about("explained"),
        unanswered=about("unanswered", 6) if author.failing else None,
        minor=about("minor", 6),
    )


def given_by(body: Body) -> list[str]:
    """The variables that a body gives a value, in order."""
    names: dict[str, None] = {}
    for literal in body:
        match literal:
            case Atom(args=found):
                names |= dict.fromkeys(term.name for _, term in found if isinstance(term, Var))
            case Bind(var=var) | Aggregate(into=var):
                names[var.name] = None
    return list(names)


def args(names: Any) -> tuple[tuple[str, Term], ...]:
    """Columns that are named like the variables in them."""
    return tuple((name, Var(name)) for name in names)


# Records


def one_value(
    known: st.SearchStrategy[Any], unknown: st.SearchStrategy[Any], nulls: bool
) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda i: unknown if i == 9 and nulls else known)


def records(draw: st.DrawFn, columns: Sequence[Type], most: int, nulls: bool) -> list[Row]:
    """Rows of these types; of ten values one is unknown."""
    unknown = st.none() if nulls else st.nothing()
    values = [one_value(st.sampled_from(DOMAIN[t]), unknown, nulls) for t in columns]
    least = draw(st.sampled_from((0, 1, 1, 2, 2, 2)))
    return draw(st.lists(st.tuples(*values), min_size=min(least, most), max_size=most, unique=True))


def base_relation(
    draw: st.DrawFn, name: str, nulls: bool, most: int
) -> tuple[Relation, list[Row], list[Row]]:
    """A relation that is there, missing or doubtful, its rows and its doubtful rows."""
    types: list[Type] = draw(st.lists(st.sampled_from(("text", "int", "date")), min_size=2, max_size=3))
    status = draw(st.sampled_from(("there",) * 6 + ("missing", "doubtful"))) if nulls else "there"
    rows = [] if status == "missing" else records(draw, types, most, nulls)
    doubtful = records(draw, types, 1, nulls) if status == "doubtful" else []
    columns = tuple(
        Column(
            f"{name}{i}",
            t,
            unknown=status != "there" or any(row[i] is None for row in rows),
            positive=t == "int",
        )
        for i, t in enumerate(types)
    )
    return Relation(name, columns, status == "missing", status == "doubtful"), rows, doubtful


def calendar_relation(draw: st.DrawFn, nulls: bool) -> tuple[Relation, list[Row], list[Row]]:
    """The days that calendars count."""
    status = draw(st.sampled_from(("there",) * 6 + ("missing", "doubtful"))) if nulls else "there"
    rows: list[Row] = [(d,) for d in DAYS if status != "missing" and draw(st.booleans())]
    doubtful: list[Row] = [(None,)] if status == "doubtful" else []
    column = Column("day", "date", unknown=status != "there")
    return Relation("days", (column,), status == "missing", status == "doubtful"), rows, doubtful


@st.composite
def worlds(
    draw: st.DrawFn, nulls: bool = True, most: int = 3, norm: bool = False, failing: bool = True
) -> World:
    """A world: two or three base relations and a calendar, one to three derived ones, maybe a norm."""
    made = [base_relation(draw, name, nulls, most) for name in ("p", "q", "r")[: draw(st.integers(2, 3))]]
    made.append(calendar_relation(draw, nulls))
    base = {relation.name: relation for relation, _, _ in made}
    draft = Draft(Author(draw, dict(base), failing=failing), base)
    for number in range(draw(st.integers(0 if norm else 1, 2 if norm else 3))):
        draft.derived(f"x{number}")
    found = norm_of(draft) if norm else None
    world = World(
        Program(base, tuple(draft.rules), CALENDARS),
        {relation.name: tuple(rows) for relation, rows, _ in made},
        {relation.name: tuple(doubtful) for relation, _, doubtful in made if doubtful},
        found,
    )
    assume(checked(world) is not None)
    return world
