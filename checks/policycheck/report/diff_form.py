"""The versioned public form of a review: `policycheck/diff/1`.

Scripts rely on it: more may be added, nothing is renamed. The text and the Markdown are made from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from policycheck import __version__
from policycheck.digests import digest
from policycheck.report.json_form import counted, finding_as_json
from policycheck.review.review import leanings

if TYPE_CHECKING:
    from policycheck.review.changes import Change, ClauseChange, NamedChange, RuleChange
    from policycheck.review.replay import Replay, RuleReplay
    from policycheck.review.review import Opinion, Review
    from policycheck.review.versions import Version

FORM = "policycheck/diff/1"
VERDICTS = ("equivalent", "stricter", "looser", "incomparable", "not decided")


def review_as_json(review: Review) -> dict[str, Any]:
    """The form of a review, in a fixed order of keys."""
    changes = review.changes
    return {
        "form": FORM,
        "policy": {"id": changes.new.id, "title": changes.new.title},
        "old": version_as_json(review.old),
        "new": version_as_json(review.new),
        "summary": summary(review),
        "changes": changes_as_json(changes.policy),
        "records": [named_as_json(n) for n in changes.records],
        "parameters": [named_as_json(n) for n in changes.parameters],
        "definitions": [named_as_json(n) for n in changes.definitions],
        "clauses": [clause_as_json(c, review) for c in changes.clauses],
        "remarks": list(changes.remarks),
        "replay": [replay_as_json(r) for r in review.replays],
        "receipt": {"program": f"policycheck {__version__}"},
    }


def version_as_json(version: Version) -> dict[str, Any]:
    """Which version it is, as the user named it, and a hash of its files."""
    policy = version.policy
    files = [*sorted(policy.folder.glob("*.yaml")), policy.model.document.file]
    return {
        "version": policy.version,
        "given": version.given,
        "commit": version.commit,
        "clauses": sum(len(s.clauses) for s in policy.sections),
        "rules": len(policy.rules),
        "sha256": digest(files),
    }


def summary(review: Review) -> dict[str, Any]:
    """What became of the clauses, and which rules that changed are, or may be, stricter or looser."""
    verdicts = Counter[str](v.verdict for v in review.opinions.values())
    kinds = Counter(kind for clause in review.changes.clauses for kind in kinds_of(clause))
    lean = {r.id: leanings(r, review.opinions[r.old, r.new]) for r in review.changes.rules if r.changes}
    return {
        "different": review.different,
        "clauses": dict(review.changes.statuses),
        "kinds": dict(sorted(kinds.items())),
        "rules": {
            "changed": len(lean),
            "judging_otherwise": sum(r.judges_otherwise for r in review.changes.rules),
            **{word: verdicts[word] for word in VERDICTS},
        },
        "stricter": [rule for rule, found in lean.items() if "stricter" in found],
        "looser": [rule for rule, found in lean.items() if "looser" in found],
    }


def kinds_of(clause: ClauseChange) -> list[str]:
    """The kinds of change of a clause and its rules."""
    changes = [*clause.changes, *(c for rule in clause.rules for c in rule.changes)]
    return sorted({change.kind for change in changes})


def changes_as_json(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [{"kind": c.kind, "what": c.what, "says": c.says, "old": c.old, "new": c.new} for c in changes]


def named_as_json(named: NamedChange) -> dict[str, Any]:
    """A parameter, a definition or a relation, with the rules that rest on it."""
    return {
        "name": named.name,
        "status": named.status,
        "changes": changes_as_json(named.changes),
        "rules": list(named.rules),
    }


def clause_as_json(clause: ClauseChange, review: Review) -> dict[str, Any]:
    return {
        "id": clause.id,
        "was": list(clause.old),
        "became": list(clause.new),
        "status": clause.status,
        "kinds": kinds_of(clause),
        "section": clause.section,
        "says": {"old": clause.old_says, "new": clause.new_says},
        "changes": changes_as_json(clause.changes),
        "rules": [rule_as_json(rule, review.opinions[rule.old, rule.new]) for rule in clause.rules],
    }


def rule_as_json(rule: RuleChange, opinion: Opinion) -> dict[str, Any]:
    return {
        "old": rule.old,
        "new": rule.new,
        "clauses": list(rule.clauses),
        "changes": changes_as_json(rule.changes),
        "judges_otherwise": rule.judges_otherwise,
        "verdict": verdict_as_json(opinion),
    }


def verdict_as_json(opinion: Opinion) -> dict[str, Any]:
    return {
        "verdict": opinion.verdict,
        "why": opinion.why,
        "proved": opinion.proved,
        "bound": opinion.bound,
        "witnesses": [
            {
                "direction": w.direction,
                "says": w.says,
                "finding": w.finding,
                "as_of": w.as_of,
                "records": w.records,
            }
            for w in opinion.witnesses
        ],
    }


def replay_as_json(replay: Replay) -> dict[str, Any]:
    """A term judged by both versions; only rules that came out otherwise are listed."""
    records = replay.records
    rules = [rule_replay_as_json(r) for r in replay.rules if r.differs]
    return {
        "records": {
            "school": records.school,
            "school_name": records.school_name,
            "term": records.term,
            "as_of": records.as_of,
            "sources": list(records.sources),
            "rows": records.rows,
        },
        "outcomes": {"old": counted(replay.old), "new": counted(replay.new)},
        **{key: sum(len(rule[key]) for rule in rules) for key in ("gained", "lost", "changed")},
        "rules": rules,
    }


def rule_replay_as_json(rule: RuleReplay) -> dict[str, Any]:
    """What the two versions of a rule found; null for a version that has no such rule."""
    sides = {"old": rule.old, "new": rule.new}
    return {
        "clause": rule.clause,
        **{side: r and r.id for side, r in sides.items()},
        "applied": {side: r and r.applied for side, r in sides.items()},
        "outcomes": {side: r and counted(r.outcomes) for side, r in sides.items()},
        "gained": [finding_as_json(f) for f in rule.gained],
        "lost": [finding_as_json(f) for f in rule.lost],
        "changed": [{"old": finding_as_json(a), "new": finding_as_json(b)} for a, b in rule.changed],
    }
