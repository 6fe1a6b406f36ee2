"""The hunt for records on which the two versions of a rule differ.

Whatever finds such records, they are believed only when the real evaluator says so under both versions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from policycheck.findings import Finding, outcome_of
from policycheck.review.change import DIRECTIONS, Change, Difference, Direction
from policycheck.review.near import Near, figures
from policycheck.review.scenes import frame_relations, moved, scene, seeds
from policycheck.review.shrink import shrunk
from policycheck.review.sides import Records, Side, Small, subject_of

if TYPE_CHECKING:
    from policycheck.review.formulas import Formulas

Progress = Callable[[str], None]

SHRINKING = 4.0
"""Seconds that may be spent on making one witness small."""

STARTS = 60
"""So many records are starting points of the walk near the examples."""


WIDE = 2
"""Rows of the other relations, where rules count up to a figure in some."""


class Hunt:
    """Looks for a witness in each direction until `seconds` are over.

    `never` are directions in which it is proved that there is none. `bound` says up to how many rows a
    relation there is none, without gaps and with, and `stuck` why it was not looked any further.
    """

    def __init__(self, change: Change, seconds: float, progress: Progress) -> None:
        self.change, self.progress = change, progress
        self.until = time.monotonic() + seconds
        self.found: dict[Direction, tuple[Records, Difference]] = {}
        self.never: set[Direction] = set()
        self.tried = 0
        self.unreal: set[Direction] = set()
        self.bound: dict[tuple[Direction, bool], int] = {}
        self.stuck: dict[tuple[Direction, bool], str] = {}
        self.starts: list[Records] = []

    def late(self) -> bool:
        return time.monotonic() >= self.until

    @property
    def missing(self) -> list[Direction]:
        """The directions in which there may yet be a witness."""
        return [d for d in DIRECTIONS if d not in self.found and d not in self.never]

    @property
    def looked_through(self) -> bool:
        """Whether all small records were, in each direction in which there may yet be a witness."""
        return all(self.bound.get((d, gaps), 0) for d in self.missing for gaps in (False, True))

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

    def examples(self) -> None:
        """The examples and scenarios themselves."""
        self.progress("the examples")
        self.starts = self.seeds()
        for records in self.starts:
            if self.missing and not self.late():
                self.look(records)

    def near_examples(self, seconds: float) -> None:
        """Records one or more changes away from the examples."""
        until = min(self.until, time.monotonic() + seconds)
        self.progress("records near the examples")
        for records in self.near(self.starts[:STARTS] or [self.scene()]):
            if not self.missing or time.monotonic() >= until:
                return
            self.look(records)

    def near(self, starts: list[Records]) -> Iterator[Records]:
        before = self.scene()
        near = self.changes()
        walks = [near.steps(records, before) for records in starts]
        while walks:
            for walk in list(walks):
                some = list(islice(walk, 8))
                yield from some
                if not some:
                    walks.remove(walk)
        yield from near.strolls(starts, before)

    def changes(self) -> Near:
        change = self.change
        old, new = (None if side is None else side.plain.program for side in (change.old, change.new))
        fixed = {c.relation for c in change.model.calendars.values()} | frame_relations(change.model)
        return Near(change.model, change.fields, figures(old, new), fixed)

    def by_formulas(self, bound: int) -> None:
        """All records with one row a relation, then with two, and so on up to the bound; first those without
        gaps, then those with."""
        from policycheck.review.formulas import Formulas

        scene = self.scene()
        for gaps in (False, True):
            formulas = Formulas(self.change, scene, gaps)
            for rows in range(1, bound + 1):
                for direction in self.missing:
                    if (direction, gaps) not in self.stuck:
                        with_gaps = ", with gaps" if gaps else ""
                        self.progress(f"up to {rows} row{'s' * (rows > 1)} a relation{with_gaps}")
                        self.solve(formulas, direction, rows)
            if not gaps and max(formulas.widths.values(), default=0) > bound:
                for direction in self.missing:
                    self.progress("rows enough to count")
                    self.solve(formulas, direction, WIDE, wide=True)

    def solve(self, formulas: Formulas, direction: Direction, rows: int, wide: bool = False) -> None:
        """Ask for records with up to so many rows; those that come are believed when they are real."""
        place = (direction, formulas.gaps)
        solution = formulas.ask(direction, rows, self.until - time.monotonic(), wide)
        if solution.answer == "found":
            self.look(formulas.spaces.records(solution.rows))
            if direction not in self.found:
                self.unreal.add(direction)
                self.stuck[place] = "the solver's records did not show it"
        elif wide:
            return
        elif solution.answer == "none":
            self.bound[place] = rows
        else:
            self.stuck[place] = solution.why

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
