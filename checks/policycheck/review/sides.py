"""One rule of one version, asked about small records: whom does it find in breach?

The records are a term file as data; they are checked as `policycheck run` checks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, field
from policycheck_engine import Program, Relation, Row, readings
from policycheck_engine.memory import Step, World, counted_by, no_collection, steps
from policycheck_engine.norms import Judged, Judgement, Norm, judge
from policycheck_engine.readings import Split
from policycheck_engine.strata import needed

from policycheck.engines import evaluator, rows_by_relation
from policycheck.errors import Problem, ProblemsError
from policycheck.findings import Finding, findings_of, worst_first
from policycheck.integrity import integrity_policy, integrity_problems
from policycheck.policy.compile import Compiled, compile_policy
from policycheck.policy.cone import Cone, cones_of
from policycheck.policy.model import Policy, Setting
from policycheck.policy.ready import ready_of
from policycheck.prepare import records_info
from policycheck.records.check import Tables, check_records
from policycheck.records.model import RecordModel
from policycheck.records.read import tables_of

Records = dict[str, list[dict[str, Any]]]
"""A term file as data: rows by relation, each a mapping of fields to JSON values."""

Subject = Row
"""The values of a subject's variables, in their order."""


class Small(Struct, frozen=True):
    """Small records as tables, with the day up to which they are judged."""

    tables: Tables
    as_of: str | None


def small(records: Records, model: RecordModel, as_of: str | None = None) -> Small | None:
    """The tables of records judged up to a day, or else to the end of their term; None when something is
    wrong with them. The checks of the record model are left out: see `Checks`."""
    try:
        raw, problems = tables_of(records, "", model)
    except ProblemsError:
        return None
    tables, found = check_records(raw, model)
    if problems or found:
        return None
    info = records_info(raw, tables, model, as_of, None, [])
    return Small(tables, info.as_of)


class Asked(Struct):
    """A compiled rule with the part of the plain program that its norm needs, and that as steps of the
    evaluator in memory, once they were taken, by about how many rows there were."""

    compiled: Compiled
    split: Split
    program: Program
    wanted: list[str]
    taken: dict[int, list[Step]] = field(default_factory=dict)

    def in_memory(self, rows: Mapping[str, list[Row]]) -> dict[str, set[Row]]:
        """The facts of the wanted relations, by the evaluator in memory."""
        scale = sum(map(len, rows.values())).bit_length()
        with no_collection():
            world = World(counted_by(self.program), rows)
            if scale in self.taken:
                for step in self.taken[scale]:
                    world.take(step)
            else:
                self.taken[scale] = steps(self.program, self.wanted, world)
            return world.only(self.wanted)


class Side:
    """A rule of a policy (or several), compiled for whatever records come.

    `first_day` is the day from which dated cases are judged; `as_of` counts where the records have no term;
    `parameters` are values instead of those of the policy.
    """

    def __init__(
        self,
        policy: Policy,
        rules: Iterable[str],
        first_day: str | None = None,
        as_of: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.policy, self.rules, self.first_day = policy, list(rules), first_day
        self.parameters = dict(parameters or {})
        self.as_of = as_of or policy.scene.get("as_of", "2000-01-01")
        self.known: dict[object, Asked] = {}

    @cached_property
    def plain(self) -> Compiled:
        """The rules over records without gaps."""
        return compile_policy(self.policy, plain_base(self.policy.model), self.setting(None), self.rules)

    @cached_property
    def cone(self) -> Cone:
        """The relations and fields that the rules read."""
        cones = cones_of(self.plain.program, self.plain.norms).values()
        return Cone(
            frozenset().union(*(c.relations for c in cones)),
            frozenset().union(*(c.columns for c in cones)),
            frozenset().union(*(c.definitions for c in cones)),
            {name: domain for c in cones for name, domain in c.domains.items()},
        )

    def setting(self, as_of: str | None) -> Setting:
        return Setting(as_of or self.as_of, self.parameters, self.first_day)

    def asked(self, records: Small) -> Asked:
        """The program for records with these gaps; compiled once."""
        base = {name: table.relation for name, table in records.tables.items()}
        key = (records.as_of, tuple(base[name] for name in sorted(self.cone.relations)))
        if key not in self.known:
            compiled = compile_policy(self.policy, base, self.setting(records.as_of), self.rules)
            split = readings(compiled.program)
            names = dict.fromkeys(name for norm in compiled.norms for name in norm.relations())
            wanted = list(dict.fromkeys(split.reading(n, sure) for n in names for sure in (True, False)))
            self.known[key] = Asked(compiled, split, needed(split.program, wanted), wanted)
        return self.known[key]

    def judged(self, records: Small, engine: str = "memory") -> list[Judgement]:
        """What each rule's norm makes of the records."""
        asked = self.asked(records)
        rows = rows_by_relation(records.tables, asked.program.relations)
        if engine == "memory":
            facts = asked.in_memory(rows)
        else:
            facts = evaluator(engine)(asked.program, rows, asked.wanted)
        outline = asked.split.outline(tuple(asked.wanted))
        return [judge(norm, outline, facts) for norm in asked.compiled.norms]

    def failing(self, records: Small, engine: str = "memory") -> frozenset[Subject]:
        """The subjects that the first rule finds in breach (or for which it has advice, or a criterion
        is missed)."""
        return failing(self.judged(records, engine)[0])

    def findings(self, records: Small) -> list[Finding]:
        """The findings of the rules."""
        asked = self.asked(records)
        ready = ready_of(asked.compiled, self.setting(records.as_of))
        return worst_first(findings_of(ready, self.judged(records), records.tables)[1])

    @property
    def norm(self) -> Norm:
        """The norm of the first rule."""
        return self.plain.norms[0]

    @cached_property
    def shape(self) -> tuple[object, ...]:
        """What kind of thing the subject is: two rules of one shape can be compared by subject."""
        case = self.plain.program.relations[self.norm.case]
        columns = [case.columns[case.index(name)] for name in self.norm.subject]
        return tuple((c.type, c.domain) for c in columns)


def failing(judgement: Judgement) -> frozenset[Subject]:
    """The subjects that fail."""
    return frozenset(subject_of(j) for j in judgement.others if j.outcome == "breach")


def subject_of(judged: Judged) -> Subject:
    """The values of a subject, in their order."""
    return judged.key


def plain_base(model: RecordModel) -> dict[str, Relation]:
    """The relations of a record model, without gaps."""
    return {
        name: Relation(name, tuple(model.column(name, f, False) for f in relation.fields))
        for name, relation in model.relations.items()
    }


class Checks:
    """The checks of a record model, compiled for whatever records come."""

    def __init__(self, model: RecordModel) -> None:
        self.policy = integrity_policy(model)
        self.side = Side(self.policy, self.policy.rules)

    @cached_property
    def sides(self) -> list[Side]:
        """Each check by itself."""
        return [Side(self.policy, [rule]) for rule in self.policy.rules]

    def problems(self, records: Small) -> list[Problem]:
        """What is wrong with records that can be read."""
        if not self.policy.rules:
            return []
        return list(integrity_problems(self.policy, self.side.judged(records), records.tables))


def fields_in(cones: Iterable[Cone]) -> Mapping[str, set[str]]:
    """The fields that cones read, by relation; a relation that is only counted has none."""
    out: dict[str, set[str]] = {}
    for cone in cones:
        for relation in cone.relations:
            out.setdefault(relation, set())
        for relation, name in cone.columns:
            out.setdefault(relation, set()).add(name)
    return out
