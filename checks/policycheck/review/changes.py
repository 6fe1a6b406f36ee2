"""What can change between two versions of a policy, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec import Struct

from policycheck.policy.model import Policy
from policycheck.review.pairs import Pairs

Status = Literal[
    "added", "removed", "split", "merged", "changed", "moved", "renamed", "reworded", "unchanged"
]
"""What became of something, as a whole: the first of these that is true of it."""

STATUSES: tuple[Status, ...] = get_args(Status)

JUDGED = (
    *("decided by", "signature", "scope", "exemption", "requirement", "threshold"),
    *("parameter", "definition", "records", "date", "subject"),
)
"""Kinds of change that can give a case another outcome."""

WEIGHED = ("force", "modality", "severity", "outcome", "bearer", "beneficiary", "rank", "school")
"""Kinds of change that say how much an outcome weighs, and with whom."""

WORDED = ("wording", "form")
"""Kinds of change that leave every outcome as it is."""


class Change(Struct, frozen=True):
    """One thing that changed.

    `kind` is one of the above, `what` the part of the file (`require`, `says`) or the name of the parameter
    or definition; `old` and `new` are data of the policy, as it was and is written there.
    """

    kind: str
    what: str
    says: str
    old: Any = None
    new: Any = None


class RuleChange(Struct, frozen=True):
    """What became of a rule: its id in each version, and what changed in it or in what it rests on."""

    old: str | None
    new: str | None
    clauses: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def id(self) -> str:
        """The id it has now, or had last."""
        return self.new or self.old or ""

    @property
    def judges_otherwise(self) -> bool:
        """Whether a case can have another outcome than before."""
        return self.old is None or self.new is None or any(c.kind in JUDGED for c in self.changes)


class ClauseChange(Struct, frozen=True):
    """What became of a clause, with its rules. `old` are the clauses it was, `new` those it became."""

    id: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    status: Status
    section: str
    old_says: str
    new_says: str
    changes: tuple[Change, ...]
    rules: tuple[RuleChange, ...]


class NamedChange(Struct, frozen=True):
    """What became of a parameter, a definition or a relation, and the rules that rest on it."""

    name: str
    status: Status
    changes: tuple[Change, ...]
    rules: tuple[str, ...]


class Changes(Struct, frozen=True):
    """All that changed between two versions.

    `clauses` has those that changed in any way, in the order of the new document with removed ones where
    they stood; `rules` every pair of rules, changed or not; `remarks` what does not count as a change.
    """

    old: Policy
    new: Policy
    pairs: Pairs
    policy: tuple[Change, ...]
    records: tuple[NamedChange, ...]
    parameters: tuple[NamedChange, ...]
    definitions: tuple[NamedChange, ...]
    clauses: tuple[ClauseChange, ...]
    rules: tuple[RuleChange, ...]
    statuses: Mapping[Status, int]
    remarks: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.policy or self.records or self.parameters or self.definitions or self.clauses)
