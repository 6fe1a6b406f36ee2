"""Replays: what another version would have found in a past term, whatever its rules are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from policycheck.errors import SettingsError, UsageError
from policycheck.policy.load import load_policy
from policycheck.review.compare import compared
from policycheck.review.replay import RuleReplay, replayed
from policycheck.run import run
from policycheck.settings import read_settings

from tests.support import ROOT, copied

LIBRARY = ROOT / "tests" / "review" / "library"
TERM = ROOT / "tests" / "review" / "T1.json"


def replay(old: Path, new: Path, settings: Path | None = None) -> dict[str, RuleReplay]:
    """The rules that came out otherwise, by the id they have now or had."""
    own = None if settings is None else read_settings(settings)
    found = replayed(compared(load_policy(old), load_policy(new)), TERM, settings=own)
    return {(r.new or r.old).id: r for r in found.rules if r.differs}  # type: ignore[union-attr]


def outcomes(policy: Path, rule: str) -> list[str]:
    """What a run says of a rule."""
    return [f.outcome for f in run(TERM, str(policy)).findings if f.rule == rule]


def test_nothing_changed_nothing_differs() -> None:
    assert replay(LIBRARY, LIBRARY) == {}


def test_gained_and_lost(tmp_path: Path) -> None:
    shorter = copied(LIBRARY, tmp_path / "library", ("policy.yaml", "value: 14", "value: 9"))
    found = replay(LIBRARY, shorter)["lending.1"]
    assert [f.id for f in found.gained] == ["library:lending.1:loan=L1", "library:lending.1:loan=L3"]
    assert found.lost == ()
    back = replay(shorter, LIBRARY)["lending.1"]
    assert [f.id for f in back.lost] == ["library:lending.1:loan=L1", "library:lending.1:loan=L3"]
    assert back.gained == ()


def test_another_outcome_and_another_severity(tmp_path: Path) -> None:
    milder = ("lending.yaml", "remedy: Bring it back.", "outcome: advice\n        severity: minor")
    found = replay(LIBRARY, copied(LIBRARY, tmp_path / "library", milder))["lending.1"]
    assert [(o.outcome, o.severity, n.outcome, n.severity) for o, n in found.changed] == [
        ("breach", "major", "advice", "minor")
    ]
    assert found.gained == found.lost == ()


def test_a_version_judges_as_if_it_had_been_in_force(tmp_path: Path) -> None:
    later = copied(LIBRARY, tmp_path / "2030-01-01")
    with pytest.raises(UsageError, match="comes into force on 2030-01-01"):
        run(TERM, str(later))
    found = [f.id for f in run(TERM, str(later), as_if_in_force=True).findings]
    assert found == [f.id for f in run(TERM, str(LIBRARY)).findings]
    assert replay(LIBRARY, later) == {}


def test_findings_are_followed_when_a_rule_and_its_subject_have_other_names(tmp_path: Path) -> None:
    start = "        for_each:\n          loans: {loan_id: $loan, member_id: $member, lent_on: $lent}\n"
    other = copied(
        LIBRARY,
        tmp_path / "library",
        ("lending.yaml", "  - clause: lending.1\n", "  - clause: lending.9\n    was: lending.1\n"),
        ("lending.yaml", "      - id: lending.1\n" + start, "      - id: lending.9\n" + start),
        ("lending.yaml", start, start.replace("$loan,", "$lending,")),
        ("lending.yaml", "lent\n        subject: [$loan]", "lent\n        subject: [$lending]"),
        ("lending.yaml", "{loan_id: $loan, renewed", "{loan_id: $lending, renewed"),
        ("lending.yaml", "not: {late_by: {loan: $loan}}", "not: {late_by: {loan: $lending}}"),
        ("lending.yaml", "{loan_id: $loan, allowed_by", "{loan_id: $lending, allowed_by"),
        ("lending.yaml", "kept {loan} too", "kept {lending} too"),
        ("policy.yaml", "lending.1, lending.2]", "lending.9, lending.2]"),
        ("rooms.yaml", "- lending.1", "- lending.9"),
    )
    assert outcomes(other, "lending.9") == ["breach"]
    assert replay(LIBRARY, other) == {}


def test_a_finding_of_a_rule_that_became_two_is_followed_to_either(tmp_path: Path) -> None:
    """Loans of M2 are the second rule's, and all others the first one's."""
    text = (LIBRARY / "lending.yaml").read_text(encoding="utf-8")
    start, end = text.index("      - id: lending.1\n"), text.index("  - clause: lending.2\n")
    rule = text[start:end].rstrip() + "\n"
    own = "loans: {loan_id: $loan, member_id: $member, lent_on: $lent}\n"
    first = rule.replace(own, own + "          $member: {not: M2}\n")
    second = rule.replace(own, own + "          $member: M2\n")
    second = second.replace("id: lending.1\n", "id: lending.1.b\n        was: lending.1\n")
    other = copied(LIBRARY, tmp_path / "library", ("lending.yaml", rule, first + second))
    found = replay(LIBRARY, other)
    assert all(not (r.gained or r.lost or r.changed) for r in found.values())
    assert outcomes(other, "lending.1.b") == ["breach"]


def test_a_rule_that_nothing_follows_loses_its_findings(tmp_path: Path) -> None:
    other = copied(
        LIBRARY,
        tmp_path / "library",
        ("lending.yaml", "  - clause: lending.1\n", "  - clause: lending.7\n"),
        ("lending.yaml", "      - id: lending.1\n", "      - id: lending.7\n"),
        ("policy.yaml", "lending.1, lending.2]", "lending.7, lending.2]"),
        ("rooms.yaml", "- lending.1", "- lending.7"),
    )
    found = replay(LIBRARY, other)
    assert [f.id for f in found["lending.7"].gained] == ["library:lending.7:loan=L2"]
    assert [f.id for f in found["lending.1"].lost] == ["library:lending.1:loan=L2"]


def test_a_signature_counts_for_a_clause_that_has_another_id(tmp_path: Path) -> None:
    other = copied(
        LIBRARY,
        tmp_path / "library",
        ("rooms.yaml", "  - clause: rooms.1\n", "  - clause: rooms.7\n    was: rooms.1\n"),
        ("lending.yaml", "clause: rooms.1", "clause: rooms.7"),
        ("policy.yaml", "ranks: [rooms.1", "ranks: [rooms.7"),
    )
    assert outcomes(LIBRARY, "rooms.1") == ["breach"]
    assert outcomes(other, "rooms.7") == ["undecided"]
    assert replay(LIBRARY, other) == {}


def test_a_signature_stays_with_its_clause_when_clauses_change_their_ids(tmp_path: Path) -> None:
    """The clause that has the old id now is another one: its answers are not those of the old one."""
    first = "  - clause: rooms.1\n    item: line 1\n"
    second = "  - clause: rooms.2\n    item: line 2\n"
    other = copied(
        LIBRARY,
        tmp_path / "library",
        ("rooms.yaml", first, first.replace("rooms.1\n", "rooms.0\n    was: rooms.1\n")),
        ("rooms.yaml", second, second.replace("rooms.2\n", "rooms.1\n    was: rooms.2\n")),
        ("rooms.yaml", "rooms.0\n", "rooms.2\n"),
        ("lending.yaml", "clause: rooms.1", "clause: rooms.2"),
        ("policy.yaml", "ranks: [rooms.1", "ranks: [rooms.2"),
    )
    assert replay(LIBRARY, other) == {}


def test_another_school_is_refused(tmp_path: Path) -> None:
    other = copied(LIBRARY, tmp_path / "library", ("policy.yaml", "school: library", "school: museum"))
    for old, new in ((LIBRARY, other), (other, LIBRARY)):
        with pytest.raises(UsageError, match="never run on another's records"):
            replay(old, new)


def test_the_school_s_own_settings_hold_in_both_versions(tmp_path: Path) -> None:
    settings = tmp_path / "own.yaml"
    shorter = copied(LIBRARY, tmp_path / "shorter", ("policy.yaml", "value: 14", "value: 9"))
    settings.write_text("policy: library\nparameters: {loan_days: 20}\n", encoding="utf-8")
    assert replay(LIBRARY, shorter, settings) == {}
    settings.write_text(
        "waivers:\n"
        "  - {waiver: W, rule: lending.1, subject: {loan: L3}, reason: Ill, approved_by: A,"
        " starts: 2021-05-01, expires: 2021-07-21}\n",
        encoding="utf-8",
    )
    found = replay(LIBRARY, shorter, settings)["lending.1"]
    assert [(f.subject["loan"], f.outcome) for f in found.gained] == [("L1", "breach"), ("L3", "excused")]


def test_settings_may_name_what_only_one_version_has(tmp_path: Path) -> None:
    settings = tmp_path / "own.yaml"
    settings.write_text("parameters: {loan_days: 9}\n", encoding="utf-8")
    renamed = copied(
        LIBRARY,
        tmp_path / "renamed",
        ("policy.yaml", "  loan_days:\n", "  days_lent:\n"),
        ("policy.yaml", "days: $loan_days", "days: $days_lent"),
        ("rooms.yaml", "thick_loan, loan_days]", "thick_loan, days_lent]"),
    )
    for old, new, kept in ((LIBRARY, renamed, "lost"), (renamed, LIBRARY, "gained")):
        found = replay(old, new, settings)["lending.1"]
        assert [f.subject["loan"] for f in getattr(found, kept)] == ["L1", "L3"]
    settings.write_text("parameters: {lone_days: 9}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="no parameter `lone_days`"):
        replay(LIBRARY, renamed, settings)
