"""Programs as text, so that a failing example can be read."""

from __future__ import annotations

from collections.abc import Iterator

from policycheck_engine import (
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
    Term,
    Var,
)


def term(of: Term) -> str:
    """A term as one would write it."""
    match of:
        case Var(name=name):
            return name
        case Const(value=value):
            return repr(value)
        case Call(function=function, args=args, calendar=calendar):
            inside = ", ".join(term(arg) for arg in args)
            return f"{function}{f'[{calendar}]' if calendar else ''}({inside})"


def body(of: Body) -> str:
    """A body on one line."""
    return ", ".join(literal(one) for one in of) or "true"


def literal(of: Literal) -> str:
    """A literal; one that an unknown satisfies has a question mark."""
    maybe = "" if getattr(of, "sure", True) else "?"
    match of:
        case Atom(relation=relation, args=args):
            return f"{relation}{maybe}(" + ", ".join(f"{name}: {term(t)}" for name, t in args) + ")"
        case Compare(op=op, left=left, right=right):
            return f"{term(left)} {op}{maybe} {term(right)}"
        case Member(term=one, values=values):
            return f"{term(one)} in{maybe} [{', '.join(term(v) for v in values)}]"
        case Bind(var=var, term=one):
            return f"{var.name} := {term(one)}"
        case Not(body=inner):
            return f"not ({body(inner)})"
        case Either(bodies=bodies):
            return "either (" + ") or (".join(body(b) for b in bodies) + ")"
        case Aggregate():
            return aggregate(of)


def aggregate(of: Aggregate) -> str:
    """An aggregate with all that it has."""
    parts = [f"{of.into.name} := {of.kind}"]
    parts += [f" of {', '.join(term(t) for t in of.of)}"] if of.of else []
    parts += [f" weight {term(of.weight)}"] if of.weight is not None else []
    parts += [f" from {term(of.window[0])} to {term(of.window[1])} in {of.unit}"] if of.window else []
    parts += [f" {of.bound}"] if of.bound != "exact" else []
    parts += [f" where ({body(of.body)})"]
    parts += [f" against ({body(of.against)})"] if of.against else []
    return "".join(parts)


def program(of: Program) -> Iterator[str]:
    """The rules, one on each line."""
    for rule in of.rules:
        head = ", ".join(f"{name}: {term(t)}" for name, t in rule.args)
        yield f"{rule.head}({head}) if {body(rule.body)}"
