"""The naive evaluator: what a plain program means, in the shortest way to say it.

Rules are applied to all facts until nothing new comes; a body is matched literal by literal. It is the
reference for every other evaluator, and never fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from policycheck_engine.aggregates import aggregated
from policycheck_engine.functions import Days, apply
from policycheck_engine.order import ordered
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
    Program,
    Rule,
    Term,
    Var,
    taken,
)
from policycheck_engine.strata import strata
from policycheck_engine.values import Row, Value

Env = Mapping[str, Value]
Tables = Mapping[str, Iterable[Row]]


def evaluate(program: Program, tables: Tables, wanted: Sequence[str]) -> dict[str, set[Row]]:
    """The facts of the wanted relations.

    `tables` has the rows of each base relation, in the order of its columns.
    """
    facts = {name: set(rows) for name, rows in tables.items()}
    world = World(program, facts)
    heads = program.heads
    for group in strata(program):
        for head in group:
            facts[head] = set()
        rules = [rule for head in group for rule in heads[head]]
        grown = True
        while grown:
            new = [(rule.head, row) for rule in rules for row in list(world.derive(rule))]
            grown = any(row not in facts[head] for head, row in new)
            for head, row in new:
                facts[head].add(row)
    return {name: facts[name] for name in wanted}


class World:
    """Facts, and what can be asked of them."""

    def __init__(self, program: Program, facts: Mapping[str, set[Row]]) -> None:
        self.program = program
        self.facts = facts
        self.calendars: dict[str, Days | None] = {}

    def derive(self, rule: Rule) -> Iterator[Row]:
        """The facts that a rule makes."""
        for env in self.matches(rule.body, {}):
            yield tuple(self.value(term, env) for _, term in rule.args)

    def matches(self, body: Body, env: Env) -> Iterator[Env]:
        """All ways to match a body, given some variables."""
        return self.match_all(ordered(body, set(env)), env)

    def match_all(self, body: Body, env: Env) -> Iterator[Env]:
        if not body:
            yield env
            return
        for found in self.match(body[0], env):
            yield from self.match_all(body[1:], found)

    def match(self, literal: Literal, env: Env) -> Iterator[Env]:
        match literal:
            case Atom():
                yield from self.match_atom(literal, env)
            case Compare():
                if holds(
                    literal.op, self.value(literal.left, env), self.value(literal.right, env), literal.sure
                ):
                    yield env
            case Member():
                value = self.value(literal.term, env)
                if not literal.sure if value is None else any(value == c.value for c in literal.values):
                    yield env
            case Bind():
                yield {**env, literal.var.name: self.value(literal.term, env)}
            case Not():
                if not self.any_match(literal.body, env):
                    yield env
            case Either():
                if any(self.any_match(body, env) for body in literal.bodies):
                    yield env
            case Aggregate():
                yield {**env, literal.into.name: self.aggregate(literal, env)}

    def any_match(self, body: Body, env: Env) -> bool:
        return next(self.matches(body, env), None) is not None

    def match_atom(self, atom: Atom, env: Env) -> Iterator[Env]:
        relation = self.program.relations[atom.relation]
        places = [(relation.index(column), term) for column, term in atom.args]
        for row in self.facts[atom.relation]:
            found = dict(env)
            for place, term in places:
                if isinstance(term, Var) and term.name not in found:
                    found[term.name] = row[place]
                elif not holds("=", row[place], self.value(term, found), atom.sure):
                    break
                elif isinstance(term, Var) and found[term.name] is None:
                    found[term.name] = row[place]
            else:
                yield found

    def value(self, term: Term, env: Env) -> Value:
        match term:
            case Var():
                return env[term.name]
            case Const():
                return term.value
            case Call():
                days = self.days(term.calendar) if term.calendar else None
                if term.calendar and days is None:
                    return None
                return apply(term.function, [self.value(arg, env) for arg in term.args], days)

    def days(self, name: str) -> Days | None:
        """The days of a calendar; None when not all of them are known."""
        if name not in self.calendars:
            calendar = self.program.calendars[name]
            relation = self.program.relations[calendar.relation]
            place = relation.index(calendar.column)
            dates = [row[place] for row in self.facts[calendar.relation]]
            unknown = relation.missing or relation.doubtful or None in dates
            self.calendars[name] = None if unknown else Days(map(str, dates), calendar.by_week)
        return self.calendars[name]

    def aggregate(self, literal: Aggregate, env: Env) -> Value:
        def rows(body: Body) -> set[Row]:
            return {tuple(self.value(t, m) for t in taken(literal)) for m in self.matches(body, env)}

        window = tuple(self.value(t, env) for t in literal.window or ())
        against = rows(literal.against) if literal.against else set()
        how = (literal.kind, literal.bound, literal.weight is not None, literal.unit)
        return aggregated(*how, rows(literal.body), against, window, self.days)


def holds(op: str, left: Value, right: Value, sure: bool) -> bool:
    """Whether two values stand in an order; of an unknown nothing is sure and everything possible."""
    if left is None or right is None:
        return not sure
    match op:
        case "=":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right  # type: ignore[operator]
        case "<=":
            return left <= right  # type: ignore[operator]
        case ">":
            return left > right  # type: ignore[operator]
        case _:
            return left >= right  # type: ignore[operator]
