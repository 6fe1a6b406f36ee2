"""A norm's breaches as a derived relation: what `norms.judge` finds, said in rules.

So two norms can be compared by comparing what two programs derive. With facts that are all known the two
agree exactly; with unknowns the relation's certain reading is what is a breach for certain, but for norms
that count cases (`share`, `allow`), where it may miss some.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from policycheck_engine.norms import Norm
from policycheck_engine.program import (
    Aggregate,
    Atom,
    Body,
    Call,
    Column,
    Compare,
    Const,
    Not,
    Program,
    Relation,
    Rule,
    Term,
    Var,
    names_in,
)

BREACH = "breach:"
"""The relation of subjects that fail; its columns are `subject1`, `subject2`, ..., in the norm's order."""

MET = "met:"
"""The relation of subjects that have a case, and none that fails; no more fail than the norm bears."""

APPLIES = "applies:"
"""The relation of subjects that have a case."""

WRONG = "wrong:"


def judged(program: Program, norm: Norm, by_subject: bool = True, mark: str = "") -> Program:
    """A checked program with the relations `breach:`, `met:` and `applies:` of one norm; without columns,
    when it does not matter of which subject. `mark` is put behind their names."""
    columns = args(norm.columns)
    case, fails = Atom(norm.case, columns), Atom(norm.fails, columns)
    milder = (norm.pending, norm.excused, norm.explained, norm.unanswered)
    excused = tuple(Not(milder_when(program, norm, name)) for name in milder if name is not None)
    subject = (
        tuple((f"subject{i + 1}", Var(name)) for i, name in enumerate(norm.subject)) if by_subject else ()
    )
    own = args(norm.subject)
    body: Body = (fails, *excused)
    rules = [Rule(APPLIES + mark, subject, (case,))]
    failing: Body = (Atom(norm.fails, own),)
    if norm.share is not None or norm.allow:
        rules.append(Rule(WRONG + mark, columns, body))
        body = failing = (Atom(WRONG + mark, own), *too_many(norm, WRONG + mark))
    rules += [Rule(BREACH + mark, subject, body), Rule(MET + mark, subject, (case, Not(failing)))]
    typed = program.relations[norm.case]
    relations = {rule.head: Relation(rule.head, tuple(columns_like(rule, typed))) for rule in rules}
    return replace(program, relations={**program.relations, **relations}, rules=(*program.rules, *rules))


def columns_like(rule: Rule, case: Relation) -> Iterator[Column]:
    """The columns of a head whose variables are columns of the cases."""
    for name, term in rule.args:
        assert isinstance(term, Var), "subjects are variables"
        yield replace(case.columns[case.index(term.name)], name=name)


def milder_when(program: Program, norm: Norm, name: str) -> Body:
    """When a failure of the norm is not a breach. That it is a failure is known by then; where nothing else
    is asked of what shows it, it is left out, so that less has to be compared."""
    (rule,) = program.heads[name]
    fails = [x for x in rule.body if isinstance(x, Atom) and x.relation == norm.fails]
    rest = tuple(x for x in rule.body if x not in fails)
    evidence = {c for c, _ in fails[0].args if c not in norm.columns} if fails else set()
    if not fails or evidence & names_in(rest):
        return (Atom(name, args(norm.columns)),)
    return rest


def too_many(norm: Norm, wrong: str) -> Body:
    """More cases of the subject fail than the norm bears."""
    failed, total = Var("~failed"), Var("~total")
    rest = {name: Var(f"~{name}") for name in norm.columns if name not in norm.subject}
    columns = tuple((name, rest.get(name, Var(name))) for name in norm.columns)
    of = tuple(term for _, term in columns)
    count = Aggregate("count", failed, (Atom(wrong, columns),), of=of)
    if norm.share is None:
        return (count, Compare(">", failed, Const(norm.allow)))
    waiting = () if norm.pending is None else (Not((Atom(norm.pending, columns),)),)
    every = Aggregate("count", total, (Atom(norm.case, columns), *waiting), of=of)
    borne = Call("times", (Const(norm.share), total))
    return (count, every, Compare("<", Call("minus", (total, failed)), borne))


def args(names: tuple[str, ...]) -> tuple[tuple[str, Term], ...]:
    """Columns named like the variables in them."""
    return tuple((name, Var(name)) for name in names)
