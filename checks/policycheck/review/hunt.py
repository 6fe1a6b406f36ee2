"""The hunt for records on which the two versions of a rule differ.

Whatever finds such records, they are believed only when the real evaluator says so under both versions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from itertools import islice

from policycheck.findings import Finding, outcome_of
from policycheck.review.change import DIRECTIONS, Change, Difference, Direction
from policycheck.review.near import Near, figures
from policycheck.review.scenes import moved, scene, seeds
from policycheck.review.shrink import shrunk
from policycheck.review.sides import Records, Side, Small, subject_of

Progress = Callable[[str], None]

SHRINKING = 4.0
"""Seconds that may be spent on making one witness small."""

STARTS = 60
"""So many records are starting points of the walk near the examples."""


class Hunt:
    """Looks for a witness in each direction until `seconds` are over."""

    def __init__(self, change: Change, seconds: float, progress: Progress) -> None:
        self.change, self.progress = change, progress
        self.until = time.monotonic() + seconds
        self.found: dict[Direction, tuple[Records, Difference]] = {}
        self.never: set[Direction] = set()
        self.tried = 0
        self.unreal = 0

    def late(self) -> bool:
        return time.monotonic() >= self.until

    @property
    def missing(self) -> list[Direction]:
        """The directions in which there may yet be a witness."""
        return [d for d in DIRECTIONS if d not in self.found and d not in self.never]

    def seeds(self) -> list[Records]:
        """The records of the examples and scenarios of both versions, in the scene of each."""
        out: list[Records] = []
        for side in self.change.sides:
            for records in seeds(side.policy, side.rules[0], self.change.relations):
                here = moved(records, side.policy.model, self.change.years)
                if here not in out:
                    out.append(here)
        return out

    def scene(self) -> Records:
        new = self.change.policies[1]
        return moved(scene(new, self.change.relations), new.model, self.change.years)

    def look(self, records: Records) -> bool:
        """Try some records; true when they are readable and were judged."""
        self.tried += 1
        made = self.change.tables(records)
        if made is None:
            return False
        for difference in self.change.differences(records, made):
            if difference.direction not in self.found and self.change.sound(made):
                self.found[difference.direction] = (records, difference)
        return True

    def near_examples(self, seconds: float) -> None:
        """The examples first, then records near them."""
        if not self.missing:
            return
        until = min(self.until, time.monotonic() + seconds)
        starts = self.seeds()
        self.progress("trying the examples")
        for records in starts:
            self.look(records)
            if not self.missing or time.monotonic() >= until:
                return
        self.progress("trying records near the examples")
        for records in self.neighbours(starts[:STARTS] or [self.scene()]):
            if not self.missing or time.monotonic() >= until:
                return
            self.look(records)

    def neighbours(self, starts: list[Records]) -> Iterable[Records]:
        change = self.change
        model = change.model
        bulky = {c.relation for c in model.calendars.values()}
        bulky |= {f["relation"] for f in (model.frame.school, model.frame.term) if f}
        known = figures(
            change.old.plain.program if change.old else None, change.new.plain.program if change.new else None
        )
        near = Near(model, change.fields, known, bulky)
        before = self.scene()
        walks = [near.steps(records, before) for records in starts]
        while walks:
            for walk in list(walks):
                some = list(islice(walk, 8))
                yield from some
                if not some:
                    walks.remove(walk)
        yield from near.strolls(starts, before)

    # What is made of what was found

    def holds(self, direction: Direction) -> Callable[[Records], bool]:
        """Whether records are a witness in a direction."""

        def test(records: Records) -> bool:
            made = self.change.tables(records)
            if made is None:
                return False
            same = any(d.direction == direction for d in self.change.differences(records, made))
            return same and self.change.sound(made)

        return test

    def small(self, direction: Direction) -> Records:
        """The witness of a direction, made as small as there is time for."""
        records, _ = self.found[direction]
        until = time.monotonic() + SHRINKING
        policy = self.change.policies[1]
        return shrunk(
            records,
            self.holds(direction),
            self.change.model,
            self.change.fields,
            policy.scene.get("defaults") or {},
            lambda: time.monotonic() >= until,
        )

    def real(self, direction: Direction, records: Records) -> Difference | None:
        """The difference as the reference evaluator finds it in the records once they were written and
        read again; None when it is not there."""
        records = json.loads(json.dumps(records))
        made = self.change.tables(records)
        if made is None or not self.change.sound(made):
            return None
        found = self.change.differences(records, made, "naive")
        return next((d for d in found if d.direction == direction), None)


def told(side: Side, records: Small, difference: Difference) -> Finding:
    """The finding of the version that finds one."""
    fails = [f for f in side.findings(records) if f.outcome in ("breach", "advice", "missed")]
    same = [f for f in fails if tuple(f.subject.values()) == difference.subject]
    return (same or fails)[0]


def otherwise(side: Side | None, records: Small, difference: Difference) -> str:
    """What the other version says of the subject, in words."""
    if side is None:
        return "has no such rule"
    judgement = side.judged(records)[0]
    if difference.subject is None:
        return "finds nothing"
    if difference.subject in judgement.met:
        return "says that it is met"
    rule = side.policy.rules[side.rules[0]]
    for judged in judgement.others:
        if subject_of(judged) == difference.subject:
            return f"says that it is {outcome_of(rule, judged)}"
    return "does not apply to it"
