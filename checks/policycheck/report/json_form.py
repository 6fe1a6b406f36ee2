"""The versioned public form of a result: `policycheck/findings/1`.

Scripts rely on it: more may be added, nothing is renamed. Every other report is made from it, so that no
two disagree about a count.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from policycheck_engine import is_nothing
from policycheck_engine.values import NEVER_DATE

from policycheck import __version__
from policycheck.report.json_text import compact

if TYPE_CHECKING:
    from policycheck.findings import Finding, RuleResult
    from policycheck.register import Entry
    from policycheck.run import Result

FORM = "policycheck/findings/1"
OUTCOMES = ("met", "breach", "advice", "missed", "excused", "explained", "pending", "undecided")


def result_as_json(result: Result) -> dict[str, Any]:
    """The form of a result, in a fixed order of keys."""
    return {**form_of(result), "findings": [finding_as_json(f) for f in result.findings]}


def form_of(result: Result) -> dict[str, Any]:
    """The form of a result whose findings are as they are: as JSON text it is the same, only sooner."""
    form = judged_form(result)
    return {**form, "receipt": receipt_as_json(result, form)}


def judged_form(result: Result) -> dict[str, Any]:
    """All of the form but its receipt."""
    rules = [rule_as_json(r) for r in result.rules]
    total: Counter[str] = Counter()
    for r in result.rules:
        total.update(r.outcomes)
    return {
        "form": FORM,
        "policy": {
            "id": result.policy.id,
            "version": result.policy.version,
            "title": result.policy.title,
            "versions": list(result.versions),
        },
        "records": {
            "school": result.records.school,
            "school_name": result.records.school_name,
            "term": result.records.term,
            "as_of": result.records.as_of,
            "sources": list(result.records.sources),
            "rows": result.records.rows,
            "left_out": [
                {"source": p.file, "at": p.where, "message": p.message, "help": p.help}
                for p in result.records.left_out
            ],
        },
        "parameters": [
            {"name": name, "value": value, "usual": result.policy.parameters[name].value}
            for name, value in result.overridden.items()
        ],
        "summary": {
            "rules": len(rules),
            "not_exercised": sum(r.applied == 0 for r in result.rules),
            "subjects": sum(total.values()),
            "outcomes": counted(total),
            "severities": severities(result.findings),
        },
        "sections": sections_as_json(result),
        "clauses": clauses_as_json(result),
        "rules": rules,
        "findings": result.findings,
        "waivers": [entry_as_json(e) for e in result.waivers],
        "defects": [
            {"id": d.id, "clauses": list(d.clauses), "says": d.says, "settled": d.settled}
            for d in result.policy.defects
        ],
    }


def receipt_as_json(result: Result, form: Mapping[str, Any]) -> dict[str, Any]:
    """What went in, by hash, what was asked and by what it was judged, and a hash of what came out."""
    asked = result.asked
    return {
        "program": f"policycheck {__version__}",
        "engine": result.engine,
        **({"cross_checked": result.cross_checked} if result.cross_checked else {}),
        "asked": {
            "records": asked.records,
            "school": asked.school,
            "policy": asked.policy,
            "as_of": asked.as_of,
            "parameters": dict(asked.parameters),
            "sections": list(asked.sections),
            "only": list(asked.only),
            "keep_going": asked.keep_going,
            "settings": asked.settings,
        },
        "sha256": {**result.hashes, "result": judged_hash(form)},
    }


def judged_hash(form: Mapping[str, Any]) -> str:
    """SHA-256 of what was judged: of the form without its receipt, with sources by name and not by where
    they were, so that the same records in another folder give the same."""

    def named(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**entry, "source": entry["source"] and entry["source"].rpartition("/")[2]} for entry in entries
        ]

    records = {key: value for key, value in form["records"].items() if key != "sources"}
    judged = {
        **{key: value for key, value in form.items() if key != "receipt"},
        "records": {**records, "left_out": named(records["left_out"])},
        "waivers": named(form["waivers"]),
    }
    data = compact(judged)
    folders = {source.rpartition("/")[0] for source in form["records"]["sources"]} - {""}
    for folder in sorted(folders, key=len, reverse=True):
        # inside a text it would not look like this, since quotation marks are escaped there
        data = data.replace(b'"source":' + compact(f"{folder}/")[:-1], b'"source":"')
    return hashlib.sha256(data).hexdigest()


def counted(outcomes: Mapping[str, int]) -> dict[str, int]:
    """How many subjects had each outcome, in a fixed order."""
    return {name: outcomes.get(name, 0) for name in OUTCOMES}


def severities(findings: tuple[Finding, ...]) -> dict[str, int]:
    """How many breaches there are of each severity."""
    breaches = Counter(f.severity for f in findings if f.outcome == "breach")
    return {name: breaches.get(name, 0) for name in ("critical", "major", "minor")}


def rule_as_json(rule: RuleResult) -> dict[str, Any]:
    return {
        "id": rule.id,
        "clauses": list(rule.clauses),
        "applied": rule.applied,
        "outcomes": counted(rule.outcomes),
        "cases": {"applied": sum(rule.cases.values()), **counted(rule.cases)},
    }


def sections_as_json(result: Result) -> list[dict[str, Any]]:
    """Each section with its counts; a rule counts in the section of its first clause."""
    place = {c.id: s.id for s in result.policy.sections for c in s.clauses}
    sums: dict[str, Counter[str]] = {s.id: Counter() for s in result.policy.sections}
    for rule in result.rules:
        sums[place[rule.clauses[0]]].update(rule.outcomes)
        sums[place[rule.clauses[0]]]["rules"] += 1
        sums[place[rule.clauses[0]]]["not_exercised"] += rule.applied == 0
    return [
        {
            "id": s.id,
            "heading": s.heading,
            "clauses": len(s.clauses),
            "rules": sums[s.id]["rules"],
            "not_exercised": sums[s.id]["not_exercised"],
            "outcomes": counted(sums[s.id]),
        }
        for s in result.policy.sections
    ]


def clauses_as_json(result: Result) -> list[dict[str, Any]]:
    sums: dict[str, Counter[str]] = {}
    for rule in result.rules:
        for clause in rule.clauses:
            sums.setdefault(clause, Counter()).update(rule.outcomes)
    return [
        {
            "id": c.id,
            "decided_by": c.decided_by,
            "says": c.data["says"],
            "judged": c.id in sums,
            "outcomes": counted(sums.get(c.id, {})),
        }
        for c in result.policy.clauses()
    ]


def finding_as_json(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "rule": finding.rule,
        "clauses": list(finding.clauses),
        "outcome": finding.outcome,
        "severity": finding.severity,
        "binds": list(finding.binds),
        "subject": {k: None if is_nothing(v, "text") else v for k, v in finding.subject.items()},
        "message": finding.message,
        "records": [
            {"relation": r.relation, "id": r.id, "source": r.source, "at": r.at} for r in finding.records
        ],
        "remedy": finding.remedy,
        "notes": list(finding.notes),
        "missing": list(finding.missing),
        "signatures": [
            {"id": s.id, "answer": s.answer, "by": s.by, "role": s.role, "on": s.on}
            for s in finding.signatures
        ],
        "contradicts": finding.contradicts,
        "cases": dict(finding.cases),
    }


def entry_as_json(entry: Entry) -> dict[str, Any]:
    """A waiver or an exception, and what it does in this run."""
    claim = entry.claim
    return {
        "kind": claim.kind,
        "id": claim.id,
        "to": claim.to,
        "rules": sorted(claim.rules),
        "subject": dict(claim.subject),
        "reason": claim.reason,
        "approved_by": claim.approved_by,
        "starts": claim.starts,
        "expires": None if claim.expires == NEVER_DATE else claim.expires,
        "status": entry.status,
        "says": entry.says,
        "to_do": entry.to_do,
        "findings": list(entry.findings),
        "relation": claim.relation,
        "source": claim.source,
        "at": claim.at,
    }
