"""The whole review: what changed, whether each change is stricter or looser, and what it would have found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from policycheck.review.changes import Changes, RuleChange
from policycheck.review.compare import compared
from policycheck.review.replay import Replay, replayed
from policycheck.review.verdicts import SECONDS, Verdict, verdict
from policycheck.review.versions import Version

Tell = Callable[[str], None]
Pair = tuple[str | None, str | None]
"""A rule's id in the old version and in the new one."""

NO_Z3 = "z3 is not installed (pip install 'policycheck[review]')"
NOT_ASKED = "verdicts were not asked for"


@dataclass(frozen=True, slots=True)
class Review:
    """What a review found. `verdicts` has one for every rule that changed in any way."""

    old: Version
    new: Version
    changes: Changes
    verdicts: Mapping[Pair, Verdict]
    replays: tuple[Replay, ...]

    @property
    def different(self) -> bool:
        """Whether anything changed, or a term came out otherwise."""
        return self.changes.any or any(r.differs for replay in self.replays for r in replay.rules)


def review(
    old: Version,
    new: Version,
    *,
    terms: Sequence[Path] = (),
    as_of: str | None = None,
    verdicts: bool | None = None,
    seconds: float = SECONDS,
    tell: Tell = lambda stage: None,
) -> Review:
    """Compare two versions of a policy.

    terms     past terms, to be judged by both; `as_of` as in `run`
    verdicts  whether to look for one on each rule that can judge otherwise; None: when z3 is installed
    seconds   what is spent on each of them at most
    tell      is told what begins

    Raises PolicycheckError: UsageError when the two are of different policies, RecordsError for the terms.
    """
    tell("comparing")
    changes = compared(old.policy, new.policy)
    found = look_for_verdicts(changes, verdicts, seconds, tell)
    replays = tuple(replayed(changes, term, as_of=as_of, tell=tell) for term in terms)
    return Review(old, new, changes, found, replays)


def look_for_verdicts(
    changes: Changes, wanted: bool | None, seconds: float, tell: Tell
) -> dict[Pair, Verdict]:
    """A verdict for every rule that changed in any way."""
    has_z3 = find_spec("z3") is not None
    why_not = NOT_ASKED if wanted is False else None if has_z3 else NO_Z3
    changed = [rule for rule in changes.rules if rule.changes]
    found = {}
    for i, rule in enumerate(changed):
        tell(f"verdict {i + 1} of {len(changed)}: {rule.id}")
        found[rule.old, rule.new] = by_form(rule, why_not) or verdict(
            changes.old, changes.new, rule.old, rule.new, seconds=seconds
        )
    return found


def by_form(rule: RuleChange, why_not: str | None) -> Verdict | None:
    """The verdict that the form of a change gives, or the reason why there is none."""
    if not rule.judges_otherwise:
        return Verdict(
            "equivalent", "it asks the same, whatever it is called and however it is put", True, 0, ()
        )
    if why_not is None:
        return None
    if rule.old is None:
        return Verdict("stricter", "the rule is new", True, 0, ())
    if rule.new is None:
        return Verdict("looser", "the rule is no longer there", True, 0, ())
    return Verdict("not decided", why_not, False, 0, ())


SEVERITIES = ("minor", "major", "critical")
OUTCOMES = ("advice", "missed", "breach")
LEANINGS = {
    "stricter": {"stricter"},
    "looser": {"looser"},
    "incomparable": {"stricter", "looser"},
    "not decided": {"stricter", "looser"},
}


def leanings(rule: RuleChange, found: Verdict) -> set[str]:
    """Whether a rule is or may be `stricter` or `looser`, by its verdict and by the weight of a failure."""
    out = set(LEANINGS.get(found.verdict, ()))
    for change in rule.changes:
        for scale in (SEVERITIES, OUTCOMES):
            if change.old in scale and change.new in scale and change.kind in ("severity", "outcome"):
                out.add("stricter" if scale.index(change.new) > scale.index(change.old) else "looser")
    return out
