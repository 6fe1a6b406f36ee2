"""A changed rule: its two versions, asked about the same records.

A version without the rule finds nothing. Subjects are compared by their values when both versions are about
the same kind of thing; else it counts whether there is any finding at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct
from policycheck_engine import Row

from policycheck.policy.model import Policy
from policycheck.records.model import RecordModel
from policycheck.review.scenes import (
    WHOLE_WEEKS,
    first_day_of_term,
    frame_relations,
    last_day_of_term,
    later,
    moved,
    scene,
)
from policycheck.review.sides import Checks, Records, Side, Small, fields_in, small

Direction = Literal["stricter", "looser"]
DIRECTIONS: tuple[Direction, Direction] = ("stricter", "looser")

YEARS = 12
"""How far a scene is moved at most, to come after the day on which both versions are in force."""


class Difference(Struct, frozen=True):
    """What one version fails and the other does not: the subject (None: any) and the direction."""

    direction: Direction
    subject: Row | None


class Change:
    """The two versions of a rule. `first_day` is the day from which both are in force, or None when the
    scene's records are older than that and cannot be moved; `years` says how far they are moved. `as_of` is
    the end of the scene's term, or the scene's as-of date when there are no terms."""

    def __init__(self, old: Policy, new: Policy, old_rule: str | None, new_rule: str | None) -> None:
        self.policies = (old, new)
        self.model: RecordModel = new.model
        self.years, self.first_day = moving(new, max(old.version, new.version) or None)
        frame = moved(scene(new, frame_relations(new.model)), new.model, self.years)
        usual = later(new.scene.get("as_of"), self.years * WHOLE_WEEKS)
        self.as_of: str | None = last_day_of_term(frame, new.model) or usual
        self.old = None if old_rule is None else Side(old, [old_rule], self.first_day, self.as_of)
        self.new = None if new_rule is None else Side(new, [new_rule], self.first_day, self.as_of)
        self.checks = Checks(new.model)
        self.alone = old.model is new.model or old.model.document.data == new.model.document.data

    @property
    def sides(self) -> list[Side]:
        return [side for side in (self.old, self.new) if side is not None]

    @property
    def fields(self) -> Mapping[str, set[str]]:
        """The fields that either version reads, by relation."""
        found = fields_in(side.cone for side in self.sides)
        for calendar in self.model.calendars.values():
            if calendar.relation in found:
                found[calendar.relation].add(calendar.field)
        return found

    @property
    def defaults(self) -> Mapping[str, Mapping[str, Any]]:
        """What rows usually have, in the years of the scene."""
        usual = self.policies[1].scene.get("defaults") or {}
        rows = moved({name: [dict(row)] for name, row in usual.items()}, self.model, self.years)
        return {name: row for name, (row,) in rows.items()}

    @property
    def relations(self) -> list[str]:
        """The relations that matter: those that either version reads, and those of the frame."""
        return sorted({*self.fields, *frame_relations(self.model)})

    @property
    def by_subject(self) -> bool:
        """Whether the two are compared subject by subject."""
        if self.old is None or self.new is None:
            return True
        return self.old.shape == self.new.shape

    def tables(self, records: Records, as_of: str | None = None) -> Small | None:
        """The records as tables, judged up to a day or else to the end of their term, if both versions'
        record models accept them."""
        as_of = as_of or (None if self.model.frame.term else self.as_of)
        made = small(records, self.model, as_of)
        if made is None or (not self.alone and small(records, self.policies[0].model, as_of) is None):
            return None
        return made

    def failing(self, side: Side | None, records: Records, made: Small, engine: str) -> set[Row]:
        if side is None:
            return set()
        if side is self.old and not self.alone:
            own = small(records, side.policy.model, made.as_of)
            assert own is not None, "both models accept the records"
            made = own
        return set(side.failing(made, engine))

    def differences(self, records: Records, made: Small, engine: str = "memory") -> list[Difference]:
        """How the two versions differ on records."""
        old = self.failing(self.old, records, made, engine)
        new = self.failing(self.new, records, made, engine)
        if self.by_subject:
            pairs = (("stricter", new - old), ("looser", old - new))
            return [Difference(d, min(s, key=str)) for d, s in pairs if s]  # type: ignore[arg-type]
        if bool(old) == bool(new):
            return []
        return [Difference("stricter" if new else "looser", None)]

    def sound(self, made: Small) -> bool:
        """Whether the checks of the record model find nothing wrong."""
        return not self.checks.problems(made)


def moving(policy: Policy, version: str | None) -> tuple[int, str | None]:
    """How many years later the scene of a policy has to be for its term to begin under the version, and the
    first day of that version; (0, None) when there is no term to tell."""
    if version is None:
        return 0, None
    start = first_day_of_term(scene(policy, frame_relations(policy.model)), policy.model)
    if start is None:
        return 0, None
    found = (years for years in range(YEARS + 1) if later(start, years * WHOLE_WEEKS) >= version)
    years = next(found, None)
    return (0, None) if years is None else (years, version)
