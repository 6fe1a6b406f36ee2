"""Truth values and values that depend on what is not known.

A truth value is True, False or a formula of z3; a value is a plain one, or a `Sym`: a whole number of z3 (see
`codes`) with the formula that says whether it is unknown. A share is a pair of numbers, so that nothing is
divided. What can be worked out at once is.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import z3
from msgspec import Struct

from policycheck_engine.functions import MILLION
from policycheck_engine.naive import holds
from policycheck_engine.symbolic.codes import DAY, Codes, kind_of
from policycheck_engine.values import Type, Value

Truth = Any
"""True, False or a z3.BoolRef."""

Number = Any
"""An int or a z3.ArithRef."""


class CannotSayError(Exception):
    """Something that formulas do not say; its text names it."""


class Sym(Struct, frozen=True, eq=False):
    """A value that depends on what is not known; `never` says that it may be a moment that never comes."""

    type: Type
    number: Number
    null: Truth = False
    never: bool = False


class Ratio(Struct, frozen=True, eq=False):
    """One number over another that is above zero, or unknown."""

    top: Number
    bottom: Number
    null: Truth


V = Value | Sym | Ratio


def conj(*truths: Truth) -> Truth:
    """All of them."""
    out = []
    seen = set()
    for truth in truths:
        if truth is False:
            return False
        if truth is not True and truth.get_id() not in seen:
            seen.add(truth.get_id())
            out.append(truth)
    return True if not out else out[0] if len(out) == 1 else z3.And(out)


def disj(truths: Iterable[Truth]) -> Truth:
    """At least one of them."""
    out = []
    seen = set()
    for truth in truths:
        if truth is True:
            return True
        if truth is not False and truth.get_id() not in seen:
            seen.add(truth.get_id())
            out.append(truth)
    return False if not out else out[0] if len(out) == 1 else z3.Or(out)


def neg(truth: Truth) -> Truth:
    if isinstance(truth, bool):
        return not truth
    return truth.arg(0) if z3.is_not(truth) else z3.Not(truth)


def choose(truth: Truth, one: Any, other: Any) -> Any:
    """One number or truth value if it is so, else the other."""
    if isinstance(truth, bool):
        return one if truth else other
    if type(one) is type(other) and isinstance(one, int) and one == other:
        return one
    if isinstance(one, bool) or isinstance(other, bool) or z3.is_bool(one):
        return disj((conj(truth, one), conj(neg(truth), other)))
    return z3.If(truth, one, other)


def compared(op: str, left: Number, right: Number) -> Truth:
    """How two numbers stand."""
    if isinstance(left, int) and isinstance(right, int):
        return holds(op, left, right, True)
    match op:
        case "=":
            found = left == right
        case "!=":
            found = left != right
        case "<":
            found = left < right
        case "<=":
            found = left <= right
        case ">":
            found = left > right
        case _:
            found = left >= right
    return found


def least(one: Number, other: Number) -> Number:
    return choose(compared("<=", one, other), one, other)


def most(one: Number, other: Number) -> Number:
    return choose(compared(">=", one, other), one, other)


def unknown(value: V) -> Truth:
    """Whether a value is unknown."""
    return value.null if isinstance(value, Sym | Ratio) else value is None


def type_of(value: V) -> Type:
    if isinstance(value, Sym):
        return value.type
    return "decimal" if isinstance(value, Ratio) else kind_of(value)


class Values:
    """What can be said of values, given how they are numbered."""

    def __init__(self, codes: Codes) -> None:
        self.codes = codes

    def number(self, value: V, type_: Type) -> Number:
        """The number of a value as one of some type: dates of datetimes and millionths of wholes."""
        if isinstance(value, Ratio):
            raise CannotSayError("arithmetic with a share or a quotient")
        own = type_of(value)
        if type_ == "text":
            own = "text"
        number = value.number if isinstance(value, Sym) else self.codes.number(value, own)
        if own == type_:
            return number
        if (own, type_) == ("int", "decimal"):
            return number * MILLION
        if (own, type_) == ("datetime", "date"):
            return divided(number, DAY)
        if (own, type_) == ("date", "datetime"):
            return number * DAY
        raise CannotSayError(f"a {own} in the place of a {type_}")

    def compare(self, op: str, left: V, right: V, sure: bool) -> Truth:
        """Whether two values stand in an order; of an unknown nothing is sure and everything possible."""
        if not isinstance(left, Sym | Ratio) and not isinstance(right, Sym | Ratio):
            return holds(op, left, right, sure)
        nulls = unknown(left), unknown(right)
        if True in nulls:
            return not sure
        said = self.stand(op, left, right)
        if sure:
            return conj(neg(nulls[0]), neg(nulls[1]), said)
        return disj((*nulls, said))

    def stand(self, op: str, left: V, right: V) -> Truth:
        """How two known values stand."""
        if left is right:
            return op in ("=", "<=", ">=")
        if isinstance(left, Ratio) or isinstance(right, Ratio):
            (top, bottom), (other, under) = self.fraction(left), self.fraction(right)
            return compared(op, product(top, under), product(other, bottom))
        type_ = self.common(left, right)
        one, two = self.number(left, type_), self.number(right, type_)
        if not isinstance(one, int) and not isinstance(two, int) and one.eq(two):
            return op in ("=", "<=", ">=")
        return compared(op, one, two)

    def common(self, left: V, right: V) -> Type:
        """The type in which two values are compared: that of one that is not known, since a plain one may
        look like something else."""
        syms = [v.type for v in (left, right) if isinstance(v, Sym)]
        if len(syms) == 1:
            other = kind_of(right if isinstance(left, Sym) else left)  # type: ignore[arg-type]
            return "decimal" if {syms[0], other} == {"int", "decimal"} else syms[0]
        return "decimal" if set(syms) == {"int", "decimal"} else syms[0]

    def fraction(self, value: V) -> tuple[Number, Number]:
        """A number as one over another."""
        if isinstance(value, Ratio):
            return value.top, value.bottom
        if isinstance(value, Sym):
            return self.number(value, "decimal"), MILLION
        exact = Fraction(str(value))
        return exact.numerator, exact.denominator

    def same(self, left: V, right: V) -> Truth:
        """Whether two values are one and the same, unknown or not."""
        if not isinstance(left, Sym | Ratio) and not isinstance(right, Sym | Ratio):
            return left == right and isinstance(left, bool) is isinstance(right, bool)
        one, two = unknown(left), unknown(right)
        if one is True or two is True:
            return conj(one, two)
        equal = self.stand("=", left, right)
        if one is False and two is False:
            return equal
        return disj((conj(one, two), conj(neg(one), neg(two), equal)))


def divided(number: Number, by: int) -> Number:
    """A number over a plain one, without the rest."""
    return number // by if isinstance(number, int) else number / by


def product(one: Number, other: Number) -> Number:
    """A product, when one of the two is known."""
    if not isinstance(one, int) and not isinstance(other, int):
        raise CannotSayError("a product of two numbers of which neither is known")
    if isinstance(one, int) and one == 1:
        return other
    return one if isinstance(other, int) and other == 1 else one * other


def key_of(value: V) -> object:
    """What tells values apart as they are written."""
    if isinstance(value, Sym):
        null = value.null if isinstance(value.null, bool) else value.null.get_id()
        number = value.number if isinstance(value.number, int) else ("#", value.number.get_id())
        return (value.type, number, null)
    if isinstance(value, Ratio):
        return ("ratio", id(value))
    return (type(value), value)
