"""Types and safety: every name known, every comparison of like with like, every variable bound.

`check` gives the program with its derived relations typed and its constants in their canonical
spelling, or all problems at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from policycheck_engine.functions import FUNCTIONS
from policycheck_engine.order import arranged
from policycheck_engine.problems import Origin, Problem, nearest
from policycheck_engine.program import (
    Aggregate,
    Atom,
    Bind,
    Body,
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
    Rule,
    Term,
    Var,
    nested,
    taken,
    terms,
    variables,
)
from policycheck_engine.strata import circles, recursive
from policycheck_engine.values import MOMENTS, NONE, NOTHING, NUMBERS, Type, Value, canonical

Scope = dict[str, Column]
LookUp = Callable[[str, str], Column | None]


def check(program: Program) -> tuple[Program, list[Problem]]:
    """The typed program, and everything that is wrong with it; with a problem the program is no use."""
    problems = list(unknown_names(program)) + list(circle_problems(program)) + list(unsafe(program))
    if problems:
        return program, problems
    relations = derived_relations(program)
    checker = _Checker(relations)
    rules = tuple(checker.rule(rule) for rule in program.rules)
    return replace(program, relations=relations, rules=rules), checker.problems


def unknown_names(program: Program) -> Iterator[Problem]:
    """Relations and columns that are not there."""
    derived: dict[str, set[str]] = {}
    for rule in program.rules:
        derived.setdefault(rule.head, {name for name, _ in rule.args})
    known = {r.name: set(r.names) for r in program.relations.values()} | derived
    for rule in program.rules:
        for atom in _atoms(rule.body):
            if atom.relation not in known:
                hint = nearest(atom.relation, (n for n in known if ":" not in n))
                yield Problem(
                    "unknown-relation", f"there is no relation `{atom.relation}`", hint, atom.origin
                )
                continue
            for name, term in atom.args:
                if name not in known[atom.relation]:
                    message = f"`{atom.relation}` has no field `{name}`"
                    hint = nearest(name, known[atom.relation])
                    yield Problem("unknown-field", message, hint, term.origin or atom.origin)


def _atoms(body: Body) -> Iterator[Atom]:
    for literal in body:
        if isinstance(literal, Atom):
            yield literal
        for inner in nested(literal):
            yield from _atoms(inner)


def circle_problems(program: Program) -> Iterator[Problem]:
    """Definitions that depend on their own absence, and recursive ones that make new values."""
    seen: set[frozenset[str]] = set()
    for circle in circles(program):
        members = frozenset(edge.head for edge in circle)
        if members in seen:
            continue
        seen.add(members)
        steps = [f"`{e.head}` needs {'no ' if e.against else ''}`{e.needs}`" for e in circle]
        yield Problem(
            "circle-through-not",
            "a definition depends on its own absence: " + ", ".join(steps),
            "break the circle: let one of them use the records instead",
            circle[0].origin,
        )
    loops = recursive(program)
    for rule in program.rules:
        if rule.head in loops:
            yield from new_values(rule)


def new_values(rule: Rule) -> Iterator[Problem]:
    """Values that a recursive rule computes itself and hands on: it might make new ones for ever."""
    computed: dict[str, Origin] = {}
    for _ in rule.body:
        for literal in rule.body:
            if isinstance(literal, Aggregate):
                computed.setdefault(literal.into.name, literal.origin)
            elif isinstance(literal, Bind) and (
                isinstance(literal.term, Call) or any(v.name in computed for v in variables(literal.term))
            ):
                computed.setdefault(literal.var.name, literal.origin)
    for name, term in rule.args:
        made = next((v.name for v in variables(term) if v.name in computed), None)
        if made is not None or isinstance(term, Call):
            yield Problem(
                "recursive-value",
                f"`{rule.head}` depends on itself and computes `{name}`, so it might never end",
                "compute the value in a definition that does not depend on itself",
                computed.get(made or "", rule.origin),
            )


def unsafe(program: Program) -> Iterator[Problem]:
    """Variables that nothing gives a value."""
    for rule in program.rules:
        bound = binds(rule.body, set())
        yield from _unbound_in(rule.body, bound)
        yield from circular_values(rule.body, set(), rule.origin)
        for _, term in rule.args:
            yield from _unbound(term, bound, rule.origin)


def circular_values(body: Body, known: set[str], origin: Origin) -> Iterator[Problem]:
    """Variables that get their values from each other, so that none comes first."""
    try:
        if any(computes(literal) for literal in body):
            arranged(body, known)
    except ValueError as stuck:
        yield Problem(
            "circular-value",
            f"{stuck} get their values from each other",
            "give one of them its value from a relation",
            next((literal.origin for literal in body if literal.origin), origin),
        )
    for literal in body:
        for inner in nested(literal):
            yield from circular_values(inner, binds(body, known), origin)


def computes(literal: Literal) -> bool:
    """Whether a literal gives variables values that it makes of others."""
    return isinstance(literal, Bind | Aggregate) or (
        isinstance(literal, Atom) and any(isinstance(term, Call) for _, term in literal.args)
    )


def binds(body: Body, outer: set[str]) -> set[str]:
    """The variables that have a value in a body, those of the bodies around it included."""
    bound = outer | {
        term.name
        for literal in body
        if isinstance(literal, Atom)
        for _, term in literal.args
        if isinstance(term, Var)
    }
    bound |= {literal.into.name for literal in body if isinstance(literal, Aggregate)}
    pending = [literal for literal in body if isinstance(literal, Bind)]
    while True:
        ready = [b for b in pending if all(v.name in bound for v in variables(b.term))]
        if not ready:
            return bound
        bound |= {b.var.name for b in ready}
        pending = [b for b in pending if b not in ready]


def _unbound_in(body: Body, bound: set[str]) -> Iterator[Problem]:
    for literal in body:
        for term in terms(literal):
            yield from _unbound(term, bound, literal.origin)
        if isinstance(literal, Aggregate):
            inner = binds(literal.body, bound)
            for term in taken(literal):
                yield from _unbound(term, inner, literal.origin)
        for nested_body in nested(literal):
            yield from _unbound_in(nested_body, binds(nested_body, bound))


def _unbound(term: Term, bound: set[str], origin: Origin) -> Iterator[Problem]:
    for var in variables(term):
        if var.name not in bound:
            names = [name for name in bound if name[0] != "_"]
            yield Problem(
                "unbound-variable",
                f"nothing gives `${var.name}` a value here",
                nearest(var.name, names) or f"give it one from a relation: `field: ${var.name}`",
                var.origin or origin,
            )


def derived_relations(program: Program) -> dict[str, Relation]:
    """All relations, with the derived ones typed by what their rules put into them."""
    base = program.relations
    known: dict[tuple[str, str], Column] = {}

    def look_up(relation: str, column: str) -> Column | None:
        return _column(base[relation], column) if relation in base else known.get((relation, column))

    for merge in (False, True):
        changed = True
        while changed:
            changed = False
            for rule in program.rules:
                scope = scope_of(rule.body, {}, look_up)
                for name, term in rule.args:
                    column, old = column_of(term, scope), known.get((rule.head, name))
                    if column is None or (old is not None and not merge):
                        continue
                    new = replace(column, name=name) if old is None else either(old, column)
                    if new != old:
                        known[rule.head, name] = new
                        changed = True
    relations = dict(base)
    for head, rules in program.heads.items():
        columns = tuple(known.get((head, name), Column(name, "text")) for name, _ in rules[0].args)
        relations[head] = Relation(head, columns)
    return relations


def either(old: Column, new: Column) -> Column:
    """What holds of a column that takes values of both."""
    return replace(
        old,
        domain=old.domain if old.domain == new.domain else None,
        values=old.values if old.values == new.values else (),
        positive=old.positive and new.positive,
        nothing=old.nothing or new.nothing,
    )


def scope_of(body: Body, outer: Scope, look_up: LookUp) -> Scope:
    """What kind of value each variable has in a body, as far as the relations it reads are known."""
    scope = dict(outer)
    for literal in body:
        if isinstance(literal, Atom):
            for name, term in literal.args:
                column = look_up(literal.relation, name)
                if isinstance(term, Var) and column is not None:
                    scope[term.name] = _met(scope.get(term.name), column)
    makers = [x for x in body if isinstance(x, Aggregate | Bind)]
    for _ in makers:
        for literal in makers:
            if isinstance(literal, Bind) and literal.var.name not in scope:
                column = column_of(literal.term, scope)
                if column is not None:
                    scope[literal.var.name] = column
            elif isinstance(literal, Aggregate) and literal.into.name not in scope:
                column = _aggregate_column(literal, scope_of(literal.body, scope, look_up))
                if column is not None:
                    scope[literal.into.name] = column
    return scope


def _column(relation: Relation, name: str) -> Column:
    return next(c for c in relation.columns if c.name == name)


def _met(old: Column | None, new: Column) -> Column:
    if old is None or old == new:
        return new
    return replace(
        old,
        domain=old.domain or new.domain,
        positive=old.positive or new.positive,
        nothing=old.nothing or new.nothing,
    )


def _aggregate_column(literal: Aggregate, inner: Scope) -> Column | None:
    name = literal.into.name
    if literal.kind == "count":
        return Column(name, "int", positive=True)
    if literal.kind == "share":
        return Column(name, "decimal", positive=True)
    if literal.kind == "gap":
        return Column(name, "decimal" if literal.unit == "weeks" else "int", positive=True)
    weight = column_of(literal.weight, inner) if literal.weight is not None else None
    return None if weight is None else replace(weight, name=name, nothing=False)


def column_of(term: Term, scope: Scope) -> Column | None:
    """What kind of value a term has, if its variables are known."""
    if isinstance(term, Var):
        return scope.get(term.name)
    if isinstance(term, Const):
        return Column("", constant_type(term.value))
    gives = FUNCTIONS[term.function].gives
    if gives is not None:
        return Column("", gives, positive=term.function.endswith("between"))
    columns = [column_of(arg, scope) for arg in term.args]
    if any(c is None for c in columns):
        return None
    types = {c.type for c in columns if c is not None}
    wider: Type = "decimal" if types == {"int", "decimal"} else columns[0].type  # type: ignore[union-attr]
    positive = term.function in ("plus", "times", "earlier", "later") and all(
        c.positive for c in columns if c
    )
    return Column("", wider, positive=positive)


def constant_type(value: Value) -> Type:
    """The type a constant has by itself."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "decimal"
    kinds: tuple[Type, ...] = ("date", "datetime", "time")
    for type_ in kinds:
        try:
            canonical(value, type_)
        except ValueError:
            continue
        return type_
    return "text"


class _Checker:
    """Walks typed rules, collects what does not fit, and puts constants into their canonical spelling."""

    def __init__(self, relations: dict[str, Relation]) -> None:
        self.relations = relations
        self.problems: list[Problem] = []

    def look_up(self, relation: str, column: str) -> Column:
        return _column(self.relations[relation], column)

    def problem(self, code: str, message: str, help_: str, origin: Origin) -> None:
        self.problems.append(Problem(code, message, help_, origin))

    def rule(self, rule: Rule) -> Rule:
        scope = scope_of(rule.body, {}, self.look_up)
        head = self.relations[rule.head]
        for name, term in rule.args:
            column, want = column_of(term, scope), _column(head, name)
            if column is not None and not isinstance(term, Const) and column.type != want.type:
                self.problem(
                    "mixed-types",
                    f"`{name}` of `{rule.head}` is {a(want.type)} here and {a(column.type)} elsewhere",
                    "give both the same type",
                    rule.origin,
                )
        return replace(rule, body=self.body(rule.body, scope))

    def body(self, body: Body, scope: Scope) -> Body:
        return tuple(self.literal(literal, scope) for literal in body)

    def inner(self, body: Body, scope: Scope) -> Body:
        return self.body(body, scope_of(body, scope, self.look_up))

    def literal(self, literal: Literal, scope: Scope) -> Literal:
        match literal:
            case Atom():
                relation = self.relations[literal.relation]
                args = tuple(
                    (name, self.argument(literal, _column(relation, name), term, scope))
                    for name, term in literal.args
                )
                return replace(literal, args=args)
            case Compare():
                return self.compare(literal, scope)
            case Member():
                return self.member(literal, scope)
            case Bind():
                return self.bind(literal, scope)
            case Not():
                return replace(literal, body=self.inner(literal.body, scope))
            case Either():
                return replace(literal, bodies=tuple(self.inner(b, scope) for b in literal.bodies))
            case Aggregate():
                return self.aggregate(literal, scope)

    def argument(self, atom: Atom, column: Column, term: Term, scope: Scope) -> Term:
        field = f"`{atom.relation}.{column.name}`"
        if isinstance(term, Const):
            return self.fitted(term, column, field, term.origin or atom.origin)
        term = self.term(term, scope)
        other = column_of(term, scope)
        if other is not None:
            self.alike(other, said(term), column, field, term.origin or atom.origin)
        return term

    def alike(self, one: Column, one_name: str, two: Column, two_name: str, origin: Origin) -> None:
        if one.type != two.type and not {one.type, two.type} <= NUMBERS:
            self.problem(
                "type-mismatch",
                f"{one_name} is {a(one.type)} and {two_name} is {a(two.type)}",
                "they can never be equal; compare like with like",
                origin,
            )
        elif one.domain and two.domain and one.domain != two.domain:
            self.problem(
                "different-things",
                f"{one_name} is from `{one.domain}` and {two_name} is from `{two.domain}`",
                "an id of the one is never an id of the other; use another variable",
                origin,
            )

    def fitted(self, const: Const, column: Column, field: str, origin: Origin) -> Const:
        if const.value == NOTHING:
            if not column.nothing:
                message = f"a missing {field} has no meaning of its own, so it cannot be asked for"
                help_ = "leave this test out, or say in the record model what `missing` means there"
                self.problem("no-nothing", message, help_, origin)
            return replace(const, value=NONE.get(column.type, ""))
        try:
            value = canonical(const.value, column.type)
        except ValueError as expected:
            message = f"{field} is {a(column.type)}, and `{shown(const.value)}` is not"
            self.problem("wrong-constant", message, f"write {expected}", origin)
            return const
        if column.values and value not in (*column.values, ""):
            message = f"{field} is never `{shown(value)}`"
            self.problem("wrong-word", message, nearest(str(value), column.values), origin)
        return replace(const, value=value)

    def compare(self, literal: Compare, scope: Scope) -> Compare:
        left, right = self.term(literal.left, scope), self.term(literal.right, scope)
        one, two = column_of(left, scope), column_of(right, scope)
        if one is None or two is None:
            return replace(literal, left=left, right=right)
        if {one.type, two.type} == MOMENTS:
            left, right = (
                side if column.type == "date" else Call("date_of", (side,))
                for side, column in ((left, one), (right, two))
            )
            return replace(literal, left=left, right=right)
        if isinstance(left, Const) and not isinstance(right, Const):
            left = self.fitted(left, two, said(right), literal.origin)
        elif isinstance(right, Const):
            right = self.fitted(right, one, said(left), right.origin or literal.origin)
        else:
            self.alike(one, said(left), two, said(right), literal.origin)
        if literal.op not in ("=", "!=") and one.type in ("bool",):
            self.problem("no-order", f"{said(left)} is true or false; it has no order", "", literal.origin)
        return replace(literal, left=left, right=right)

    def bind(self, literal: Bind, scope: Scope) -> Bind:
        column = scope.get(literal.var.name)
        if isinstance(literal.term, Const) and column is not None:
            return replace(literal, term=self.fitted(literal.term, column, said(literal.var), literal.origin))
        return replace(literal, term=self.term(literal.term, scope))

    def member(self, literal: Member, scope: Scope) -> Member:
        term = self.term(literal.term, scope)
        column = column_of(term, scope)
        if column is None:
            return literal
        values = tuple(self.fitted(v, column, said(term), v.origin or literal.origin) for v in literal.values)
        return replace(literal, term=term, values=values)

    def aggregate(self, literal: Aggregate, scope: Scope) -> Aggregate:
        inner = scope_of(literal.body, scope, self.look_up)
        weight = column_of(literal.weight, inner) if literal.weight is not None else None
        if (
            weight is not None
            and literal.kind in ("sum", "share")
            and not (weight.type in NUMBERS and weight.positive)
        ):
            self.problem(
                "not-a-quantity",
                f"{said(literal.weight)} may be below zero or is no number, so it cannot be summed",
                "sum a field that has `minimum: 0` in the record model",
                literal.origin,
            )
        if weight is not None and literal.kind == "gap" and weight.type not in MOMENTS:
            message = f"{said(literal.weight)} is {a(weight.type)}, and gaps lie between dates"
            self.problem("type-mismatch", message, "use a date", literal.origin)
        return replace(
            literal,
            body=self.inner(literal.body, scope),
            against=self.inner(literal.against, scope),
        )

    def term(self, term: Term, scope: Scope) -> Term:
        if not isinstance(term, Call):
            return term
        args = tuple(self.term(arg, scope) for arg in term.args)
        for arg, takes in zip(args, FUNCTIONS[term.function].takes, strict=True):
            column = column_of(arg, scope)
            if column is not None and not fits(column.type, takes):
                message = f"{said(arg)} is {a(column.type)}, and {a(takes)} is needed here"
                self.problem("type-mismatch", message, "", arg.origin or term.origin)
        return replace(term, args=args)


def fits(type_: Type, takes: str) -> bool:
    """Whether a function that takes such a thing takes a value of this type."""
    if takes == "any":
        return True
    if takes == "moment":
        return type_ in MOMENTS
    if takes == "number":
        return type_ in NUMBERS
    return type_ == takes


def a(type_: str) -> str:
    """The type in words."""
    words = {"bool": "true or false", "int": "a whole number", "decimal": "a number", "moment": "a date"}
    return words.get(type_, f"a {type_}")


def said(term: Term | None) -> str:
    """A term in the author's words."""
    if isinstance(term, Var) and term.name.startswith("_"):
        return f"`{term.name[1:].partition('~')[0]}`"
    if isinstance(term, Var):
        return f"`${term.name}`"
    if isinstance(term, Const):
        return f"`{shown(term.value)}`"
    return "the value"


def shown(value: Value) -> str:
    """A value as YAML would have it."""
    return (
        {True: "true", False: "false", None: "null"}.get(value, str(value))
        if isinstance(value, bool | None)
        else str(value)
    )
