"""Norms: what rules of conduct make of facts.

A norm has cases, and some of them fail. Each case is met, or has failed, or cannot be told; cases with
the same subject make one outcome, the worst of theirs. What is certain and what is possible differ
where the facts have unknowns, and only what is certain is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from policycheck_engine.readings import Split, low
from policycheck_engine.values import Row, Value

Verdict = Literal["met", "pending", "excused", "explained", "undecided", "breach"]

WORST_FIRST: tuple[Verdict, ...] = ("breach", "undecided", "explained", "excused", "pending", "met")
"""The outcome of a subject is the first of these that one of its cases has."""


@dataclass(frozen=True, slots=True)
class Norm:
    """Where the cases and failures of a rule are found.

    `case` has the columns `columns`; `fails` has them and its evidence; `excused`, `explained`,
    `minor` and `notes` have those of `fails` and variables of their own; `pending` has `columns`.
    A subject is met when at least `share` of its cases are, or when at most `allow` of them fail.
    """

    rule: str
    case: str
    fails: str
    columns: tuple[str, ...]
    subject: tuple[str, ...]
    share: float | None = None
    allow: int = 0
    pending: str | None = None
    excused: str | None = None
    explained: str | None = None
    unanswered: str | None = None
    minor: str | None = None
    notes: tuple[str, ...] = ()

    def relations(self) -> Iterator[str]:
        """All relations that the norm reads."""
        yield from (self.case, self.fails)
        for name in (self.pending, self.excused, self.explained, self.unanswered, self.minor):
            if name is not None:
                yield name
        yield from self.notes


@dataclass(slots=True)
class Judged:
    """One subject: its outcome, the cases behind it, and what each of those that decided it shows.

    `decisive` are the cases that have the subject's outcome, each as a mapping of variables to values;
    a variable may have several rows. `notes` has the rows of each note by its index.
    """

    subject: dict[str, Value]
    outcome: Verdict
    cases: Counter[Verdict] = field(default_factory=Counter)
    decisive: list[dict[str, Value]] = field(default_factory=list)
    shown: list[dict[str, Value]] = field(default_factory=list)
    minor: bool = False
    notes: list[tuple[int, dict[str, Value]]] = field(default_factory=list)


Facts = Mapping[str, set[Row]]


class _Reading:
    """The rows of a relation that are certain and those that are possible, by the case they belong to."""

    def __init__(self, name: str | None, split: Split, facts: Facts, width: int) -> None:
        self.columns: tuple[str, ...] = split.program.relations[name].names if name else ()
        self.sure = self._by_case(facts[split.reading(name, True)], width) if name else {}
        self.maybe = self._by_case(facts[split.reading(name, False)], width) if name else {}

    @staticmethod
    def _by_case(rows: set[Row], width: int) -> dict[Row, list[Row]]:
        found: dict[Row, list[Row]] = {}
        for row in rows:
            found.setdefault(row[:width], []).append(row)
        return found

    def named(self, row: Row) -> dict[str, Value]:
        return named(self.columns, row)


def named(columns: tuple[str, ...], row: Row) -> dict[str, Value]:
    """A row as a mapping; a pair of bounds that agree is one value, else both are kept."""
    out: dict[str, Value] = {}
    for name, value in zip(columns, row, strict=True):
        if name[-1] not in "<>":
            out[name] = value
        elif name[-1] == "<":
            out[name[:-1]] = value
        elif out[name[:-1]] != value:
            out[name] = value
    return out


def judge(norm: Norm, split: Split, facts: Facts) -> list[Judged]:
    """The outcome of each subject of a norm, in the order of the subjects' values."""
    width = len(split.program.relations[norm.case].columns)
    case = _Reading(norm.case, split, facts, width)
    fails, pending = _Reading(norm.fails, split, facts, width), _Reading(norm.pending, split, facts, width)
    excused, explained = (
        _Reading(norm.excused, split, facts, width),
        _Reading(norm.explained, split, facts, width),
    )
    unanswered, minor = (
        _Reading(norm.unanswered, split, facts, width),
        _Reading(norm.minor, split, facts, width),
    )
    notes = [_Reading(name, split, facts, width) for name in norm.notes]
    places = [_place(case.columns, name) for name in norm.subject]
    subjects: dict[Row, list[tuple[Row, Verdict]]] = {}
    for row in case.maybe:
        if row not in fails.maybe:
            verdict: Verdict = "met" if row in case.sure else "undecided"
        elif row not in fails.sure or row in unanswered.maybe:
            verdict = "undecided"
        else:
            verdict = _failed(row, pending, excused, explained)
        subjects.setdefault(tuple(row[p] for p in places), []).append((row, verdict))
    judged = []
    for key in sorted(subjects, key=lambda k: [(v is None, str(v)) for v in k]):
        cases = sorted(subjects[key], key=lambda c: [(v is None, str(v)) for v in c[0]])
        counts = Counter(verdict for _, verdict in cases)
        outcome = overall(counts, norm.share, norm.allow)
        result = Judged(dict(zip(norm.subject, key, strict=True)), outcome, counts)
        for row, verdict in cases:
            if verdict != outcome or outcome == "met":
                continue
            result.decisive.append(case.named(row))
            source = {"excused": excused, "explained": explained}.get(outcome, fails)
            shown = source.maybe.get(row) or fails.maybe.get(row) or []
            result.shown += [
                source.named(r) if r in source.maybe.get(row, ()) else fails.named(r)
                for r in sorted(shown, key=str)
            ]
            result.notes += [
                (i, n.named(r)) for i, n in enumerate(notes) for r in sorted(n.sure.get(row, ()), key=str)
            ]
            result.minor = (
                (row in minor.sure) if len(result.decisive) == 1 else result.minor and row in minor.sure
            )
        judged.append(result)
    return judged


def _place(columns: tuple[str, ...], name: str) -> int:
    return columns.index(name) if name in columns else columns.index(low(name))


def _failed(row: Row, pending: _Reading, excused: _Reading, explained: _Reading) -> Verdict:
    """What a certain failure is: the first of these that is certain; undecided when one is only possible."""
    readings: tuple[tuple[Verdict, _Reading], ...] = (
        ("pending", pending),
        ("excused", excused),
        ("explained", explained),
    )
    for verdict, reading in readings:
        if row in reading.sure:
            return verdict
        if row in reading.maybe:
            return "undecided"
    return "breach"


def overall(counts: Counter[Verdict], share: float | None, allow: int) -> Verdict:
    """The outcome of a subject whose cases came out like this."""
    if counts["breach"] and (share is not None or allow):
        total = sum(counts.values()) - counts["pending"]
        failed, unsure = counts["breach"], counts["undecided"]
        if _enough(total, failed + unsure, share, allow):
            counts = Counter({"met": 1})
        elif _enough(total, failed, share, allow):
            counts = Counter({"undecided": 1})
    elif counts["undecided"] and (share is not None or allow):
        total = sum(counts.values()) - counts["pending"]
        if _enough(total, counts["undecided"], share, allow):
            counts = Counter({"met": 1})
    return next(v for v in WORST_FIRST if counts[v])


def _enough(total: int, failed: int, share: float | None, allow: int) -> bool:
    if share is not None and total and (total - failed) / total < share:
        return False
    return share is not None or failed <= allow
