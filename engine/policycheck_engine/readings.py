"""Three values from two: every relation that can depend on an unknown gets a certain and a possible reading.

`readings` takes a checked program and gives a plain one. A relation R whose readings differ becomes `R`,
what is certain, and `R?`, what is possible; one whose readings agree stays alone. In a certain reading no
unknown matches anything, in a possible one it matches everything; negation swaps the two. A number
counted from unknowns has a low and a high bound, and each comparison uses the one that makes it certain
or possible. A relation that the input does not have is certainly empty, and possibly holds anything: one
row of unknowns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from policycheck_engine.functions import FUNCTIONS
from policycheck_engine.program import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Bound,
    Call,
    Column,
    Compare,
    Comparison,
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
    names_in,
    taken,
    variables,
)
from policycheck_engine.strata import strata

RISING: dict[str, bool] = {"count": True, "sum": True, "share": True, "max": True, "min": False, "gap": False}
"""Whether an aggregate grows with more matches."""


def possible(name: str) -> str:
    """The name of a relation's possible reading."""
    return name + "?"


def low(name: str) -> str:
    """The name of the low bound of a variable or column."""
    return name + "<"


def high(name: str) -> str:
    """The name of the high bound of a variable or column."""
    return name + ">"


class Kind(Struct, frozen=True):
    """What is known of a variable: whether it may be unknown, and whether it is a pair of bounds."""

    unknown: bool = False
    bounds: bool = False


Scope = dict[str, Kind]


class Split(Struct, frozen=True):
    """The plain program, and which relations have two readings and which columns two bounds."""

    program: Program
    split: frozenset[str]
    bounded: frozenset[tuple[str, str]]

    def reading(self, relation: str, sure: bool) -> str:
        """The relation to look at for one reading."""
        return possible(relation) if not sure and relation in self.split else relation

    def outline(self, names: Iterable[str] | None = None) -> Outline:
        """These relations, or all of them, without anything that evaluating needs."""
        chosen = self.program.relations if names is None else names
        relations = {name: self.program.relations[name] for name in chosen}
        return Outline(
            frozenset(self.split.intersection(relations)),
            {name: relation.names for name, relation in relations.items()},
            frozenset(n for n, r in relations.items() if any(c.unknown for c in r.columns)),
        )


class Outline(Struct, frozen=True):
    """The relations of a split program as far as facts are read from them: which have two readings, the
    names of their columns, and which may hold an unknown value."""

    split: frozenset[str]
    names: Mapping[str, tuple[str, ...]]
    unknown: frozenset[str]

    def reading(self, relation: str, sure: bool) -> str:
        """The relation to look at for one reading."""
        return possible(relation) if not sure and relation in self.split else relation


def readings(program: Program) -> Split:
    """The plain program that decides what is certain and what is possible."""
    maker = _Maker(program)
    for group in strata(program):
        maker.group(group)
    return maker.result()


class _Maker:
    def __init__(self, program: Program) -> None:
        self.source = program
        self.heads = program.heads
        self.relations: dict[str, Relation] = {}
        self.split: set[str] = set()
        self.bounded: set[tuple[str, str]] = set()
        self.unknown: set[tuple[str, str]] = set()
        self.rules: list[Rule] = []
        for relation in program.relations.values():
            if relation.name in self.heads:
                continue
            self.relations[relation.name] = relation
            self.unknown |= {(relation.name, c.name) for c in relation.columns if c.unknown}
            if relation.missing or relation.doubtful:
                self.split.add(relation.name)
                self.unknown |= {(relation.name, c.name) for c in relation.columns}
                columns = tuple(replace(c, unknown=True) for c in relation.columns)
                self.relations[possible(relation.name)] = Relation(possible(relation.name), columns)

    def result(self) -> Split:
        program = replace(self.source, relations=self.relations, rules=tuple(self.rules))
        return Split(program, frozenset(self.split), frozenset(self.bounded))

    def group(self, group: tuple[str, ...]) -> None:
        """One group of relations that need each other: grow what is uncertain until it is stable."""
        rules = [rule for head in group for rule in self.heads[head]]
        while True:
            before = (len(self.split), len(self.unknown), len(self.bounded))
            made = [(rule, self.rule(rule, True), self.rule(rule, False)) for rule in rules]
            for rule, sure, maybe in made:
                if sure.body != maybe.body or sure.args != maybe.args:
                    self.split.add(rule.head)
            if before == (len(self.split), len(self.unknown), len(self.bounded)):
                break
        for rule, sure, maybe in made:
            self.rules.append(sure)
            if rule.head in self.split:
                self.rules.append(replace(maybe, head=possible(rule.head)))
        for head in group:
            self.declare(head)

    def declare(self, head: str) -> None:
        columns: list[Column] = []
        for c in self.source.relations[head].columns:
            unknown = (head, c.name) in self.unknown
            if (head, c.name) in self.bounded:
                columns += [replace(c, name=n, unknown=True) for n in (low(c.name), high(c.name))]
            else:
                columns.append(replace(c, unknown=unknown))
        for name in {head, possible(head)} if head in self.split else {head}:
            self.relations[name] = Relation(name, tuple(columns))

    def rule(self, rule: Rule, sure: bool) -> Rule:
        scope = self.scope(rule.body, {}, sure)
        body = self.body(rule.body, scope, sure, {})
        args: list[tuple[str, Term]] = []
        for name, term in rule.args:
            kind = self.kind(term, scope)
            if kind.bounds:
                self.bounded.add((rule.head, name))
            if (rule.head, name) in self.bounded:
                args += [
                    (low(name), bound(term, scope, "low")),
                    (high(name), bound(term, scope, "high")),
                ]
            else:
                args.append((name, bound(term, scope, "exact")))
            if kind.unknown:
                self.unknown.add((rule.head, name))
        return replace(rule, args=tuple(args), body=body)

    # What is known of variables

    def scope(self, body: Body, outer: Scope, sure: bool) -> Scope:
        """What is known of each variable in one reading of a body."""
        places: dict[str, list[Kind]] = {}
        for literal in body:
            if isinstance(literal, Atom):
                for name, term in literal.args:
                    if isinstance(term, Var):
                        places.setdefault(term.name, []).append(self.column(literal.relation, name))
        scope = dict(outer)
        for name, kinds in places.items():
            if name in outer:
                kinds = [outer[name], *kinds]
            if len(kinds) > 1 and any(not k.bounds for k in kinds):
                scope[name] = Kind(unknown=not sure and all(k.unknown or k.bounds for k in kinds))
            else:
                scope[name] = kinds[0]
        makers = [x for x in body if isinstance(x, Aggregate | Bind)]
        made = {x.into.name if isinstance(x, Aggregate) else x.var.name for x in makers}
        for _ in makers:
            for literal in makers:
                if isinstance(literal, Aggregate):
                    waiting = (names_in((literal,)) & made) - {literal.into.name} - set(scope)
                    if not waiting and literal.into.name not in places and literal.into.name not in outer:
                        scope[literal.into.name] = self.aggregate_kind(literal, scope)
                elif isinstance(literal, Bind) and literal.var.name not in {*places, *outer}:
                    known = all(v.name in scope for v in variables(literal.term))
                    if known:
                        scope[literal.var.name] = self.kind(literal.term, scope)
        return scope

    def column(self, relation: str, column: str) -> Kind:
        if (relation, column) in self.bounded:
            return Kind(True, True)
        return Kind((relation, column) in self.unknown)

    def kind(self, term: Term, scope: Scope) -> Kind:
        if isinstance(term, Var):
            return scope.get(term.name, Kind())
        if isinstance(term, Const):
            return Kind(term.value is None)
        kinds = [self.kind(arg, scope) for arg in term.args]
        bounds = any(k.bounds for k in kinds) and term.function in MONOTONE
        unknown = any(k.unknown or k.bounds for k in kinds) or FUNCTIONS[term.function].may_fail
        return Kind(unknown, bounds)

    def aggregate_kind(self, literal: Aggregate, scope: Scope) -> Kind:
        """A pair of bounds when its body has two readings or its values may be unknown."""
        window = literal.window or ()
        if any(self.kind(t, scope) != Kind() for t in window):
            return Kind(True, True)
        if self.exact(literal, scope):
            return Kind(unknown=self.uncertain(literal.unit))
        return Kind(True, True)

    def uncertain(self, unit: str | None) -> bool:
        """Whether gaps are counted by a calendar of which not all days are known."""
        calendar = self.source.calendars.get(unit or "")
        if calendar is None:
            return False
        return calendar.relation in self.split or (calendar.relation, calendar.column) in self.unknown

    def exact(self, literal: Aggregate, scope: Scope) -> bool:
        for body in (literal.body, literal.against):
            sure, maybe = self.scope(body, scope, True), self.scope(body, scope, False)
            if self.body(body, sure, True, scope) != self.body(body, maybe, False, scope):
                return False
        inner = self.scope(literal.body, scope, False)
        taken = literal.of + (() if literal.weight is None else (literal.weight,))
        return not any(self.kind(t, inner) != Kind() for t in taken)

    # Bodies in one reading

    def body(self, body: Body, scope: Scope, sure: bool, before: Scope) -> Body:
        """The body's literals in one reading; `before` is what is known of variables from around it."""
        places = Counter(
            term.name
            for literal in body
            if isinstance(literal, Atom)
            for _, term in literal.args
            if isinstance(term, Var)
        )
        places.update(before.keys())
        places.update(f"{name}~given" for name in before)
        shaky = {
            term.name
            for literal in body
            if isinstance(literal, Atom)
            for name, term in literal.args
            if isinstance(term, Var) and self.column(literal.relation, name).unknown
        }
        shaky |= {name for name, kind in before.items() if kind.unknown}
        freed = [name for name, kind in before.items() if kind.bounds and not scope[name].bounds]
        out: list[Literal] = []
        for literal in sorted(body, key=_in_turn):
            if isinstance(literal, Atom):
                out += self.atom(literal, scope, sure, places, shaky, freed)
            elif isinstance(literal, Aggregate):
                out += self.measured(literal, scope, sure, places)
            elif isinstance(literal, Bind) and places[literal.var.name]:
                out += self.compare(Compare("=", literal.var, literal.term), scope, sure)
            else:
                out += self.literal(literal, scope, sure)
                if isinstance(literal, Bind):
                    places[literal.var.name] += 1
        for name in freed:
            out += tied(Var(name), sure)
        return tuple(out)

    def measured(
        self, literal: Aggregate, scope: Scope, sure: bool, places: Counter[str]
    ) -> Iterable[Literal]:
        """An aggregate; where its variable has a value from elsewhere, the two are compared."""
        into = literal.into
        if not places[into.name]:
            places[into.name] += 1
            return self.aggregate(literal, scope, sure)
        fresh = replace(literal, into=Var(f"{into.name}~result"))
        known = scope | {fresh.into.name: self.aggregate_kind(literal, scope)}
        compared = self.compare(Compare("=", fresh.into, into), known, sure)
        return [*self.aggregate(fresh, known, sure), *compared]

    def inner(self, body: Body, scope: Scope, sure: bool) -> Body:
        return self.body(body, self.scope(body, scope, sure), sure, scope)

    def literal(self, literal: Literal, scope: Scope, sure: bool) -> Iterable[Literal]:
        match literal:
            case Compare():
                return self.compare(literal, scope, sure)
            case Member():
                return self.member(literal, scope, sure)
            case Bind():
                return self.bind(literal, scope)
            case Not():
                return [replace(literal, body=self.inner(literal.body, scope, not sure))]
            case Either():
                return [
                    replace(literal, bodies=tuple(self.inner(body, scope, sure) for body in literal.bodies))
                ]
            case Atom() | Aggregate():
                raise AssertionError("read by `body`")

    def member(self, literal: Member, scope: Scope, sure: bool) -> Iterable[Literal]:
        kind = self.kind(literal.term, scope)
        if not kind.bounds:
            term = bound(literal.term, scope, "exact")
            return [replace(literal, term=term, sure=sure or not kind.unknown)]
        equal = (Compare("=", literal.term, value) for value in literal.values)
        return [Either(tuple(tuple(self.compare(c, scope, sure)) for c in equal))]

    def bind(self, literal: Bind, scope: Scope) -> Iterable[Literal]:
        if not scope[literal.var.name].bounds:
            return [replace(literal, term=bound(literal.term, scope, "exact"))]
        return [
            Bind(Var(low(literal.var.name)), bound(literal.term, scope, "low")),
            Bind(Var(high(literal.var.name)), bound(literal.term, scope, "high")),
        ]

    def atom(
        self,
        atom: Atom,
        scope: Scope,
        sure: bool,
        places: Counter[str],
        shaky: set[str],
        freed: Collection[str],
    ) -> Iterable[Literal]:
        """An atom. Variables that were bounds around the body, and are `freed`, get values from its atoms;
        what is computed of them is compared when they have it."""
        name = possible(atom.relation) if not sure and atom.relation in self.split else atom.relation
        args: list[tuple[str, Term]] = []
        extra: list[Literal] = []
        tolerant = False
        for column, term in atom.args:
            kind, mine = self.column(atom.relation, column), self.kind(term, scope)
            compared = not isinstance(term, Var) or places[term.name] > 1
            first = isinstance(term, Var) and mine.bounds and not places[f"{term.name}~given"]
            if kind.bounds and isinstance(term, Var) and (first or not compared):
                places[f"{term.name}~given"] += 1
                args += [(low(column), Var(low(term.name))), (high(column), Var(high(term.name)))]
            elif kind.bounds or mine.bounds or (isinstance(term, Call) and uses(term, freed)):
                places["~"] += 1
                fresh = f"{column}~{places['~']}"
                if kind.bounds:
                    args += [(low(column), Var(low(fresh))), (high(column), Var(high(fresh)))]
                else:
                    args.append((column, Var(fresh)))
                extra += self.compare(Compare("=", Var(fresh), term), scope | {fresh: kind}, sure)
            else:
                args.append((column, bound(term, scope, "exact")))
                unsure = kind.unknown or mine.unknown or (isinstance(term, Var) and term.name in shaky)
                tolerant = tolerant or (compared and unsure)
        flag = sure or not tolerant
        finds = frozenset(
            t.name for _, t in args if isinstance(t, Var) and t.name in shaky and places[t.name] > 1
        )
        made = replace(atom, relation=name, args=tuple(args), sure=flag, finds=frozenset() if flag else finds)
        return [made, *extra]

    def compare(self, literal: Compare, scope: Scope, sure: bool) -> Iterable[Literal]:
        left, right, op = literal.left, literal.right, literal.op
        one, two = self.kind(left, scope), self.kind(right, scope)
        if not (one.bounds or two.bounds):
            left, right = bound(left, scope, "exact"), bound(right, scope, "exact")
            return [replace(literal, left=left, right=right, sure=sure or not (one.unknown or two.unknown))]
        lo = [bound(t, scope, "low") for t in (left, right)]
        hi = [bound(t, scope, "high") for t in (left, right)]
        if op in (">", ">="):
            pair = (lo[0], hi[1]) if sure else (hi[0], lo[1])
            return [replace(literal, left=pair[0], right=pair[1], sure=sure)]
        if op in ("<", "<="):
            pair = (hi[0], lo[1]) if sure else (lo[0], hi[1])
            return [replace(literal, left=pair[0], right=pair[1], sure=sure)]
        apart = [
            (replace(literal, op="<", left=hi[0], right=lo[1], sure=sure),),
            (replace(literal, op=">", left=lo[0], right=hi[1], sure=sure),),
        ]
        meet = [
            replace(literal, op=">=", left=hi[0], right=lo[1], sure=sure),
            replace(literal, op="<=", left=lo[0], right=hi[1], sure=sure),
        ]
        if op == "!=":
            if sure:
                return [Either((apart[0], apart[1]))]
            return [
                Either(
                    tuple(
                        (replace(literal, op="!=", left=x, right=y, sure=False),)
                        for x in (lo[0], hi[0])
                        for y in (lo[1], hi[1])
                    )
                )
            ]
        if sure:
            return [
                replace(literal, left=lo[0], right=hi[1], sure=True),
                replace(literal, left=hi[0], right=lo[1], sure=True),
                replace(literal, left=lo[0], right=lo[1], sure=True),
            ]
        return meet

    def aggregate(self, literal: Aggregate, scope: Scope, sure: bool) -> Iterable[Literal]:
        """One value, or a low and a high bound; where nothing has no value, there must be something."""
        into = literal.into.name
        valued = literal.kind in ("max", "min", "share")
        if not scope[into].bounds:
            yield self.bounded_aggregate(literal, scope, "exact", into)
            if valued:
                yield Compare("=", literal.into, literal.into)
            return
        yield self.bounded_aggregate(literal, scope, "low", low(into))
        yield self.bounded_aggregate(literal, scope, "high", high(into))
        if valued:
            bodies = [literal.body, literal.against] if literal.against else [literal.body]
            if sure and literal.kind == "share" and literal.weight is not None:
                # of nothing but zeros there is no share
                some = Compare(">", literal.weight, Const(0))
                bodies = [(*body, some) for body in bodies]
            yield Either(tuple(self.inner(body, scope, sure) for body in bodies))

    def bounded_aggregate(self, literal: Aggregate, scope: Scope, side: Bound, into: str) -> Aggregate:
        certain = side == "exact" or (side == "low") == RISING[literal.kind]
        weighed: Bound = side if literal.kind in ("sum", "max", "min") else "exact"
        inner = self.scope(literal.body, scope, certain)
        of = tuple(bound(t, inner, "exact") for t in literal.of)
        weight = None if literal.weight is None else bound(literal.weight, inner, weighed)
        body = self.inner(literal.body, scope, certain)
        against = self.inner(literal.against, scope, side == "exact" or not certain)
        outer = self.scope(literal.against, scope, side == "exact" or not certain)
        known = [tuple(bound(t, s, "exact") for t in taken(literal)) for s in (inner, outer)]
        if literal.against and known != [taken(literal)] * 2:
            # one body may know a variable as one value and the other as two bounds: each names it itself
            names = tuple(Var(f"{into}~{i}") for i in range(len(taken(literal))))
            body += tuple(Bind(name, t) for name, t in zip(names, known[0], strict=True))
            against += tuple(Bind(name, t) for name, t in zip(names, known[1], strict=True))
            of, weight = names[: len(of)], names[-1] if literal.weight is not None else None
        window = tuple(bound(t, scope, "exact") for t in literal.window) if literal.window else None
        return replace(
            literal,
            into=Var(into),
            body=body,
            of=of,
            weight=weight,
            against=against,
            window=window,
            bound=side,
        )


def uses(term: Term, names: Collection[str]) -> bool:
    """Whether a term has one of these variables."""
    return any(v.name in names for v in variables(term))


def tied(var: Var, sure: bool) -> tuple[Compare, Compare]:
    """That a variable, which has one value in this body, is what lies between two bounds around it."""
    ops: tuple[Comparison, Comparison] = ("=", "=") if sure else (">=", "<=")
    ends = (Var(low(var.name)), Var(high(var.name)))
    return tuple(Compare(op, var, end, sure=sure) for op, end in zip(ops, ends, strict=True))  # type: ignore[return-value]


def _in_turn(literal: Literal) -> tuple[int, str]:
    """Aggregates first, then atoms, in an order that does not depend on how they were written."""
    if isinstance(literal, Aggregate):
        return (0, "")
    if isinstance(literal, Atom):
        names = (f"{c} {t.name if isinstance(t, Var) else ''}" for c, t in literal.args)
        return (1, f"{literal.relation} {' '.join(names)}")
    return (2, "")


MONOTONE = frozenset({"plus", "minus", "times", "over"})


def bound(term: Term, scope: Scope, side: Bound) -> Term:
    """A term whose variables are their low or high bounds; of a bound pair used exactly, its one value."""
    if isinstance(term, Const):
        return term
    if isinstance(term, Var):
        if not scope.get(term.name, Kind()).bounds:
            return term
        if side == "exact":
            return Call("same", (Var(low(term.name)), Var(high(term.name))))
        return Var((low if side == "low" else high)(term.name))
    if term.function not in MONOTONE or side == "exact":
        return replace(term, args=tuple(bound(arg, scope, "exact") for arg in term.args))
    other: Bound = "high" if side == "low" else "low"
    second = other if term.function in ("minus", "over") else side
    return replace(term, args=(bound(term.args[0], scope, side), bound(term.args[1], scope, second)))
