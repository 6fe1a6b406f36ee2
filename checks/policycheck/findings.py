"""Findings: what a head teacher can act on, made from what was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from policycheck_engine import Aggregate, Atom, Body, Call, Program, Rule, Term, Value
from policycheck_engine.norms import Judged, Judgement, Norm
from policycheck_engine.program import terms, walk

from policycheck.messages import filled, moment, written
from policycheck.policy.compile import Compiled
from policycheck.policy.model import Outcome, Policy, RuleText, Severity
from policycheck.records.check import Table, Tables
from policycheck.waivers import Claim, covering

SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor")
LOUDEST_FIRST: tuple[Outcome, ...] = (
    "breach",
    "missed",
    "explained",
    "excused",
    "advice",
    "pending",
    "undecided",
)
RECORDS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """A record that a finding rests on: where it stands in which source."""

    relation: str
    id: str
    source: str
    at: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One outcome that is neither met nor not applicable.

    `cases` counts the cases of the subject by outcome; `missing` names what an undecided one lacks.
    """

    id: str
    rule: str
    clauses: tuple[str, ...]
    outcome: Outcome
    severity: Severity
    binds: tuple[str, ...]
    subject: Mapping[str, Value]
    message: str
    records: tuple[RecordPlace, ...]
    remedy: str
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    cases: Mapping[str, int] = field(default_factory=dict)
    order: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What came of one rule: the subjects and the cases it applied to, by outcome."""

    id: str
    clauses: tuple[str, ...]
    applied: int
    outcomes: Mapping[str, int]
    cases: Mapping[str, int]

    def plus(self, other: RuleResult) -> RuleResult:
        """This result and that of another version of the rule, added up."""
        return replace(
            self,
            applied=self.applied + other.applied,
            outcomes=dict(Counter(self.outcomes) + Counter(other.outcomes)),
            cases=dict(Counter(self.cases) + Counter(other.cases)),
        )


def findings_of(
    compiled: Compiled, judgements: Sequence[Judgement], tables: Tables, waivers: Sequence[Claim] = ()
) -> tuple[list[RuleResult], list[Finding]]:
    """The result of each rule, and its findings; `waivers` are those that were judged with."""
    maker = _Maker(compiled, tables, waivers)
    results, findings = [], []
    for position, judgement in enumerate(judgements):
        rule = compiled.policy.rules[judgement.norm.rule]
        outcomes: Counter[str] = Counter({"met": len(judgement.met)}) if judgement.met else Counter()
        for subject in judgement.others:
            outcome = outcome_of(rule, subject)
            if outcome == "undecided" and rule.data.get("quiet"):
                continue
            outcomes[outcome] += 1
            findings.append(maker.finding(rule, judgement.norm, subject, outcome, position))
        cases = {_named(rule, verdict): n for verdict, n in judgement.cases.items()}
        results.append(RuleResult(rule.id, rule.clauses, sum(outcomes.values()), dict(outcomes), cases))
    return results, findings


def finding_id(policy: Policy, rule: str, subject: Mapping[str, Value]) -> str:
    """The id of a finding, made of what it is about and not of how it came out."""
    key = ",".join(f"{k}={'?' if v is None else v}" for k, v in subject.items())
    return f"{policy.id}:{rule}:{key}"


def outcome_of(rule: RuleText, judged: Judged) -> Outcome:
    """A failure is a breach, advice or a missed criterion, as the rule says."""
    return rule.outcome if judged.outcome == "breach" else judged.outcome


def _named(rule: RuleText, verdict: str) -> str:
    return rule.outcome if verdict == "breach" else verdict


class _Maker:
    def __init__(self, compiled: Compiled, tables: Tables, waivers: Sequence[Claim]) -> None:
        self.compiled, self.tables, self.waivers = compiled, tables, waivers
        self.cones: dict[str, Cone] = {}
        self.indexes: dict[str, dict[Value, int]] = {}
        self.constants = compiled.values

    def finding(self, rule: RuleText, norm: Norm, judged: Judged, outcome: Outcome, position: int) -> Finding:
        policy = self.compiled.policy
        severity: Severity = "minor" if judged.minor and outcome == "breach" else rule.severity
        records = list(self.records(norm, judged))
        missing = tuple(self.missing(norm, judged, records)) if outcome == "undecided" else ()
        loudness = (LOUDEST_FIRST.index(outcome), SEVERITIES.index(severity), position)
        return Finding(
            id=finding_id(policy, rule.id, judged.subject),
            rule=rule.id,
            clauses=rule.clauses,
            outcome=outcome,
            severity=severity,
            binds=rule.binds,
            subject=judged.subject,
            message=self.message(rule, norm, judged, outcome, missing),
            records=tuple(
                RecordPlace(r, self.key(r, i), self.tables[r].source, self.tables[r].places(i))
                for r, i in records
            ),
            remedy=self.remedy(rule, judged, outcome),
            notes=tuple(dict.fromkeys(self.notes(rule, judged, outcome))),
            missing=missing,
            cases={_named(rule, v): n for v, n in sorted(judged.cases.items())},
            order=loudness,
        )

    def remedy(self, rule: RuleText, judged: Judged, outcome: Outcome) -> str:
        if outcome == "undecided" and not rule.attested:
            return "Record what is missing, then run again."
        rows = judged.shown or judged.decisive or [judged.subject]
        return filled(str(rule.data.get("remedy", "")), rows, self.constants)

    def message(
        self, rule: RuleText, norm: Norm, judged: Judged, outcome: Outcome, missing: tuple[str, ...]
    ) -> str:
        if outcome == "undecided":
            subject = ", ".join(f"{k} {v}" for k, v in judged.subject.items() if v is not None)
            about = f" ({subject})" if subject else ""
            return (
                f"The records cannot tell{about}: {'; '.join(missing)}."
                if missing
                else (f"The records cannot tell{about}.")
            )
        text = written(str(rule.data["message"]), judged, self.constants)
        by_policy = len(judged.decisive) > len(judged.accepted)
        if outcome == "excused" and by_policy and "excuse_note" in rule.data:
            text += " " + written(str(rule.data["excuse_note"]), judged, self.constants)
        if outcome == "excused":
            text += "".join(f" {says}" for says in self.waived(rule, judged))
        if outcome == "explained":
            text += f" Clause {rule.data['explained_by']['clause']} comes first."
        return text

    def notes(self, rule: RuleText, judged: Judged, outcome: Outcome) -> Iterator[str]:
        for i, row in judged.notes:
            yield filled(rule.data["notes"][i]["say"], [row], self.constants)
        if outcome != "excused" and judged.accepted:
            yield " ".join(["Part of it is waived.", *self.waived(rule, judged)])

    def waived(self, rule: RuleText, judged: Judged) -> Iterator[str]:
        """Who accepted it, and until when."""
        for w in covering(self.waivers, rule, judged.accepted, self.constants.get("as_of")):
            yield f"Accepted until {moment(str(w.expires))} by {w.approved_by.strip()} (waiver {w.id})."

    # The records a finding rests on

    def records(self, norm: Norm, judged: Judged) -> Iterator[tuple[str, int]]:
        """The rows whose key is a value of the finding's variables, in relations that the rule reads."""
        domains = self.domains(norm)
        cone = self.cone(norm)
        seen: set[tuple[str, int]] = set()
        shown = [] if judged.outcome == "undecided" else judged.shown
        for row in [judged.subject, *shown, *judged.decisive]:
            for name, value in row.items():
                relation = domains.get(name)
                if relation is None or relation not in cone.relations or value is None:
                    continue
                index = self.index(relation).get(value)
                if index is not None and (relation, index) not in seen:
                    seen.add((relation, index))
                    yield relation, index
                    if len(seen) >= RECORDS_SHOWN:
                        return

    def key(self, relation: str, index: int) -> str:
        table = self.tables[relation]
        fields = self.compiled.policy.model.relations[relation].key
        return ",".join(str(table.rows[index][table.relation.index(f)]) for f in fields)

    def domains(self, norm: Norm) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in norm.relations():
            relation = self.compiled.program.relations[name]
            found |= {c.name: c.domain for c in relation.columns if c.domain}
        return found

    def index(self, relation: str) -> dict[Value, int]:
        if relation not in self.indexes:
            table: Table = self.tables[relation]
            place = table.relation.index(self.compiled.policy.model.relations[relation].key[0])
            self.indexes[relation] = {row[place]: i for i, row in enumerate(table.rows)}
        return self.indexes[relation]

    # What an undecided finding lacks

    def missing(self, norm: Norm, judged: Judged, records: list[tuple[str, int]]) -> Iterator[str]:
        """What the records lack: fields of these very rows, or relations, or fields with gaps."""
        cone = self.cone(norm)
        found = False
        for relation, index in records:
            table = self.tables[relation]
            row = table.rows[index]
            for name, value in zip(table.relation.names, row, strict=True):
                if value is None and (relation, name) in cone.columns:
                    found = True
                    yield f"`{name}` of {relation} at {table.places(index)} is not recorded"
        for relation in sorted(cone.relations):
            table = self.tables[relation]
            if table.relation.missing:
                found = True
                yield f"the records have no `{relation}`"
            elif table.doubtful:
                found = True
                yield f"rows of `{relation}` were left out"
        if norm.unanswered is not None and not found:
            found = True
            yield "no signature that counts is on file (right role, within the term, with evidence)"
        if found:
            return
        for relation, name in sorted(cone.columns):
            table = self.tables[relation]
            place = table.relation.index(name)
            gaps = sum(row[place] is None for row in table.rows)
            if gaps:
                yield f"`{name}` of {relation} is not recorded in {gaps:,} row{'s' if gaps > 1 else ''}"

    def cone(self, norm: Norm) -> Cone:
        if norm.rule not in self.cones:
            self.cones[norm.rule] = cone_of(self.compiled.program, norm)
        return self.cones[norm.rule]


@dataclass(frozen=True, slots=True)
class Cone:
    """The base relations that a rule reads, directly or through definitions, and the fields of them."""

    relations: frozenset[str]
    columns: frozenset[tuple[str, str]]


def cone_of(program: Program, norm: Norm) -> Cone:
    """What a norm rests on."""
    heads = program.heads
    queue, seen = list(norm.relations()), set(norm.relations())
    relations: set[str] = set()
    columns: set[tuple[str, str]] = set()
    while queue:
        name = queue.pop()
        for rule in heads.get(name, ()):
            relations |= {program.calendars[c].relation for c in calendars_in(rule)}
            for atom in _atoms(rule.body):
                if atom.relation not in heads:
                    relations.add(atom.relation)
                    columns |= {(atom.relation, column) for column, _ in atom.args}
                elif atom.relation not in seen:
                    seen.add(atom.relation)
                    queue.append(atom.relation)
    return Cone(frozenset(relations), frozenset(columns))


def calendars_in(rule: Rule) -> Iterator[str]:
    """The calendars that a rule counts by."""
    for literal in walk(rule.body):
        if isinstance(literal, Aggregate) and literal.unit not in (None, "days", "weeks"):
            yield str(literal.unit)
        for term in terms(literal):
            yield from calendars_of(term)


def calendars_of(term: Term) -> Iterator[str]:
    """The calendars that a term counts by."""
    if isinstance(term, Call):
        if term.calendar is not None:
            yield term.calendar
        for arg in term.args:
            yield from calendars_of(arg)


def _atoms(body: Body) -> Iterator[Atom]:
    for literal in walk(body):
        if isinstance(literal, Atom):
            yield literal
