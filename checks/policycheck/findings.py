"""Findings: what a head teacher can act on, made from what was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct, field
from msgspec.structs import fields, replace
from policycheck_engine import Value
from policycheck_engine.norms import Judged, Judgement, Norm

from policycheck.messages import filled, listed, moment, written
from policycheck.policy.attested import ANSWERS, SIGNED, signers
from policycheck.policy.model import Outcome, Policy, RuleText, Severity
from policycheck.policy.ready import Ready
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


class RecordPlace(Struct, frozen=True):
    """A record that a finding rests on: where it stands in which source."""

    relation: str
    id: str
    source: str
    at: str


class Signature(Struct, frozen=True):
    """A signed answer that counts: the key of the attestation, who signed in which role, and the day."""

    id: str
    answer: str
    by: str
    role: str
    on: str

    def __str__(self) -> str:
        return f"{self.by} ({self.role.replace('_', ' ')}, {moment(self.on)})"


class Finding(Struct, frozen=True):
    """One outcome that is neither met nor not applicable.

    `cases` counts the cases of the subject by outcome; `missing` names what an undecided one lacks.
    `signatures` are the signed answers on file; when it `contradicts` them, its records speak against a yes.
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
    signatures: tuple[Signature, ...] = ()
    contradicts: bool = False
    cases: Mapping[str, int] = field(default_factory=dict)
    order: tuple[int, ...] = ()


class RuleResult(Struct, frozen=True):
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
    ready: Ready, judgements: Sequence[Judgement], tables: Tables, waivers: Sequence[Claim] = ()
) -> tuple[list[RuleResult], list[Finding]]:
    """The result of each rule, and its findings; `waivers` are those that were judged with."""
    maker = _Maker(ready, tables, waivers)
    results, findings = [], []
    for position, judgement in enumerate(judgements):
        rule = ready.policy.rules[judgement.norm.rule]
        outcomes: Counter[str] = Counter({"met": len(judgement.met)}) if judgement.met else Counter()
        for subject in judgement.others:
            outcome = outcome_of(rule, subject)
            if outcome == "undecided" and rule.data.get("contradicts"):
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


def signatures(judged: Judged) -> list[Signature]:
    """The signed answers about the subject of an attested clause, by answer and day."""
    parts = [f"{part.name}_{SIGNED}" for part in fields(Signature)]
    found = {Signature(*(str(row[part]) for part in parts)) for _, row in judged.notes}
    return sorted(found, key=lambda s: (ANSWERS.index(s.answer), s.on, s.by, s.role, s.id))


def answers_in_words(signed: Iterable[Signature]) -> list[str]:
    """Who gave each answer: "yes by T04 (teacher, 15 July 2021)"."""
    return [
        f"{answer.replace('_', ' ')} by {listed([str(s) for s in those])}"
        for answer, those in groupby(signed, key=lambda s: s.answer)
    ]


def signed_in_words(signed: Iterable[Signature]) -> str:
    """The one answer that was signed, or those that differ."""
    answers = answers_in_words(signed)
    return f"The signatures differ, {'; '.join(answers)}" if len(answers) > 1 else f"Signed {answers[0]}"


def unsigned(rule: RuleText, signed: list[Signature]) -> str:
    """Whose signature is wanted, and what is signed already."""
    roles = {s.role for s in signed}
    wanted = signers(group for group in rule.data["groups"] if roles.isdisjoint(group))
    so_far = f"; so far {', '.join(answers_in_words(signed))}" if signed else ""
    return f"no signature of {wanted} that counts is on file (within the term, a yes with evidence){so_far}"


def _named(rule: RuleText, verdict: str) -> str:
    return rule.outcome if verdict == "breach" else verdict


class _Maker:
    def __init__(self, ready: Ready, tables: Tables, waivers: Sequence[Claim]) -> None:
        self.ready, self.tables, self.waivers = ready, tables, waivers
        self.indexes: dict[str, dict[Value, int]] = {}
        self.keys: dict[str, list[int]] = {}
        self.linked: dict[str, Mapping[str, tuple[str, Mapping[Value, int]]]] = {}
        self.constants = ready.values

    def finding(self, rule: RuleText, norm: Norm, judged: Judged, outcome: Outcome, position: int) -> Finding:
        severity: Severity = "minor" if judged.minor and outcome == "breach" else rule.severity
        signed = signatures(judged) if rule.attested else []
        records = list(self.records(norm, judged, signed))
        missing = tuple(self.missing(rule, norm, judged, records, signed)) if outcome == "undecided" else ()
        loudness = (LOUDEST_FIRST.index(outcome), SEVERITIES.index(severity), position)
        return Finding(
            id=finding_id(self.ready.policy, rule.id, judged.subject),
            rule=rule.id,
            clauses=rule.clauses,
            outcome=outcome,
            severity=severity,
            binds=rule.binds,
            subject=judged.subject,
            message=self.message(rule, judged, outcome, missing, signed),
            records=tuple([self.place(relation, index) for relation, index in records]),
            remedy=self.remedy(rule, judged, outcome),
            notes=tuple(dict.fromkeys(self.notes(rule, judged, outcome))),
            missing=missing,
            signatures=tuple(signed),
            contradicts=bool(rule.data.get("contradicts")),
            cases={_named(rule, v): n for v, n in sorted(judged.cases.items())},
            order=loudness,
        )

    def remedy(self, rule: RuleText, judged: Judged, outcome: Outcome) -> str:
        if outcome == "undecided":
            return str(rule.data.get("to_sign", "Record what is missing, then run again."))
        rows = judged.shown or judged.decisive or [judged.subject]
        return filled(str(rule.data.get("remedy", "")), rows, self.constants)

    def notes(self, rule: RuleText, judged: Judged, outcome: Outcome) -> Iterator[str]:
        for i, row in () if rule.attested else judged.notes:
            yield filled(rule.data["notes"][i]["say"], [row], self.constants)
        if outcome != "excused" and judged.accepted:
            yield " ".join(["Part of it is waived.", *self.waived(rule, judged)])

    def waived(self, rule: RuleText, judged: Judged) -> Iterator[str]:
        """Who accepted it, and until when."""
        for w in covering(self.waivers, rule, judged.accepted, self.ready.setting.as_of):
            yield f"Accepted until {moment(str(w.expires))} by {w.approved_by.strip()} (waiver {w.id})."

    def message(
        self,
        rule: RuleText,
        judged: Judged,
        outcome: Outcome,
        missing: tuple[str, ...],
        signed: list[Signature],
    ) -> str:
        if outcome == "undecided":
            subject = ", ".join(f"{k} {v}" for k, v in judged.subject.items() if v is not None)
            about = f" ({subject})" if subject else ""
            return (
                f"The records cannot tell{about}: {'; '.join(missing)}."
                if missing
                else (f"The records cannot tell{about}.")
            )
        constants = {**self.constants, "signatures": signed_in_words(signed)} if signed else self.constants
        text = written(str(rule.data["message"]), judged, constants)
        by_policy = len(judged.decisive) > len(judged.accepted)
        if outcome == "excused" and by_policy and "excuse_note" in rule.data:
            text += " " + written(str(rule.data["excuse_note"]), judged, self.constants)
        if outcome == "excused":
            text += "".join(f" {says}" for says in self.waived(rule, judged))
        if outcome == "explained":
            text += f" Clause {rule.data['explained_by']['clause']} comes first."
        return text

    # The records a finding rests on

    def records(self, norm: Norm, judged: Judged, signed: Iterable[Signature]) -> Iterator[tuple[str, int]]:
        """The rows whose key is a value of the finding's variables, in relations that the rule reads."""
        links = self.links(norm)
        seen: set[tuple[str, int]] = set()
        shown = [] if judged.outcome == "undecided" else judged.shown
        attestations: list[dict[str, Value]] = [{f"id_{SIGNED}": s.id} for s in signed]
        for row in [judged.subject, *shown, *judged.decisive, *attestations]:
            for name in row:
                if name not in links:
                    continue
                relation, rows = links[name]
                index = rows.get(row[name])
                if index is not None and (relation, index) not in seen:
                    seen.add((relation, index))
                    yield relation, index
                    if len(seen) >= RECORDS_SHOWN:
                        return

    def place(self, relation: str, index: int) -> RecordPlace:
        table = self.tables[relation]
        if relation not in self.keys:
            fields = self.ready.policy.model.relations[relation].key
            self.keys[relation] = [table.relation.index(f) for f in fields]
        row = table.rows[index]
        id_ = ",".join([str(row[place]) for place in self.keys[relation]])
        return RecordPlace(relation, id_, table.source, table.places(index))

    def links(self, norm: Norm) -> Mapping[str, tuple[str, Mapping[Value, int]]]:
        """The variables of a norm that identify a row which the rule reads: its relation, and where it is."""
        if norm.rule not in self.linked:
            cone = self.ready.cones[norm.rule]
            domains = {name: r for name, r in cone.domains.items() if r in cone.relations}
            self.linked[norm.rule] = {name: (r, self.index(r)) for name, r in domains.items()}
        return self.linked[norm.rule]

    def index(self, relation: str) -> dict[Value, int]:
        if relation not in self.indexes:
            table: Table = self.tables[relation]
            place = table.relation.index(self.ready.policy.model.relations[relation].key[0])
            self.indexes[relation] = {row[place]: i for i, row in enumerate(table.rows)}
        return self.indexes[relation]

    # What an undecided finding lacks

    def missing(
        self,
        rule: RuleText,
        norm: Norm,
        judged: Judged,
        records: list[tuple[str, int]],
        signed: list[Signature],
    ) -> Iterator[str]:
        """What the records lack: fields of these very rows, or relations, or fields with gaps."""
        cone = self.ready.cones[norm.rule]
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
            yield unsigned(rule, signed)
        if found:
            return
        for relation, name in sorted(cone.columns):
            table = self.tables[relation]
            place = table.relation.index(name)
            gaps = sum(row[place] is None for row in table.rows)
            if gaps:
                yield f"`{name}` of {relation} is not recorded in {gaps:,} row{'s' if gaps > 1 else ''}"
