"""The register of a run: every waiver and every exception on file, with what it does in this run.

Each is held against the cases of the rules it names, as they were judged. So what the policy's own rules
made of an exception is told from outside, whatever the policy asks of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field
from policycheck_engine import NEVER, Value, nearest
from policycheck_engine.norms import Case, Facts, Judgement, Norm, Verdict, cases

from policycheck.findings import finding_id
from policycheck.messages import moment
from policycheck.policy.attested import clause_names
from policycheck.policy.model import Policy
from policycheck.policy.ready import Ready
from policycheck.records.check import Tables
from policycheck.records.model import RecordModel, RelationModel
from policycheck.spans import Standing, standing
from policycheck.waivers import Claim, Flaw, Status, covers, day_of, known, names


class Entry(Struct, frozen=True):
    """A claim with what it does in this run: a sentence, what to do, and the findings that it excuses."""

    claim: Claim
    status: Status
    says: str
    to_do: str = ""
    findings: tuple[str, ...] = ()


class Judging(Struct, frozen=True):
    """A version of a policy that was made ready, the facts it gave, and what its norms made of them."""

    ready: Ready
    facts: Facts
    judgements: Sequence[Judgement]


class Seen(Struct, frozen=True):
    """A case that a claim names: its finding, if any; its verdict; what the claim's span is on its day.

    `excused` says that the claim excuses it, and `whole` that nothing of its finding is left a breach.
    """

    finding: str
    verdict: Verdict
    standing: Standing
    excused: bool
    whole: bool


class Evidence(Struct):
    """What was seen of a claim: whether rules it names were judged, whether they know exceptions at all,
    the cases it names, and what the policy says is wrong with it."""

    judged: bool = False
    known: bool = False
    seen: list[Seen] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)


Named = tuple[Claim, Evidence]


def register(waivers: Iterable[Claim], judgings: Sequence[Judging], tables: Tables) -> tuple[Entry, ...]:
    """An entry for each waiver and each exception on file, in the order they were written.

    `judgings` has the versions of the policy, the newest last.
    """
    claims = [*waivers, *exceptions_in(tables, [j.ready.policy for j in judgings])]
    found = [Evidence() for _ in claims]
    for judging in judgings:
        _Watch(judging, claims, found).watch()
    day = judgings[-1].ready.setting.as_of
    return tuple(entry(claim, evidence, day) for claim, evidence in zip(claims, found, strict=True))


# Exceptions on file


def exceptions_in(tables: Tables, policies: Sequence[Policy]) -> Iterator[Claim]:
    """The rows of all relations whose rows claim exceptions."""
    model = policies[-1].model
    for relation in model.relations.values():
        if relation.exception is not None:
            table = tables[relation.name]
            for i, row in enumerate(table.rows):
                values = dict(zip(table.relation.names, row, strict=True))
                yield exception(values, relation, model, policies, table.source, table.places(i))


def exception(
    values: Mapping[str, Value],
    relation: RelationModel,
    model: RecordModel,
    policies: Sequence[Policy],
    source: str,
    at: str,
) -> Claim:
    """One row as a claim."""
    marks = relation.exception
    assert marks is not None

    def text(name: str | None, default: str = "") -> str:
        return default if name is None or values[name] is None else str(values[name])

    target = str(relation.fields[marks.row].to).partition(".")[0]
    clause = text(marks.clause)
    rules = rules_of(clause, policies) if marks.clause else rules_with_excuses(policies)
    return Claim(
        kind="exception",
        id=text(relation.key[0]),
        to=clause,
        rules=frozenset(rules),
        subject={text(marks.relation, target): values[marks.row]},
        reason=text(marks.reason),
        approved_by=text(marks.approved_by),
        starts=text(marks.starts),
        expires=text(marks.ends, NEVER["date"]),
        source=source,
        at=at,
        relation=relation.name,
        flaws=() if rules else (no_such_clause(clause, policies),),
    )


def rules_of(clause: str, policies: Sequence[Policy]) -> list[str]:
    """The rules that judge a clause, which records may write with its school before it."""
    return [
        rule.id
        for policy in policies
        for rule in policy.rules.values()
        if any(clause in clause_names(c, policy.school or "") for c in rule.clauses)
    ]


def rules_with_excuses(policies: Sequence[Policy]) -> list[str]:
    """The rules that know anything that excuses."""
    return [rule.id for policy in policies for rule in policy.rules.values() if "excuse" in rule.data]


def no_such_clause(clause: str, policies: Sequence[Policy]) -> Flaw:
    """Why an exception to that clause changes nothing."""
    known = {name: c.id for p in policies for c in p.clauses() for name in clause_names(c.id, p.school or "")}
    if clause in known:
        return Flaw("not valid", f"no rule judges the clause `{known[clause]}`")
    hint = nearest(clause.rpartition("/")[2], known.values())
    return Flaw("not valid", f"there is no clause `{clause}` in this policy" + (f"; {hint}" if hint else ""))


# What was judged of the cases that a claim names


class _Watch:
    """Gathers the evidence on claims in one version of the policy."""

    def __init__(self, judging: Judging, claims: Sequence[Claim], found: Sequence[Evidence]) -> None:
        self.judging, self.ready, self.as_of = judging, judging.ready, judging.ready.setting.as_of
        self.by_rule: dict[str, list[Named]] = {}
        for claim, evidence in zip(claims, found, strict=True):
            for rule in claim.rules:
                self.by_rule.setdefault(rule, []).append((claim, evidence))

    def watch(self) -> None:
        for judgement in self.judging.judgements:
            claims = self.by_rule.get(judgement.norm.rule, [])
            if claims:
                self.rule(judgement, claims)
        if self.ready.basis.flaws is not None:
            self.flaws(*self.ready.basis.flaws)

    def flaws(self, relation: str, exceptions: str) -> None:
        """What the policy itself says is wrong with exceptions, for certain."""
        said = sorted(self.judging.facts[relation], key=str)
        told = {id(e): (c, e) for claims in self.by_rule.values() for c, e in claims}
        for claim, evidence in told.values():
            if claim.relation == exceptions:
                flaws = [str(says) for key, says in said if key == claim.id]
                evidence.flaws += [says for says in flaws if says not in evidence.flaws]

    def rule(self, judgement: Judgement, claims: list[Named]) -> None:
        norm = judgement.norm
        keys: dict[str, list[str]] = {}
        for claim, evidence in claims:
            evidence.judged = True
            if norm.excused is not None and claim.relation not in keys:
                keys[claim.relation] = self.ready.columns(norm, norm.excused, claim.relation)
            evidence.known |= claim.kind == "waiver" or bool(keys.get(claim.relation))
        outcomes = _Outcomes(self.ready.policy, judgement)
        naming = _Naming(self.ready, norm, claims)
        for case in cases(norm, self.ready.basis.outline, self.judging.facts, naming.among()):
            for claim, evidence, mine in naming.of(case.values):
                evidence.seen.append(self.seen(claim, mine, case, outcomes, keys.get(claim.relation, [])))

    def seen(
        self, claim: Claim, mine: bool | None, case: Case, outcomes: _Outcomes, keys: Sequence[str]
    ) -> Seen:
        """What a claim does to a case that it names, or may name (`mine` is None)."""
        rule = self.ready.policy.rules[outcomes.norm.rule]
        day = day_of(rule, case.values, self.as_of)
        finding, outcome, accepted = outcomes.of(case)
        if mine is None or day is None:
            return Seen(finding, "undecided", "holds", False, False)
        if claim.kind == "waiver":
            excused = accepted and covers(claim, rule, case.values, self.as_of)
        else:
            rows = case.excuses if case.verdict == "excused" else ()
            excused = any(row.get(key) == claim.id for row in rows for key in keys)
        # a failure that the rule bears is none
        verdict = outcome if case.verdict == "breach" and not accepted else case.verdict
        on = standing(claim.starts, claim.expires, day)
        return Seen(finding, verdict, on, excused, outcome != "breach")


class _Naming:
    """Finds the claims that name a case: waivers by its variables, exceptions by the rows it is about."""

    def __init__(self, ready: Ready, norm: Norm, claims: Iterable[Named]) -> None:
        self.waivers: list[Named] = []
        self.by_row: dict[str, dict[Value, list[Named]]] = {}
        for claim, evidence in claims:
            if claim.kind == "waiver":
                self.waivers.append((claim, evidence))
            else:
                ((relation, key),) = claim.subject.items()
                self.by_row.setdefault(relation, {}).setdefault(key, []).append((claim, evidence))
        self.columns = [(r, c) for r in self.by_row for c in ready.columns(norm, norm.case, r)]

    def among(self) -> dict[str, Collection[Value]] | None:
        """The values of which a case must have one in one of these columns to be named at all; None where it
        takes more to tell."""
        return None if self.waivers else {column: self.by_row[relation] for relation, column in self.columns}

    def of(self, case: Mapping[str, Value]) -> Iterator[tuple[Claim, Evidence, bool | None]]:
        """The claims that name a case; None beside one that does if an unknown value is what it names."""
        for claim, evidence in self.waivers:
            mine = names(claim, case)
            if mine is not False:
                yield claim, evidence, mine
        for relation, column in self.columns:
            rows, value = self.by_row[relation], known(case, column)
            if value is not None:
                yield from ((claim, evidence, True) for claim, evidence in rows.get(value, ()))
            else:
                yield from ((claim, evidence, None) for named in rows.values() for claim, evidence in named)


class _Outcomes:
    """The outcomes of one judgement's subjects, by the cases behind them."""

    def __init__(self, policy: Policy, judgement: Judgement) -> None:
        self.policy, self.norm = policy, judgement.norm
        self.others = {j.key: j for j in judgement.others}

    def of(self, case: Case) -> tuple[str, Verdict, bool]:
        """The id of a case's finding, if it has one; the outcome; and whether its failure was accepted."""
        judged = self.others.get(tuple(case.values.get(name) for name in self.norm.subject))
        if judged is None:
            return "", "met", False
        finding = finding_id(self.policy, self.norm.rule, judged.subject)
        return finding, judged.outcome, case.values in judged.accepted


# What it comes to


def entry(claim: Claim, evidence: Evidence, as_of: str | None) -> Entry:
    """What a claim does in this run, in the order of what matters most."""
    excused = [s for s in evidence.seen if s.excused]
    if excused:
        return excusing(claim, excused, as_of)
    flaws = [*claim.flaws, *(Flaw("not valid", says) for says in evidence.flaws)]
    if flaws:
        return unfit(claim, flaws)
    if not evidence.judged:
        return Entry(claim, "nothing", "Its rule was not judged in this run.")
    if not evidence.known:
        says = f"The policy knows no exception to {claim.to or 'this'}."
        return Entry(claim, "not valid", says, "Remove it; a waiver of the school would be another matter.")
    return unused(claim, evidence.seen)


def excusing(claim: Claim, excused: list[Seen], as_of: str | None) -> Entry:
    """The entry of a claim that excuses something."""
    findings = tuple(dict.fromkeys(s.finding for s in excused))
    parts = len({s.finding for s in excused if not s.whole})
    many = f"{len(findings):,} finding{'s' if len(findings) > 1 else ''}"
    says = f"Without it there would be {many} more."
    if parts:
        left = "1 is a breach" if parts == 1 else f"{parts:,} are breaches"
        says = f"It covers cases of {many}, of which {left} all the same, for other cases."
    runs = claim.kind == "waiver" and standing(claim.starts, claim.expires, as_of or "") == "holds"
    to_do = f"Put it right by {moment(str(claim.expires))}, or decide again." if runs else ""
    return Entry(claim, "excuses", says, to_do, findings)


def unfit(claim: Claim, flaws: list[Flaw]) -> Entry:
    """The entry of a claim that changes nothing, because of what is wrong with it."""
    order: tuple[Status, ...] = ("not valid", "expired", "not started")
    status = min((flaw.status for flaw in flaws), key=order.index)
    said = "; ".join(dict.fromkeys(flaw.says for flaw in flaws))
    return Entry(claim, status, f"It changes nothing: {said}.", "Put this right, or remove it.")


def unused(claim: Claim, seen: list[Seen]) -> Entry:
    """The entry of a claim that nothing is wrong with, and that excuses nothing."""
    inside = {s.verdict for s in seen if s.standing == "holds"}
    outside = [s for s in seen if s.standing != "holds"]
    missed = {s.standing for s in outside if s.verdict == "breach"}
    if "breach" in inside:
        return Entry(claim, "not valid", "The policy does not accept it here.", "Put it right, or remove it.")
    if "undecided" in inside:
        says = "The records cannot tell whether it is needed."
        return Entry(claim, "undecided", says, "Record what is missing, then run again.")
    if "pending" in inside:
        return Entry(claim, "pending", "The time for what it covers has not run out.")
    if not missed and "met" in inside:
        return Entry(claim, "met", "What it covers is now met.", "Remove it.")
    if not missed and inside:
        return Entry(claim, "nothing", "What it names is excused or explained without it.", "Remove it.")
    on = missed or {s.standing for s in outside}
    if "expired" in on:
        says = f"It ran out on {moment(str(claim.expires))}, before the day that counts."
        return Entry(claim, "expired", says, "Put right what it was for, and remove it; or have it renewed.")
    if on:
        says = f"It begins on {moment(str(claim.starts))}, after the day that counts."
        return Entry(claim, "not started", says)
    says = "It matches nothing that was judged."
    return Entry(claim, "nothing", says, "Correct what it names, or remove it.")
