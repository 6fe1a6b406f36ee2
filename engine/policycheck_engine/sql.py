"""A rule as SQL: one SELECT for its body, nested ones as subqueries that refer to it.

Values are parameters, never text. Names of relations and columns are quoted identifiers.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from policycheck_engine.order import arranged
from policycheck_engine.program import (
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
    Relation,
    Rule,
    Term,
    Var,
    names_in,
)
from policycheck_engine.values import Value

SQL_TYPE = {"int": "BIGINT", "decimal": "DOUBLE", "bool": "BOOLEAN"}
"""The column type by value type; all others are texts."""

PARAMETER_TYPE: dict[type, str] = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


class Expr(Struct, frozen=True):
    """An SQL expression, and whether it may be NULL."""

    text: str
    unknown: bool = True


Env = Mapping[str, Expr]


class Select(Struct, dict=True):
    """The parts of a SELECT while a body is being written."""

    env: dict[str, Expr]
    sources: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)

    def text(self, columns: str) -> str:
        sources = f" FROM {', '.join(self.sources)}" if self.sources else ""
        where = f" WHERE {' AND '.join(self.where)}" if self.where else ""
        return f"SELECT {columns}{sources}{where}"


class Writer:
    """Writes rules as SQL and gathers the values that go with it."""

    def __init__(self, relations: Mapping[str, Relation]) -> None:
        self.relations = relations
        self.parameters: list[Value] = []
        self.aliases = 0

    def rule(self, rule: Rule) -> str:
        """The SELECT that gives the rows of a rule."""
        select = self.body(rule.body, {})
        columns = [f"{self.term(t, select.env).text} AS {quoted(n)}" for n, t in rule.args]
        return select.text("DISTINCT " + (", ".join(columns) or "1"))

    def body(self, body: Body, outer: Env) -> Select:
        """The FROM and WHERE of a body, and where each variable is found."""
        select = Select(dict(outer))
        for literal in arranged(body, set(outer)):
            self.literal(literal, select)
        return select

    def literal(self, literal: Literal, select: Select) -> None:
        match literal:
            case Atom():
                self.atom(literal, select)
            case Bind():
                select.env[literal.var.name] = self.term(literal.term, select.env)
            case Aggregate():
                alias = self.alias("a")
                select.sources.append(f"LATERAL ({self.aggregate(literal, select.env)}) AS {alias}")
                select.env[literal.into.name] = Expr(f"{alias}.v")
            case _:
                select.where.append(self.condition(literal, select.env))

    def atom(self, atom: Atom, select: Select) -> None:
        alias = self.alias("t")
        select.sources.append(f"{quoted(atom.relation)} AS {alias}")
        columns = {c.name: c for c in self.relations[atom.relation].columns}
        for name, term in atom.args:
            here = Expr(f"{alias}.{quoted(name)}", columns[name].unknown)
            if isinstance(term, Var) and term.name not in select.env:
                select.env[term.name] = here
                continue
            there = self.term(term, select.env)
            select.where.append(comparison("=", here, there, atom.sure))
            if isinstance(term, Var) and there.unknown:
                text = f"coalesce({there.text}, {here.text})" if here.unknown else here.text
                select.env[term.name] = Expr(text, here.unknown)

    def condition(self, literal: Literal, env: Env) -> str:
        """A condition; as a condition NULL counts as false."""
        match literal:
            case Compare():
                left, right = self.term(literal.left, env), self.term(literal.right, env)
                return comparison(literal.op, left, right, literal.sure)
            case Member():
                term = self.term(literal.term, env)
                values = ", ".join(self.parameter(c.value) for c in literal.values)
                test = f"{term.text} IN ({values})"
                return test if literal.sure or not term.unknown else f"({test}) IS NOT FALSE"
            case Not():
                return f"NOT {self.exists(literal.body, env)}"
            case Either():
                return "(" + " OR ".join(self.exists(body, env) for body in literal.bodies) + ")"
        raise AssertionError(f"no condition: {literal}")

    def exists(self, body: Body, env: Env) -> str:
        """Whether a body has a match, as true or false; parts that share no variable are asked alone."""
        tests = []
        for part in parts(body, frozenset(env)):
            select = self.body(part, env)
            if select.sources:
                tests.append(f"EXISTS ({select.text('1')})")
            else:
                tests += [f"(({test}) IS TRUE)" for test in select.where]
        return f"({' AND '.join(tests)})" if tests else "TRUE"

    def term(self, term: Term, env: Env) -> Expr:
        match term:
            case Var():
                return env[term.name]
            case Const():
                return Expr(self.parameter(term.value), term.value is None)
            case Call():
                args = ", ".join(self.term(arg, env).text for arg in term.args)
                name = f"pc_{term.function}" + (f"_in_{term.calendar}" if term.calendar else "")
                return Expr(f"{quoted(name)}({args})")

    def parameter(self, value: Value) -> str:
        self.parameters.append(value)
        kind = PARAMETER_TYPE.get(type(value), "VARCHAR")
        return f"CAST(${len(self.parameters)} AS {kind})"

    def alias(self, letter: str) -> str:
        self.aliases += 1
        return f"{letter}{self.aliases}"

    # Aggregates: one row with one column v, whatever the body gives

    def aggregate(self, literal: Aggregate, env: Env) -> str:
        if literal.kind == "share":
            flipped = {"low": "high", "high": "low", "exact": "exact"}[literal.bound]
            part = self.total(literal, literal.body, literal.bound, env)
            rest = self.total(literal, literal.against, flipped, env)
            ratio = (
                "CASE WHEN p.v + r.v = 0 THEN NULL ELSE CAST(p.v AS DOUBLE) / CAST(p.v + r.v AS DOUBLE) END"
            )
            return f"SELECT {ratio} AS v FROM ({part}) AS p, ({rest}) AS r"
        if literal.kind in ("count", "sum"):
            return self.total(literal, literal.body, literal.bound, env)
        if literal.kind == "gap":
            return self.gap(literal, env)
        value = f"{literal.kind}(w)"
        open_side = {"max": "high", "min": "low"}[literal.kind]
        if literal.bound == open_side:
            value = f"CASE WHEN count(*) > count(w) THEN NULL ELSE {value} END"
        return f"SELECT {value} AS v FROM ({self.rows(literal, literal.body, env)[0]}) AS q"

    def rows(self, literal: Aggregate, body: Body, env: Env) -> tuple[str, list[str]]:
        """The different rows that an aggregate is over, and the columns of them that may be NULL."""
        select = self.body(body, env)
        taken = [(f"k{i}", self.term(t, select.env)) for i, t in enumerate(literal.of)]
        if literal.weight is not None:
            taken.append(("w", self.term(literal.weight, select.env)))
        columns = ", ".join(f"{expr.text} AS {name}" for name, expr in taken) or "1 AS k0"
        return select.text(f"DISTINCT {columns}"), [name for name, expr in taken if expr.unknown]

    def total(self, literal: Aggregate, body: Body, bound: str, env: Env) -> str:
        rows, unknown = self.rows(literal, body, env)
        keys = [name for name in unknown if name != "w"]
        known = f" FILTER (WHERE {' AND '.join(f'{k} IS NOT NULL' for k in keys)})" if keys else ""
        if literal.weight is None:
            value = f"count(*){known}"
            if bound == "low" and keys:
                value = f"CASE WHEN {value} = 0 THEN least(count(*), 1) ELSE {value} END"
        elif self.whole(literal, body):
            value = f"CAST(coalesce(sum(coalesce(w, 0)){known}, 0) AS BIGINT)"
        else:
            value = (
                f"coalesce(sum(CAST(floor(coalesce(w, 0) * 1000000 + 0.5) AS BIGINT)){known}, 0) / 1000000.0"
            )
            value = f"CAST({value} AS DOUBLE)"
        if bound == "high" and unknown:
            some = " OR ".join(f"{name} IS NULL" for name in unknown)
            value = f"CASE WHEN count(*) FILTER (WHERE {some}) > 0 THEN NULL ELSE {value} END"
        return f"SELECT {value} AS v FROM ({rows}) AS q"

    def whole(self, literal: Aggregate, body: Body) -> bool:
        """Whether the weights are whole numbers."""
        if isinstance(literal.weight, Const):
            return isinstance(literal.weight.value, int)
        for inner in body:
            if isinstance(inner, Atom) and isinstance(literal.weight, Var):
                for name, term in inner.args:
                    if isinstance(term, Var) and term.name == literal.weight.name:
                        relation = self.relations[inner.relation]
                        return relation.columns[relation.index(name)].type == "int"
        return False

    def gap(self, literal: Aggregate, env: Env) -> str:
        """Days become numbers that count in the unit; then the largest step between neighbours."""
        start, end = (f"left({self.term(t, env).text}, 10)" for t in literal.window or ())
        number = "pc_day" if literal.unit in ("days", "weeks") else quoted(f"pc_rank_in_{literal.unit}")
        select = self.body(literal.body, env)
        day = self.term(literal.weight, select.env).text if literal.weight is not None else "NULL"
        rows = select.text(f"DISTINCT left({day}, 10) AS w, {start} AS s, {end} AS e")
        marks = (
            f"SELECT count(*) > count(w) AS unsure, max({number}(w)) FILTER (WHERE w <= s) AS earlier,"
            f" list(DISTINCT {number}(w)) FILTER (WHERE w > s AND w < e) AS inside FROM ({rows}) AS q"
        )
        places = (
            f"SELECT unsure, list_sort(list_concat([coalesce(earlier, {number}({start}))],"
            f" coalesce(inside, []), [greatest({number}({start}), {number}({end}))])) AS p"
            f" FROM ({marks}) AS m"
        )
        value = "list_max([p[i + 1] - p[i] for i in range(1, len(p))])"
        if literal.unit == "weeks":
            value = f"pc_rounded({value} / 7)"
        unsure = "unsure OR " if literal.bound == "low" else ""
        value = f"CASE WHEN {unsure}{start} IS NULL OR {end} IS NULL THEN NULL ELSE {value} END"
        return f"SELECT {value} AS v FROM ({places}) AS g"


def parts(body: Body, known: frozenset[str]) -> list[Body]:
    """A body in parts that have no variable in common but those known before it."""
    found: list[tuple[set[str], list[Literal]]] = []
    for literal in body:
        names = names_in((literal,)) - known
        joined = [part for part in found if part[0] & names]
        merged = (names.union(*(p[0] for p in joined)), [x for p in joined for x in p[1]] + [literal])
        found = [part for part in found if part not in joined] + [merged]
    return [tuple(literals) for _, literals in found]


def comparison(op: str, left: Expr, right: Expr, sure: bool) -> str:
    """A comparison; of an unknown it is NULL when sure and true when possible."""
    test = f"{left.text} {'<>' if op == '!=' else op} {right.text}"
    return test if sure or not (left.unknown or right.unknown) else f"({test}) IS NOT FALSE"
