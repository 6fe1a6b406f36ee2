"""A policy engine: Datalog with negation and aggregates, over facts of which some are unknown.

check     types and safety of a program, all problems at once
readings  the three-valued program as a plain one
naive     what a plain program means
duck      the same, for size; memory, for speed; durable, for a second opinion
judge     outcomes of norms from what was derived
"""

from policycheck_engine.check import check
from policycheck_engine.problems import EvaluatorError, Problem, nearest
from policycheck_engine.program import (
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
    Rule,
    Term,
    Var,
)
from policycheck_engine.readings import Split, readings
from policycheck_engine.values import NEVER, NONE, NOTHING, Row, Type, Value, canonical, is_nothing

__all__ = [
    "NEVER",
    "NONE",
    "NOTHING",
    "Aggregate",
    "Atom",
    "Bind",
    "Body",
    "Calendar",
    "Call",
    "Column",
    "Compare",
    "Const",
    "Either",
    "EvaluatorError",
    "Literal",
    "Member",
    "Not",
    "Problem",
    "Program",
    "Relation",
    "Row",
    "Rule",
    "Split",
    "Term",
    "Type",
    "Value",
    "Var",
    "canonical",
    "check",
    "is_nothing",
    "nearest",
    "readings",
]
