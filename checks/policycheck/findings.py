"""Findings: what a head teacher can act on, made from what was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct, field
from msgspec.structs import replace
from policycheck_engine import Value, is_nothing
from policycheck_engine.norms import ONE_BREACH, Judged, Judgement, Norm, bounded

from policycheck.messages import COUNTS, NO_MORE, Sentence, Spoken, listed, moment
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

Loudness = tuple[int, int, int]
"""What findings are sorted by: outcome, severity, and the place of the rule in its policy."""


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
) -> tuple[list[RuleResult], dict[Loudness, list[Finding]]]:
    """The result of each rule, and its findings by how loud they are; `waivers` are those that were judged
    with."""
    maker = Maker(ready, tables, waivers)
    results: list[RuleResult] = []
    findings: dict[Loudness, list[Finding]] = {}
    for position, judgement in enumerate(judgements):
        rule = ready.policy.rules[judgement.norm.rule]
        outcomes: Counter[str] = Counter({"met": len(judgement.met)}) if judgement.met else Counter()
        told = [(outcome_of(rule, subject), subject) for subject in judgement.others]
        if rule.data.get("contradicts"):
            told = [(outcome, subject) for outcome, subject in told if outcome != "undecided"]
        if told:
            outcomes.update([outcome for outcome, _ in told])
            teller = Teller(maker, rule, judgement.norm)
            for outcome, subject in told:
                made = teller.finding(subject, outcome)
                loudness = LOUDEST_FIRST.index(outcome), SEVERITIES.index(made.severity), position
                findings.setdefault(loudness, []).append(made)
        cases = {_named(rule, verdict): n for verdict, n in judgement.cases.items()}
        results.append(RuleResult(rule.id, rule.clauses, sum(outcomes.values()), dict(outcomes), cases))
    return results, findings


def worst_first(*parts: Mapping[Loudness, Sequence[Finding]]) -> list[Finding]:
    """The findings of several versions in one order."""
    order = sorted({loudness for part in parts for loudness in part})
    return [finding for loudness in order for part in parts for finding in part.get(loudness, ())]


def without_nothing(subject: Mapping[str, Value]) -> Mapping[str, Value]:
    """A subject with None for nobody as well as for what is unknown."""
    if "" not in subject.values():
        return subject
    return {name: None if is_nothing(value, "text") else value for name, value in subject.items()}


def finding_id(policy: Policy, rule: str, subject: Mapping[str, Value]) -> str:
    """The id of a finding, made of what it is about and not of how it came out."""
    key = ",".join([f"{k}={'?' if v is None else v}" for k, v in subject.items()])
    return f"{policy.id}:{rule}:{key}"


def outcome_of(rule: RuleText, judged: Judged) -> Outcome:
    """A failure is a breach, advice or a missed criterion, as the rule says."""
    return rule.outcome if judged.outcome == "breach" else judged.outcome


def signatures(judged: Judged) -> list[Signature]:
    """The signed answers about the subject of an attested clause, by answer and day."""
    parts = [f"{part}_{SIGNED}" for part in Signature.__struct_fields__]
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


class Maker:
    """What the findings of one version share: its tables, and where rows are in them."""

    def __init__(self, ready: Ready, tables: Tables, waivers: Sequence[Claim]) -> None:
        self.ready, self.tables, self.waivers = ready, tables, waivers
        self.indexes: dict[str, dict[Value, int]] = {}
        self.keys: dict[str, list[int]] = {}
        self.placed: dict[tuple[str, int], RecordPlace] = {}
        self.spoken = Spoken()
        self.constants = ready.values

    def place(self, record: tuple[str, int]) -> RecordPlace:
        """Where a row stands, by its relation and its number."""
        if record not in self.placed:
            relation, index = record
            table = self.tables[relation]
            if relation not in self.keys:
                fields = self.ready.policy.model.relations[relation].key
                self.keys[relation] = [table.relation.index(f) for f in fields]
            row = table.rows[index]
            id_ = ",".join([str(row[place]) for place in self.keys[relation]])
            self.placed[record] = RecordPlace(relation, id_, table.source, table.places(index))
        return self.placed[record]

    def index(self, relation: str) -> dict[Value, int]:
        """The number of each row of a relation by its key."""
        if relation not in self.indexes:
            table: Table = self.tables[relation]
            place = table.relation.index(self.ready.policy.model.relations[relation].key[0])
            self.indexes[relation] = {row[place]: i for i, row in enumerate(table.rows)}
        return self.indexes[relation]


class Teller:
    """Makes the findings of one rule. `links` are the variables that identify a row which the rule reads:
    the row's relation, and the number of each row."""

    def __init__(self, maker: Maker, rule: RuleText, norm: Norm) -> None:
        self.maker, self.rule, self.norm = maker, rule, norm
        self.tables, self.cone = maker.tables, maker.ready.cones[norm.rule]
        read = {name: r for name, r in self.cone.domains.items() if r in self.cone.relations}
        self.links = {name: (relation, maker.index(relation)) for name, relation in read.items()}
        self.counted: dict[tuple[tuple[str, int], ...], Mapping[str, int]] = {}
        fails = maker.ready.basis.outline.names[norm.fails]
        names = [name for name in dict.fromkeys((*norm.subject, *fails)) if name in self.links]
        self.linked = [(fails.index(name), *self.links[name]) for name in names if name in fails]
        constants = {name: value for name, value in maker.constants.items() if name not in COUNTS}
        self.message = Sentence(str(rule.data["message"]), constants)
        self.excuse = Sentence(str(rule.data.get("excuse_note", "")), constants)
        self.advice = Sentence(str(rule.data.get("remedy", "")), maker.constants)
        self.says = [Sentence(note["say"], maker.constants) for note in rule.data.get("notes", ())]
        self.said = [fails.index(name) for name in self.message.names if name in fails]
        self.advised = [fails.index(name) for name in self.advice.names if name in fails]
        whole = (len(self.said), len(self.advised)) == (len(self.message.names), len(self.advice.names))
        self.simple = whole and not bounded(fails)
        self.contradicts = bool(rule.data.get("contradicts"))

    def finding(self, judged: Judged, outcome: Outcome) -> Finding:
        """What is to be said of a subject."""
        if judged.cases is ONE_BREACH and self.simple:
            return self.breach(judged, outcome)
        return self.whole(judged, outcome)

    def whole(self, judged: Judged, outcome: Outcome) -> Finding:
        """What is to be said of any subject."""
        rule, subject = self.rule, judged.subject
        signed = signatures(judged) if rule.attested else []
        records = self.records(judged, signed)
        missing = tuple(self.missing(records, signed)) if outcome == "undecided" else ()
        notes = tuple(dict.fromkeys(self.notes(judged, outcome))) if judged.notes or judged.accepted else ()
        return Finding(
            id=finding_id(self.maker.ready.policy, rule.id, subject),
            rule=rule.id,
            clauses=rule.clauses,
            outcome=outcome,
            severity="minor" if judged.minor and outcome == "breach" else rule.severity,
            binds=rule.binds,
            subject=without_nothing(subject),
            message=self.told(judged, outcome, missing, signed),
            records=tuple([self.maker.place(record) for record in records]),
            remedy=self.remedy(judged, outcome),
            notes=notes,
            missing=missing,
            signatures=tuple(signed),
            contradicts=self.contradicts,
            cases=self.cases(judged),
        )

    def breach(self, judged: Judged, outcome: Outcome) -> Finding:
        """What is to be said of a breach of one case, as most are: what `whole` says, only faster."""
        rule, maker = self.rule, self.maker
        subject = dict(zip(judged.names, judged.key, strict=True))
        rows = [row for _, row in judged.evidence]
        found = {}
        for row in rows:
            for place, relation, numbers in self.linked:
                index = numbers.get(row[place])
                if index is not None:
                    found[relation, index] = maker.place((relation, index))
            if len(found) >= RECORDS_SHOWN:
                break
        return Finding(
            finding_id(maker.ready.policy, rule.id, subject),
            rule.id,
            rule.clauses,
            outcome,
            rule.severity,
            rule.binds,
            without_nothing(subject),
            self.message.of_rows(rows, self.said, maker.spoken),
            tuple(found.values())[:RECORDS_SHOWN],
            self.advice.of_rows(rows, self.advised, maker.spoken),
            contradicts=self.contradicts,
            cases=self.cases(judged),
        )

    def cases(self, judged: Judged) -> Mapping[str, int]:
        """How many cases came out how; most subjects have the same."""
        found = tuple(judged.cases.items())
        if found not in self.counted:
            self.counted[found] = {_named(self.rule, verdict): n for verdict, n in sorted(found)}
        return self.counted[found]

    def remedy(self, judged: Judged, outcome: Outcome) -> str:
        if outcome == "undecided":
            return str(self.rule.data.get("to_sign", "Record what is missing, then run again."))
        return self.advice.of(judged.shown or judged.decisive or [judged.subject])

    def notes(self, judged: Judged, outcome: Outcome) -> Iterator[str]:
        for i, row in () if self.rule.attested else judged.notes:
            yield self.says[i].of([row])
        if outcome != "excused" and judged.accepted:
            yield " ".join(["Part of it is waived.", *self.waived(judged)])

    def waived(self, judged: Judged) -> Iterator[str]:
        """Who accepted it, and until when."""
        as_of = self.maker.ready.setting.as_of
        for w in covering(self.maker.waivers, self.rule, judged.accepted, as_of):
            yield f"Accepted until {moment(str(w.expires))} by {w.approved_by.strip()} (waiver {w.id})."

    def told(
        self, judged: Judged, outcome: Outcome, missing: tuple[str, ...], signed: list[Signature]
    ) -> str:
        """The message."""
        if outcome == "undecided":
            subject = ", ".join(f"{k} {v}" for k, v in judged.subject.items() if v is not None)
            about = f" ({subject})" if subject else ""
            return (
                f"The records cannot tell{about}: {'; '.join(missing)}."
                if missing
                else (f"The records cannot tell{about}.")
            )
        text = self.message.about(judged, {"signatures": signed_in_words(signed)} if signed else NO_MORE)
        by_policy = len(judged.decided) > len(judged.accepted)
        if outcome == "excused" and by_policy and "excuse_note" in self.rule.data:
            text += " " + self.excuse.about(judged)
        if outcome == "excused":
            text += "".join(f" {says}" for says in self.waived(judged))
        if outcome == "explained":
            text += f" Clause {self.rule.data['explained_by']['clause']} comes first."
        return text

    def records(self, judged: Judged, signed: Iterable[Signature]) -> list[tuple[str, int]]:
        """The rows whose key is a value of the finding's variables, in relations that the rule reads."""
        links = self.links
        found: dict[tuple[str, int], None] = {}
        shown = [] if judged.outcome == "undecided" else judged.shown
        attestations: list[dict[str, Value]] = [{f"id_{SIGNED}": s.id} for s in signed]
        for row in [judged.subject, *shown, *judged.decisive, *attestations]:
            for name, value in row.items():
                if name in links:
                    relation, rows = links[name]
                    index = rows.get(value)
                    if index is not None:
                        found[relation, index] = None
            if len(found) >= RECORDS_SHOWN:
                break
        return list(found)[:RECORDS_SHOWN]

    def missing(self, records: list[tuple[str, int]], signed: list[Signature]) -> Iterator[str]:
        """What the records lack: fields of these very rows, or relations, or fields with gaps."""
        cone, found = self.cone, False
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
        if self.norm.unanswered is not None and not found:
            found = True
            yield unsigned(self.rule, signed)
        if found:
            return
        for relation, name in sorted(cone.columns):
            table = self.tables[relation]
            place = table.relation.index(name)
            gaps = sum(row[place] is None for row in table.rows)
            if gaps:
                yield f"`{name}` of {relation} is not recorded in {gaps:,} row{'s' if gaps > 1 else ''}"
