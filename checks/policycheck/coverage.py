"""Coverage: whether every clause of a policy is accounted for, and whether everything there is of use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from policycheck.errors import Problem
from policycheck.integrity import integrity_policy
from policycheck.policy.compile import compile_whole
from policycheck.policy.cone import Cone, cone_of, parameters_of
from policycheck.policy.model import Clause, Policy
from policycheck.records.model import RecordModel

if TYPE_CHECKING:
    from policycheck.prepare import RecordsInfo
    from policycheck.run import Result


class ClauseCoverage(Struct, frozen=True):
    """How one clause is decided: by rule, attestation, definition or None; with the rules that do it."""

    id: str
    section: str
    decided_by: str | None
    rules: tuple[str, ...]


class Unused(Struct, frozen=True):
    """What no rule of a policy uses; fields are named `relation.field`, and only where the relation is used.

    Keys are always of use; so are the fields that a clause defines, and what the frame, the calendars and the
    checks of the records read.
    """

    relations: tuple[str, ...]
    fields: tuple[str, ...]
    definitions: tuple[str, ...]
    parameters: tuple[str, ...]


class Exercise(Struct, frozen=True):
    """What some records ask of a policy: the rules without any case, and those of which all cases are
    undecided."""

    records: RecordsInfo
    never: tuple[str, ...]
    undecided: tuple[str, ...]


class Coverage(Struct, frozen=True):
    """What a policy covers; `open` are the problems of one that is not finished."""

    policy: Policy
    clauses: tuple[ClauseCoverage, ...]
    stray_rules: tuple[str, ...]
    open: tuple[Problem, ...]
    unused: Unused
    exercise: Exercise | None = None

    @property
    def unaccounted(self) -> tuple[str, ...]:
        """The clauses that nothing decides."""
        return tuple(c.id for c in self.clauses if c.decided_by is None)


def coverage_of(policy: Policy, result: Result | None = None) -> Coverage:
    """The coverage of a policy, which may be unfinished, and with a result also what its records exercise.

    Raises PolicyError when the policy cannot be compiled.
    """
    known = policy.definable()
    return Coverage(
        policy=policy,
        clauses=tuple(
            clause_coverage(policy, clause, section.id, known)
            for section in policy.sections
            for clause in section.clauses
        ),
        stray_rules=tuple(r.id for r in policy.rules.values() if not any(of(r.id, c) for c in r.clauses)),
        open=policy.open,
        unused=unused_in(policy),
        exercise=None if result is None else exercise_of(result),
    )


def of(rule: str, clause: str) -> bool:
    """Whether a rule is named after a clause."""
    return rule == clause or rule.startswith(clause + ".")


def clause_coverage(policy: Policy, clause: Clause, section: str, known: set[str]) -> ClauseCoverage:
    """How a clause is decided. Rules and definitions that are not there do not decide it."""
    rules = tuple(r.id for r in policy.rules.values() if clause.id in r.clauses)
    there = {
        "rule": bool(rules),
        "attestation": True,
        "definition": any(name in known for name in clause.data.get("defines", ())),
        "nothing": False,
    }
    way = clause.decided_by
    return ClauseCoverage(clause.id, section, way if there[way] else None, rules)


def unused_in(policy: Policy) -> Unused:
    """What no rule of a policy uses, directly or through definitions, in the order it was written."""
    compiled = compile_whole(policy)
    names = [name for norm in compiled.norms for name in norm.relations()]
    cone = cone_of(compiled.program, [*names, *([compiled.flaws] if compiled.flaws else [])])
    checks = checks_cone(policy.model)
    others = {*framed(policy.model), *fields_defined(policy)}
    relations = cone.relations | checks.relations | {relation for relation, _ in others}
    columns = cone.columns | checks.columns | others
    parameters = parameters_of(policy, policy.rules, cone.definitions)
    return Unused(
        relations=tuple(name for name in policy.model.relations if name not in relations),
        fields=tuple(
            f"{relation.name}.{name}"
            for relation in policy.model.relations.values()
            for name in relation.fields
            if relation.name in relations
            and name not in relation.key
            and (relation.name, name) not in columns
        ),
        definitions=tuple(name for name in policy.definitions if name not in cone.definitions),
        parameters=tuple(name for name in policy.parameters if name not in parameters),
    )


def checks_cone(model: RecordModel) -> Cone:
    """What the checks of a record model read."""
    compiled = compile_whole(integrity_policy(model))
    return cone_of(compiled.program, [name for norm in compiled.norms for name in norm.relations()])


def framed(model: RecordModel) -> Iterator[tuple[str, str]]:
    """The fields that say which school and term the records are of, and by which days is counted."""
    for frame in (model.frame.school, model.frame.term):
        for key, name in (frame or {}).items():
            if frame is not None and key != "relation":
                yield frame["relation"], name
    for calendar in model.calendars.values():
        yield calendar.relation, calendar.field


def fields_defined(policy: Policy) -> Iterator[tuple[str, str]]:
    """The fields of the records that clauses give their terms by."""
    for clause in policy.clauses():
        for name in clause.data.get("defines", ()):
            relation, dot, field = name.partition(".")
            if dot:
                yield relation, field


def exercise_of(result: Result) -> Exercise:
    """Which rules a run never applied, and which it could nowhere decide."""
    never = tuple(r.id for r in result.rules if not sum(r.cases.values()))
    undecided = tuple(r.id for r in result.rules if r.cases and set(+Counter(r.cases)) == {"undecided"})
    return Exercise(result.records, never, undecided)
