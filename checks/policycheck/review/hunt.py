"""The hunt for records on which the two versions of a rule differ.

Whatever finds such records, they are believed only when the real evaluator says so under both versions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from policycheck.findings import Finding, outcome_of
from policycheck.review.change import DIRECTIONS, Change, Difference, Direction
from policycheck.review.near import Near, figures
from policycheck.review.scenes import WHOLE_WEEKS, frame_relations, later, moved, scene, seeds
from policycheck.review.shrink import shrunk
from policycheck.review.sides import Records, Side, Small, subject_of
from policycheck.review.widths import widths

if TYPE_CHECKING:
    from policycheck.review.formulas import Formulas

T = TypeVar("T")

Progress = Callable[[str], None]

Try = tuple[Records, str | None]
"""Records, and the day up to which they are judged when that is not the end of their term."""

SHRINKING = 4.0
"""Seconds that may be spent on making one witness small."""

STARTS = 60
"""So many records are starting points of the walk near the examples."""


FEW = 2
"""Rows of a relation, where more is asked than all small records."""

MOST_DAYS = 4
"""So many as-of dates are tried beside the end of the term."""


class Found(Struct, frozen=True):
    """Records on which the versions differ, judged up to a day or to the end of the term."""

    records: Records
    as_of: str | None
    difference: Difference


class Hunt:
    """Looks for a witness in each direction until `seconds` are over.

    `never` are directions in which it is proved that there is none. `bound` says up to how many rows a
    relation there is none, without gaps and with, and `stuck` why it was not looked any further.
    """

    def __init__(self, change: Change, seconds: float, progress: Progress) -> None:
        self.change, self.progress = change, progress
        self.until = time.process_time() + seconds
        self.found: dict[Direction, Found] = {}
        self.never: set[Direction] = set()
        self.tried = 0
        self.unreal: set[Direction] = set()
        self.bound: dict[tuple[Direction, bool], int] = {}
        self.stuck: dict[tuple[Direction, bool], str] = {}
        self.starts: list[Try] = []
        self.walk: Iterator[Try] | None = None

    def late(self) -> bool:
        return time.process_time() >= self.until

    @property
    def missing(self) -> list[Direction]:
        """The directions in which there may yet be a witness."""
        return [d for d in DIRECTIONS if d not in self.found and d not in self.never]

    @property
    def looked_through(self) -> bool:
        """Whether all small records were, in each direction in which there may yet be a witness."""
        return all(self.bound.get((d, gaps), 0) for d in self.missing for gaps in (False, True))

    def seeds(self) -> list[Try]:
        """The records of the examples and scenarios of both versions, in the scene of each."""
        out: list[Try] = []
        for side in self.change.sides:
            for records, as_of in seeds(side.policy, side.rules[0], self.change.relations):
                here = moved(records, side.policy.model, self.change.years)
                day = later(as_of, self.change.years * WHOLE_WEEKS)
                if (here, day) not in out:
                    out.append((here, day))
        return out

    def scene(self) -> Records:
        new = self.change.policies[1]
        return moved(scene(new, self.change.relations), new.model, self.change.years)

    def look(self, records: Records, as_of: str | None = None) -> bool:
        """Try some records; true when they are readable and were judged."""
        self.tried += 1
        made = self.change.tables(records, as_of)
        if made is None:
            return False
        for difference in self.change.differences(records, made):
            if difference.direction not in self.found and self.change.sound(made):
                self.found[difference.direction] = Found(records, as_of, difference)
        return True

    def examples(self) -> None:
        """The examples and scenarios themselves."""
        self.progress("the examples")
        self.starts = self.seeds()
        for records, as_of in self.starts:
            if self.missing and not self.late():
                self.look(records, as_of)

    def near_examples(self, seconds: float, tries: int | None = None) -> None:
        """Records one or more changes away from the examples, so many of them; where it was left, when it is
        called again."""
        until = min(self.until, time.process_time() + seconds)
        self.progress("records near the examples")
        if self.walk is None:
            self.walk = self.near(self.starts[:STARTS] or [(self.scene(), None)])
        for records, as_of in islice(self.walk, tries):
            if not self.missing or time.process_time() >= until:
                return
            self.look(records, as_of)

    def near(self, starts: list[Try]) -> Iterator[Try]:
        before = self.scene()
        near = self.changes()
        yield from in_turns([tried(near.steps(records, before), as_of) for records, as_of in starts], 8)
        usual = [records for records, as_of in starts if as_of is None]
        yield from ((records, None) for records in near.strolls(usual, before))

    def changes(self) -> Near:
        change = self.change
        old, new = (None if side is None else side.plain.program for side in (change.old, change.new))
        fixed = {c.relation for c in change.model.calendars.values()} | frame_relations(change.model)
        return Near(change.model, change.fields, figures(old, new), fixed)

    @cached_property
    def counted(self) -> int:
        """Up to how many rows of a relation the rules count; 0 when they count none."""
        known = (widths(side.plain.program, side.norm) for side in self.change.sides)
        return max((rows for found in known for rows in found.values()), default=0)

    def by_counting(self, seconds: float) -> None:
        """As many rows as the rules count up to, all alike but for one: a row of an example so many times,
        and one of them with another value."""
        until = min(self.until, time.process_time() + seconds)
        self.progress("rows enough to count")
        for records, as_of in in_turns([self.many(*start) for start in self.starts[:STARTS]], 8):
            if not self.missing or time.process_time() >= until:
                return
            self.look(records, as_of)

    def many(self, records: Records, as_of: str | None) -> Iterator[Try]:
        """A row of some records so many times, then with a value that is otherwise in one row."""
        before, near = self.scene(), self.changes()
        spots = [
            (n, i)
            for n in near.fields
            for i, r in enumerate(records.get(n, ()))
            if r not in before.get(n, ())
        ]
        several = [near.on_other_days(records, name, i, self.counted - 1) for name, i in spots]
        yield from tried(several, as_of)
        walks = [near.valued(made, name, i) for made in several for name, i in spots]
        yield from tried(in_turns(walks, 1), as_of)

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
            if not gaps:
                self.further(formulas, bound)

    def further(self, formulas: Formulas, bound: int) -> None:
        """Records with more rows where rules count, and records as of other days."""
        if max(formulas.widths.values(), default=0) > bound:
            for direction in self.missing:
                self.progress("rows enough to count")
                self.solve(formulas, direction, FEW, wide=True)
        for day in self.days() if self.missing else ():
            others = type(formulas)(self.change, formulas.scene, False, day)
            for direction in self.missing:
                self.progress(f"as of {day}")
                self.solve(others, direction, FEW, more=True)

    def days(self) -> list[str]:
        """Days other than the end of the term: those of the examples, and the days before the end."""
        change = self.change
        if change.model.frame.term is None or change.as_of is None:
            return []
        ends = [as_of for _, as_of in self.starts]
        if any("due" in side.policy.rules[side.rules[0]].data for side in change.sides):
            ends += [later(change.as_of, -1), later(change.as_of, -2)]
        return [day for day in dict.fromkeys(ends) if day is not None and day != change.as_of][:MOST_DAYS]

    def solve(
        self, formulas: Formulas, direction: Direction, rows: int, wide: bool = False, more: bool = False
    ) -> None:
        """Ask for records with up to so many rows; those that come are believed when they are real. What is
        asked beyond all small records (`wide`, `more`) says nothing when there is no answer."""
        place = (direction, formulas.gaps)
        solution = formulas.ask(direction, rows, self.until - time.process_time(), wide)
        if solution.answer == "found":
            self.look(formulas.records(solution), formulas.as_of)
            if direction not in self.found:
                self.unreal.add(direction)
                self.stuck[place] = "the solver's records did not show it"
        elif wide or more:
            return
        elif solution.answer == "none":
            self.bound[place] = rows
        else:
            self.stuck[place] = solution.why

    # What is made of what was found

    def holds(self, direction: Direction) -> Callable[[Records], bool]:
        """Whether records are a witness in a direction."""
        as_of = self.found[direction].as_of

        def test(records: Records) -> bool:
            made = self.change.tables(records, as_of)
            if made is None:
                return False
            same = any(d.direction == direction for d in self.change.differences(records, made))
            return same and self.change.sound(made)

        return test

    def small(self, direction: Direction) -> Records:
        """The witness of a direction, made as small as there is time for."""
        until = time.process_time() + SHRINKING
        return shrunk(
            self.found[direction].records,
            self.holds(direction),
            self.change.model,
            self.change.fields,
            self.change.defaults,
            lambda: time.process_time() >= until,
        )

    def real(self, direction: Direction, records: Records) -> Difference | None:
        """The difference as the reference evaluator finds it in the records once they were written and
        read again; None when it is not there."""
        records = json.loads(json.dumps(records))
        made = self.change.tables(records, self.found[direction].as_of)
        if made is None or not self.change.sound(made):
            return None
        found = self.change.differences(records, made, "naive")
        return next((d for d in found if d.direction == direction), None)


def tried(several: Iterable[Records], as_of: str | None) -> Iterator[Try]:
    """Records that are judged up to a day."""
    return ((records, as_of) for records in several)


def in_turns(walks: Iterable[Iterator[T]], some: int) -> Iterator[T]:
    """A few of each, again and again until there are no more."""
    left = list(walks)
    while left:
        for walk in list(left):
            found = list(islice(walk, some))
            yield from found
            if not found:
                left.remove(walk)


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
