"""Both versions over the records of a past term: which findings come, go, or are another outcome.

Each version judges every day of the term as if it had been in force.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from policycheck.findings import Finding, RuleResult
from policycheck.prepare import RecordsInfo, need_as_of, prepared, refuse_other_school
from policycheck.review.changes import Changes
from policycheck.review.pairs import followers
from policycheck.run import Asked, Result, judged
from policycheck.settings import SettingsFile

STEPS, STEPS_TWICE = 7, 10
"""The stages of a replay: of records that are read once, and twice."""


class RuleReplay(Struct, frozen=True):
    """What the two versions of a rule found in a term; None where a version has no such rule."""

    old: RuleResult | None
    new: RuleResult | None
    clause: str
    gained: tuple[Finding, ...] = ()
    lost: tuple[Finding, ...] = ()
    changed: tuple[tuple[Finding, Finding], ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the two found something else, or judged another number of subjects."""
        if self.gained or self.lost or self.changed or self.old is None or self.new is None:
            return True
        return self.old.outcomes != self.new.outcomes


class Replay(Struct, frozen=True):
    """What the two versions found in a term, by outcome and by rule in the new document's order."""

    records: RecordsInfo
    old: Mapping[str, int]
    new: Mapping[str, int]
    rules: tuple[RuleReplay, ...]


def replayed(
    changes: Changes,
    path: Path,
    *,
    as_of: str | None = None,
    settings: SettingsFile | None = None,
    tell: Callable[..., None] = lambda *told: None,
) -> Replay:
    """Judge a term by both versions; `as_of` and `settings` as in `run`: they may name what either version
    has. `tell` is told each stage, and how far that is.

    Raises PolicycheckError as `run` does, when the records are another school's, for one.
    """

    once = same_records(changes)
    steps = count()

    def step(stage: str) -> None:
        tell(f"{path.name}: {stage}", next(steps), STEPS if once else STEPS_TWICE)

    records = prepared(path, changes.new, as_of=as_of, as_if_in_force=True, progress=step)
    if once:
        refuse_other_school(changes.old, records.info)
        need_as_of([changes.old], records.info, changes.old.model)
        earlier = replace(records, policies=[(changes.old, None, None)])
    else:
        earlier = prepared(path, changes.old, as_of=as_of, as_if_in_force=True, progress=step)
    asked = Asked(path.as_posix(), as_of=as_of)
    before = judged(earlier, asked, settings, step, beside=[changes.new])
    after = judged(records, asked, settings, step, beside=[changes.old])
    return Replay(after.records, outcomes(before), outcomes(after), tuple(by_rule(changes, before, after)))


def same_records(changes: Changes) -> bool:
    """Whether both versions read records in the same way."""
    return bool(changes.old.model.document.data == changes.new.model.document.data)


def outcomes(result: Result) -> dict[str, int]:
    """How many subjects had each outcome."""
    total: Counter[str] = Counter()
    for rule in result.rules:
        total.update(rule.outcomes)
    return dict(total)


def by_rule(changes: Changes, before: Result, after: Result) -> list[RuleReplay]:
    """Each pair of rules, then those that are gone; a finding is lost when nothing follows it."""
    was, became = changes.pairs.rules, followers(changes.pairs.rules)
    olds, news = ({r.id: r for r in result.rules} for result in (before, after))
    old, new = found_by(before), found_by(after)
    out: dict[str, RuleReplay] = {}
    followed: set[str] = set()
    for rule, result in news.items():
        order = changes.new.rules[rule].data["subject"]
        earlier = [(about(f, order), f) for o in was[rule] for f in old.get(o, ())]
        gained, changed = [], []
        for finding in new.get(rule, ()):
            partners = [f for key, f in earlier if key == about(finding, order)]
            followed |= {f.id for f in partners}
            if not partners:
                gained.append(finding)
            elif all((f.outcome, f.severity) != (finding.outcome, finding.severity) for f in partners):
                changed.append((partners[0], finding))
        partner = olds.get(was[rule][0]) if was[rule] else None
        out[rule] = RuleReplay(partner, result, result.clauses[0], tuple(gained), (), tuple(changed))
    for rule, result in olds.items():
        lost = tuple(f for f in old.get(rule, ()) if f.id not in followed)
        heir = next(iter(became.get(rule, ())), None)
        if heir is None:
            out[f"-{rule}"] = RuleReplay(result, None, result.clauses[0], lost=lost)
        else:
            out[heir] = replace(out[heir], lost=(*out[heir].lost, *lost))
    return list(out.values())


def found_by(result: Result) -> dict[str, list[Finding]]:
    """The findings of each rule."""
    out: dict[str, list[Finding]] = {}
    for finding in result.findings:
        out.setdefault(finding.rule, []).append(finding)
    return out


def about(finding: Finding, order: Sequence[str]) -> tuple[object, ...]:
    """What a finding is about, in the order of the new rule; by position where the names are others."""
    names = [name.removeprefix("$") for name in order]
    if set(names) == set(finding.subject):
        return tuple(finding.subject[name] for name in names)
    return tuple(finding.subject.values())
