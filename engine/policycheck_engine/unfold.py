"""Programs in a plainer form, for comparing them.

Simple definitions are written out: an atom of a relation that one rule derives, and that does not need
itself, becomes the body of that rule. A comparison that must not hold becomes the opposite one, and weeks and
years become days and months.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from msgspec.structs import replace

from policycheck_engine.program import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Call,
    Compare,
    Comparison,
    Const,
    Either,
    Literal,
    Member,
    Not,
    Program,
    Rule,
    Term,
    Var,
    names_in,
)
from policycheck_engine.strata import recursive

Substitution = Mapping[str, Term]

DEEPEST = 12
"""So many definitions, one inside the other, are written out."""


def unfolded(program: Program) -> Program:
    """The same program with simple definitions written out wherever they are read."""
    loops = recursive(program)
    simple = {h: rules[0] for h, rules in program.heads.items() if len(rules) == 1 and h not in loops}
    numbers = count()
    rules = []
    for rule in program.rules:
        body = unfolded_body(rule.body, simple, numbers, DEEPEST)
        rules.append(replace(rule, body=tuple(plainer(x) for x in body)))
    return replace(program, rules=tuple(rules))


def unfolded_body(body: Body, simple: Mapping[str, Rule], numbers: Iterator[int], depth: int) -> Body:
    """A body with the definitions in it written out."""
    out: list[Literal] = []
    for literal in body:
        if isinstance(literal, Atom) and literal.relation in simple and depth:
            inner = instance(simple[literal.relation], literal, next(numbers))
            out += unfolded_body(inner, simple, numbers, depth - 1)
        else:
            out.append(within(literal, lambda b: unfolded_body(b, simple, numbers, depth)))
    return tuple(out)


OPPOSITE: dict[Comparison, Comparison] = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

BIGGER = {"add_weeks": ("add_days", 7), "add_years": ("add_months", 12)}


def plainer(literal: Literal) -> Literal:
    """A literal that says the same of the same values, known or not."""
    match within(literal, lambda body: tuple(plainer(x) for x in body)):
        case Not(body=(Compare(op=op, left=left, right=right),)) as outside:
            return Compare(OPPOSITE[op], left, right, origin=outside.origin)
        case Compare() as compare:
            return replace(compare, left=plain_term(compare.left), right=plain_term(compare.right))
        case Bind() as bind:
            return replace(bind, term=plain_term(bind.term))
        case other:
            return other


def plain_term(term: Term) -> Term:
    """A term without weeks and years."""
    if not isinstance(term, Call):
        return term
    args = tuple(plain_term(a) for a in term.args)
    number = args[-1]
    if term.function in BIGGER and isinstance(number, Const) and isinstance(number.value, int):
        name, times = BIGGER[term.function]
        return Call(name, (args[0], Const(number.value * times)), term.calendar, term.origin)
    return replace(term, args=args)


def instance(rule: Rule, atom: Atom, number: int) -> Body:
    """The body of a rule for one atom of its head: its variables are those of the atom, or new ones."""
    asked = dict(atom.args)
    names: dict[str, Term] = {name: Var(f"{name}^{number}") for name in names_in(rule.body)}
    fixed = computed(rule.body)
    extra: list[Literal] = []
    seen: set[str] = set()
    for column, term in rule.args:
        if column not in asked:
            continue
        wanted = asked[column]
        plain = isinstance(term, Var) and term.name not in seen
        if isinstance(term, Var) and plain and (isinstance(wanted, Var) or term.name not in fixed):
            seen.add(term.name)
            names[term.name] = wanted
        else:
            extra.append(equal(wanted, term))
    return (*(substituted(x, names) for x in rule.body), *(equal_under(x, names) for x in extra))


def equal(wanted: Term, term: Term) -> Literal:
    return Bind(wanted, term) if isinstance(wanted, Var) else Compare("=", term, wanted)


def equal_under(literal: Literal, names: Substitution) -> Literal:
    """An equality between the atom's term, which stays, and the rule's, which is renamed."""
    if isinstance(literal, Bind):
        return Bind(literal.var, term_under(literal.term, names))
    assert isinstance(literal, Compare), "see `equal`"
    return replace(literal, left=term_under(literal.left, names))


def computed(body: Body) -> set[str]:
    """The variables of a body that are computed in it, so that a value cannot stand in their place."""
    made = {x.into.name for x in body if isinstance(x, Aggregate)}
    return made | {x.var.name for x in body if isinstance(x, Bind)}


def term_under(term: Term, names: Substitution) -> Term:
    """A term with other terms for some variables."""
    if isinstance(term, Var):
        return names.get(term.name, term)
    if isinstance(term, Const):
        return term
    return Call(term.function, tuple(term_under(a, names) for a in term.args), term.calendar, term.origin)


def var_under(var: Var, names: Substitution) -> Var:
    found = names.get(var.name, var)
    assert isinstance(found, Var), "what is computed stays a variable"
    return found


def substituted(literal: Literal, names: Substitution) -> Literal:
    """A literal with other terms for some variables, in nested bodies too."""

    def of(term: Term) -> Term:
        return term_under(term, names)

    literal = within(literal, lambda body: tuple(substituted(x, names) for x in body))
    match literal:
        case Atom():
            return replace(literal, args=tuple((c, of(t)) for c, t in literal.args))
        case Compare():
            return replace(literal, left=of(literal.left), right=of(literal.right))
        case Member():
            return replace(literal, term=of(literal.term))
        case Bind():
            target = names.get(literal.var.name, literal.var)
            if isinstance(target, Var):
                return replace(literal, var=target, term=of(literal.term))
            return Compare("=", target, of(literal.term), origin=literal.origin)
        case Aggregate():
            window = literal.window and (of(literal.window[0]), of(literal.window[1]))
            return replace(
                literal,
                into=var_under(literal.into, names),
                of=tuple(of(t) for t in literal.of),
                weight=None if literal.weight is None else of(literal.weight),
                window=window,
            )
    return literal


def within(literal: Literal, change: Callable[[Body], Body]) -> Literal:
    """A literal with its nested bodies changed."""
    match literal:
        case Not():
            return replace(literal, body=change(literal.body))
        case Either():
            return replace(literal, bodies=tuple(change(b) for b in literal.bodies))
        case Aggregate():
            return replace(literal, body=change(literal.body), against=change(literal.against))
    return literal
