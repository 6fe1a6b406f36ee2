"""The whole review: what changed, whether each change is stricter or looser, and what it would have found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from policycheck.review.changes import Changes, RuleChange
from policycheck.review.compare import compared
from policycheck.review.replay import Replay, replayed
from policycheck.review.versions import Version
from policycheck.settings import read_settings

if TYPE_CHECKING:
    from policycheck.review.verdicts import Witness

Tell = Callable[..., None]
Pair = tuple[str | None, str | None]
"""A rule's id in the old version and in the new one."""

NO_Z3 = "z3 is not installed (pip install 'policycheck[review]')"
NOT_ASKED = "verdicts were not asked for"


SECONDS = 10.0
"""What is spent on a verdict at most."""


class Opinion(Struct, frozen=True):
    """What is said of a rule that changed: the verdict that was found, or what its form alone tells."""

    verdict: str
    why: str
    proved: bool = False
    bound: int = 0
    witnesses: tuple[Witness, ...] = ()


class Review(Struct, frozen=True):
    """What a review found. `opinions` has one for every rule that changed in any way."""

    old: Version
    new: Version
    changes: Changes
    opinions: Mapping[Pair, Opinion]
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
    settings: Path | None = None,
    verdicts: bool | None = None,
    seconds: float = SECONDS,
    tell: Tell = lambda stage, done=0, total=0: None,
) -> Review:
    """Compare two versions of a policy.

    terms     past terms, to be judged by both; `as_of` and `settings` as in `run`
    verdicts  whether to look for one on each rule that can judge otherwise; None: when z3 is installed.
              Without z3, proofs and what lies near the examples still tell something
    seconds   what is spent on each of them at most
    tell      is told what begins, and how many of how many steps of it are done

    Raises PolicycheckError: UsageError when the two are of different policies, RecordsError for the terms.
    """
    tell("comparing")
    changes = compared(old.policy, new.policy)
    found = opinions(changes, verdicts, seconds, tell)
    own = None if settings is None else read_settings(settings)
    replays = tuple(replayed(changes, term, as_of=as_of, settings=own, tell=tell) for term in terms)
    return Review(old, new, changes, found, replays)


def opinions(changes: Changes, wanted: bool | None, seconds: float, tell: Tell) -> dict[Pair, Opinion]:
    """What is said of every rule that changed in any way."""
    has_z3 = find_spec("z3") is not None
    why_not = NO_Z3 if wanted is None and not has_z3 else NOT_ASKED if wanted is False else None
    changed = [rule for rule in changes.rules if rule.changes]
    found = {}
    for i, rule in enumerate(changed):
        if not rule.judges_otherwise or why_not is not None:
            found[rule.old, rule.new] = by_form(rule, why_not)
        else:
            tell(f"verdict on {rule.id}", i, len(changed))
            found[rule.old, rule.new] = looked_for(changes, rule, seconds)
    return found


def by_form(rule: RuleChange, why_not: str | None) -> Opinion:
    """What the form of a change tells, or why nothing more was looked for."""
    if not rule.judges_otherwise:
        return Opinion("equivalent", "it asks the same, whatever it is called and however it is put", True)
    if rule.old is None:
        return Opinion("stricter", "the rule is new", True)
    if rule.new is None:
        return Opinion("looser", "the rule is no longer there", True)
    return Opinion("not decided", why_not or "")


def looked_for(changes: Changes, rule: RuleChange, seconds: float) -> Opinion:
    """The verdict on a rule that can judge otherwise."""
    from policycheck.review.verdicts import verdict

    found = verdict(changes.old, changes.new, rule.old, rule.new, seconds=seconds)
    return Opinion(found.verdict, found.why, found.proved, found.bound, found.witnesses)


SEVERITIES = ("minor", "major", "critical")
OUTCOMES = ("advice", "missed", "breach")
LEANINGS = {
    "stricter": {"stricter"},
    "looser": {"looser"},
    "incomparable": {"stricter", "looser"},
    "not decided": {"stricter", "looser"},
}


def leanings(rule: RuleChange, found: Opinion) -> set[str]:
    """Whether a rule is or may be `stricter` or `looser`, by its verdict and by the weight of a failure."""
    out = set(LEANINGS.get(found.verdict, ()))
    for change in rule.changes:
        for scale in (SEVERITIES, OUTCOMES):
            if change.old in scale and change.new in scale and change.kind in ("severity", "outcome"):
                out.add("stricter" if scale.index(change.new) > scale.index(change.old) else "looser")
    return out
