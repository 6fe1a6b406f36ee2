"""What a body's tests say about values, and which other tests follow from them.

Two terms are alike when they are written alike, after the body's equalities; one is at most another when both
are values, when the body says so, or when a function that only grows or falls makes it so. A test that may
fail on an unknown follows only from a test of the same term.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from policycheck_engine.program import Aggregate, Bind, Body, Call, Compare, Const, Member, Term, Var
from policycheck_engine.values import Value

SHIFTS = ("add_days", "add_weeks", "add_months", "add_years", "add_minutes", "add")
"""Steps from one moment to another. A step back in a calendar (`add`) may have no value, so it is left alone;
of the others that is true of the first years of the calendar only."""

GROWS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys((*SHIFTS, "plus", "earlier", "later"), (1, 1)),
    **dict.fromkeys(("days_between", "weeks_between", "minutes_between", "between"), (-1, 1)),
    **dict.fromkeys(("date_of", "week_of", "month_of"), (1,)),
    "minus": (1, -1),
    "times": (1, 1),
}
"""Functions that grow (1) or fall (-1) with each of their arguments."""

FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


class Said:
    """What the tests of a body say. `orders` are pairs of terms of which the first is at most the second;
    `names` says what the variables of the bodies around it stand for. `never` is true when a test between
    two values fails, so that nothing matches; `counted` are the variables that count something."""

    def __init__(
        self, body: Body, orders: Iterable[tuple[Term, Term]] = (), names: Mapping[str, Term] | None = None
    ) -> None:
        self.same: dict[str, Term] = dict(names or {})
        self.facts: list[tuple[str, Term, Term]] = []
        self.members: list[tuple[Term, frozenset[Value]]] = []
        self.orders = list(orders)
        tests = [x for x in body if isinstance(x, Bind | Compare)]
        for test in tests * 2:
            if isinstance(test, Bind) or test.op == "=":
                self.equate(*sides(test))
        self.counted = {x.into for x in body if isinstance(x, Aggregate) and x.kind == "count"}
        self.never = any(untrue(test) for test in tests)
        self.orders = [(self.rep(a), self.rep(b)) for a, b in self.orders]
        for literal in body:
            if isinstance(literal, Bind | Compare):
                op = "=" if isinstance(literal, Bind) else literal.op
                one, two = (self.rep(t) for t in sides(literal))
                self.facts += [(op, one, two), (FLIPPED[op], two, one)]
            elif isinstance(literal, Member):
                values = frozenset(v.value for v in literal.values)
                self.members.append((self.rep(literal.term), values))

    def equate(self, one: Term, two: Term) -> None:
        one, two = self.rep(one), self.rep(two)
        if one == two:
            return
        if isinstance(one, Var) and not mentions(two, one.name):
            self.same[one.name] = two
        elif isinstance(two, Var) and not mentions(one, two.name):
            self.same[two.name] = one

    def rep(self, term: Term) -> Term:
        """The term by which all that are equal to it are known."""
        if isinstance(term, Var):
            seen = set()
            while isinstance(term, Var) and term.name in self.same and term.name not in seen:
                seen.add(term.name)
                term = self.same[term.name]
            return self.rep(term) if isinstance(term, Call) else term
        if isinstance(term, Call):
            return replace(term, args=tuple(self.rep(a) for a in term.args))
        return term

    def alike(self, one: Term, two: Term) -> bool:
        return self.rep(one) == self.rep(two)

    # What follows

    def compares(self, op: str, left: Term, right: Term) -> bool:
        """Whether a comparison follows."""
        left, right = self.rep(left), self.rep(right)
        if isinstance(left, Const) and isinstance(right, Const):
            return ordered_values(op, left.value, right.value)
        if op in (">", ">="):
            op, left, right = FLIPPED[op], right, left
        if op == "=":
            return any(f == ("=", left, right) for f in self.facts)
        if op == "!=":
            return self.differ(left, right)
        for fact, low, high in self.facts:
            if fact not in ("<", "<=", "="):
                continue
            if self.at_most(left, low) and self.at_most(high, right):
                strict = fact == "<" or below(left, low) or below(high, right)
                if op == "<=" or strict:
                    return True
        return any(self.members_compare(op, left, right, m, v) for m, v in self.members)

    def members_compare(
        self, op: str, left: Term, right: Term, member: Term, values: frozenset[Value]
    ) -> bool:
        if left == member and isinstance(right, Const):
            return all(ordered_values(op, v, right.value) for v in values)
        if right == member and isinstance(left, Const):
            return all(ordered_values(op, left.value, v) for v in values)
        return False

    def differ(self, left: Term, right: Term) -> bool:
        for op, one, two in self.facts:
            if op in ("!=", "<", ">") and one == left and two == right:
                return True
            if op == "=" and one == left and different(two, right):
                return True
            if op == "=" and one == right and different(two, left):
                return True
        return any(
            (m == one and isinstance(two, Const) and two.value not in values)
            for m, values in self.members
            for one, two in ((left, right), (right, left))
        )

    def is_member(self, term: Term, values: frozenset[Value]) -> bool:
        """Whether it follows that a term is one of some values."""
        term = self.rep(term)
        if isinstance(term, Const):
            return term.value in values
        return any(m == term and v <= values for m, v in self.members)

    def at_most(self, one: Term, two: Term) -> bool:
        """Whether one term is at most another wherever both have a value, the second having one whenever
        the first has, or the other way round."""
        if one == two:
            return True
        if isinstance(one, Const) and isinstance(two, Const):
            return ordered_values("<=", one.value, two.value)
        if any(a == one and b == two for a, b in self.orders):
            return True
        if (
            isinstance(one, Call)
            and isinstance(two, Call)
            and (one.function, one.calendar) == (two.function, two.calendar)
            and one.function in GROWS
        ):
            if one.function == "add" and not (forward(one.args[1]) and forward(two.args[1])):
                return False
            if one.function == "times" and not self.multiplies(one.args, two.args):
                return False
            pairs = zip(one.args, two.args, GROWS[one.function], strict=True)
            return all(self.at_most(a, b) if way > 0 else self.at_most(b, a) for a, b, way in pairs)
        return False

    def multiplies(self, one: tuple[Term, ...], two: tuple[Term, ...]) -> bool:
        """Whether two products have the same second factor, which was counted, and first ones above zero."""
        return one[1] == two[1] and one[1] in self.counted and forward(one[0]) and forward(two[0])


def sides(literal: Bind | Compare) -> tuple[Term, Term]:
    """What an equality or comparison is between."""
    return (literal.var, literal.term) if isinstance(literal, Bind) else (literal.left, literal.right)


def untrue(test: Bind | Compare) -> bool:
    """Whether a comparison of two values fails."""
    if isinstance(test, Bind) or not (isinstance(test.left, Const) and isinstance(test.right, Const)):
        return False
    return not ordered_values(test.op, test.left.value, test.right.value)


def mentions(term: Term, name: str) -> bool:
    """Whether a variable occurs in a term."""
    if isinstance(term, Var):
        return term.name == name
    return isinstance(term, Call) and any(mentions(a, name) for a in term.args)


def forward(term: Term) -> bool:
    """Whether a number is a figure that is not below zero."""
    return isinstance(term, Const) and isinstance(term.value, int | float) and term.value >= 0


def below(one: Term, two: Term) -> bool:
    return isinstance(one, Const) and isinstance(two, Const) and ordered_values("<", one.value, two.value)


def different(one: Term, two: Term) -> bool:
    return isinstance(one, Const) and isinstance(two, Const) and one.value != two.value


def ordered_values(op: str, left: Value, right: Value) -> bool:
    """Whether two values stand in an order; never, when they cannot be compared."""
    if left is None or right is None:
        return False
    if isinstance(left, str) is not isinstance(right, str):
        return False
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
    return left >= right  # type: ignore[operator]
