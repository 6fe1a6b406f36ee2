"""Norms: what rules of conduct make of facts.

A norm has cases, and some of them fail. Each case is met, or has failed, or cannot be told; cases with
the same subject make one outcome, the worst of theirs. What is certain and what is possible differ
where the facts have unknowns, and only what is certain is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache, cached_property
from itertools import chain, repeat
from operator import itemgetter
from typing import Literal

from msgspec import Struct, field

from policycheck_engine.readings import Outline, low
from policycheck_engine.values import Row, Value

Verdict = Literal["met", "pending", "excused", "explained", "undecided", "breach"]

WORST_FIRST: tuple[Verdict, ...] = ("breach", "undecided", "explained", "excused", "pending", "met")
"""The outcome of a subject is the first of these that one of its cases has."""


class Norm(Struct, frozen=True):
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
        yield from self.deciding()
        if self.minor is not None:
            yield self.minor
        yield from self.notes

    def deciding(self) -> Iterator[str]:
        """The relations that outcomes come from; the others only say how loud, and what to add."""
        yield from (self.case, self.fails)
        for name in (self.pending, self.excused, self.explained, self.unanswered):
            if name is not None:
                yield name


class Judged(Struct, dict=True):
    """One subject that is not met: its outcome, the cases behind it, and what those that decided it show.

    `key` are the subject's values. `decided` are the cases that have its outcome, and `evidence` rows for
    them with their columns. `notes` has the rows of each note by its index. `accepted` are the failing cases
    that were accepted, and that would have made it a breach.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    key: Row
    outcome: Verdict
    cases: Mapping[Verdict, int]
    decided: Sequence[Row] = ()
    evidence: Sequence[tuple[tuple[str, ...], Row]] = ()
    minor: bool = False
    notes: list[tuple[int, dict[str, Value]]] = field(default_factory=list)
    accepted: list[dict[str, Value]] = field(default_factory=list)

    @cached_property
    def subject(self) -> dict[str, Value]:
        """The subject as a mapping of variables to values."""
        return dict(zip(self.names, self.key, strict=True))

    @cached_property
    def decisive(self) -> list[dict[str, Value]]:
        """The cases that have the subject's outcome, each as a mapping."""
        return [named(self.columns, row) for row in self.decided]

    @cached_property
    def shown(self) -> list[dict[str, Value]]:
        """The rows of evidence, each as a mapping."""
        return [named(columns, row) for columns, row in self.evidence]


class Case(Struct, frozen=True):
    """One case of a norm: its values, its verdict, and the rows that excuse it for certain."""

    values: dict[str, Value]
    verdict: Verdict
    excuses: list[dict[str, Value]]


class Judgement(Struct):
    """What a norm makes of the facts: the subjects that met it, by their values, and the others in
    order; and its cases by verdict."""

    norm: Norm
    met: list[Row]
    others: list[Judged]
    cases: Counter[Verdict]


ONE_BREACH: Mapping[Verdict, int] = {"breach": 1}

Facts = Mapping[str, AbstractSet[Row]]
Accepts = Callable[[Mapping[str, Value]], bool]
"""Whether the failure of a case is accepted from outside, by its values."""


def nothing_accepted(case: Mapping[str, Value]) -> bool:
    """The usual: no failure is accepted."""
    return False


class _Reading:
    """The rows of a relation that are certain and those that are possible, by the case they belong to."""

    def __init__(self, name: str | None, outline: Outline, facts: Facts, width: int) -> None:
        self.columns: tuple[str, ...] = outline.names[name] if name else ()
        self.sure = _by_case(facts[outline.reading(name, True)], width) if name else {}
        self.maybe = self.sure
        if name in outline.split:
            self.maybe = _by_case(facts[outline.reading(name, False)], width)
        self.by_known: dict[tuple[int, ...], dict[Row, list[Row]]] = {}

    def may(self, case: Row) -> Sequence[Row]:
        """The possible rows of a case; those of a case with unknowns may have found values for them."""
        if None not in case:
            return self.maybe.get(case, ())
        known = tuple(i for i, value in enumerate(case) if value is not None)
        if known not in self.by_known:
            index = self.by_known[known] = {}
            for key, rows in self.maybe.items():
                index.setdefault(tuple(key[i] for i in known), []).extend(rows)
        return self.by_known[known].get(tuple(case[i] for i in known), ())

    def named(self, row: Row) -> dict[str, Value]:
        return named(self.columns, row)


def _by_case(rows: Collection[Row], width: int) -> Mapping[Row, list[Row]]:
    found: dict[Row, list[Row]] = {}
    for row in rows:
        found.setdefault(row[:width], []).append(row)
    return found


@cache
def bounded(columns: tuple[str, ...]) -> bool:
    """Whether any of the columns is one of a pair of bounds."""
    return any(name[-1] in "<>" for name in columns)


def named(columns: tuple[str, ...], row: Row) -> dict[str, Value]:
    """A row as a mapping; a pair of bounds that agree is one value, else both are kept."""
    if not bounded(columns):
        return dict(zip(columns, row, strict=True))
    out: dict[str, Value] = {}
    for name, value in zip(columns, row, strict=True):
        if name[-1] not in "<>":
            out[name] = value
        elif name[-1] == "<":
            out[name[:-1]] = value
        elif out[name[:-1]] != value:
            out[name] = value
    return out


def cases(
    norm: Norm, outline: Outline, facts: Facts, among: Mapping[str, Collection[Value]] | None = None
) -> Iterator[Case]:
    """The cases of a norm, in order: all of them, or those that have, or may have, one of these values in one
    of these columns."""
    maker = _Judge(norm, outline, facts, nothing_accepted)
    others, rows = maker.others(), maker.cases
    if among is not None:
        places = [(maker.columns.index(name), values) for name, values in among.items()]
        rows = {row for row in rows if any(row[p] is None or row[p] in values for p, values in places)}
    for row in sorted(rows, key=in_order):
        verdict = maker.verdict(row) if row in others else "met"
        excuses = [maker.excused.named(r) for r in sorted(maker.excused.sure.get(row, ()), key=in_order)]
        yield Case(named(maker.columns, row), verdict, excuses)


def judge(norm: Norm, outline: Outline, facts: Facts, accepts: Accepts = nothing_accepted) -> Judgement:
    """The outcome of each subject of a norm. Nearly all cases are met, so those are only counted.

    Failures that `accepts` says yes to excuse a subject that would be a breach, and change no other.
    """
    maker = _Judge(norm, outline, facts, accepts)
    others = maker.others()
    met = maker.cases - others if others else maker.cases
    held = met if maker.alone else list(maker.subjects(met))
    breaches = maker.breaches(others, held)
    if breaches is not None:
        counts: Counter[Verdict] = Counter({"breach": len(others), "met": len(met)})
        return Judgement(norm, list(held) if maker.alone else list({*held}), breaches, +counts)
    failing: dict[Row, list[tuple[Row, Verdict]]] = {}
    for key, row in zip(maker.subjects(others), others, strict=True):
        failing.setdefault(key, []).append((row, maker.verdict(row)))
    holding: Counter[Row] = Counter()
    vague: Counter[Row] = Counter()
    if failing and not maker.alone:
        holding.update(filter(failing.__contains__, held))
    if failing and maker.vague:
        vague.update(filter(failing.__contains__, maker.subjects(maker.vague & met)))
    cases: Counter[Verdict] = Counter([verdict for rows in failing.values() for _, verdict in rows])
    if met:
        cases["met"] = len(met)
    subjects = [
        maker.subject(key, failing[key], holding.get(key, 0), vague.get(key, 0))
        for key in sorted_rows(failing)
    ]
    accepted = sum(len(s.accepted) for s in subjects)
    if accepted:
        cases["breach"] -= accepted
        cases["excused"] += accepted
    borne = [s.key for s in subjects if s.outcome == "met"]
    whole = list(held) if maker.alone else list({*held} - failing.keys())
    return Judgement(norm, whole + borne, [s for s in subjects if s.outcome != "met"], +cases)


def in_order(row: Row) -> tuple[tuple[bool, str], ...]:
    """A key to sort rows by, unknowns last."""
    return tuple((value is None, str(value)) for value in row)


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows by `in_order`; those of texts alone are in that order by themselves."""
    rows = list(rows)
    plain = set(map(type, chain.from_iterable(rows))) <= {str}
    return sorted(rows) if plain else sorted(rows, key=in_order)


def in_line(rows: Sequence[Row]) -> Sequence[Row]:
    """Rows in order."""
    return rows if len(rows) < 2 else sorted_rows(rows)


class _Judge:
    """The readings of one norm's relations, and the verdicts they give.

    `cases` are all that are possible, `certain` those among them that are certain, and `vague` those
    with an unknown value. The subject of a case stands at `places` among its `width` values; `alone` says
    that it is all of them, so that each subject has one case. Where the norm is `plain`, a subject whose one
    case is a breach is a breach, and nothing more is to be said; where it is `simple`, a case fails for
    certain only as a breach.
    """

    def __init__(self, norm: Norm, outline: Outline, facts: Facts, accepts: Accepts) -> None:
        cases = outline.reading(norm.case, False)
        self.norm, self.accepts, self.columns = norm, accepts, outline.names[cases]
        self.width = len(self.columns)
        self.places = [_place(self.columns, name) for name in norm.subject]
        self.alone = self.places == list(range(self.width))
        self.cases = facts[cases]
        self.certain = facts[outline.reading(norm.case, True)]
        self.vague = {row for row in self.cases if None in row} if cases in outline.unknown else set()

        def reading(name: str | None) -> _Reading:
            return _Reading(name, outline, facts, self.width)

        self.fails = reading(norm.fails)
        self.pending, self.excused = reading(norm.pending), reading(norm.excused)
        self.explained, self.minor = reading(norm.explained), reading(norm.minor)
        self.unanswered = reading(norm.unanswered)
        milder: list[tuple[Verdict, str | None, _Reading]] = [
            ("pending", norm.pending, self.pending),
            ("excused", norm.excused, self.excused),
            ("explained", norm.explained, self.explained),
        ]
        self.milder = [(verdict, rows) for verdict, name, rows in milder if name]
        self.by_cases = norm.share is not None or bool(norm.allow)
        self.notes = [reading(name) for name in norm.notes]
        more = [self.minor, *self.notes]
        self.plain = accepts is nothing_accepted and not self.by_cases and not any(r.sure for r in more)
        self.simple = self.plain and not (self.milder or norm.unanswered or self.vague)

    def subjects(self, rows: Collection[Row]) -> Iterable[Row]:
        """The subject of each of these cases."""
        if self.alone:
            return rows
        if len(self.places) == 1:
            return zip(map(itemgetter(*self.places), rows), strict=True)
        return map(itemgetter(*self.places), rows) if self.places else repeat((), len(rows))

    def others(self) -> set[Row]:
        """The cases that are not simply met: those that may fail, and those that may not be there."""
        failing = set(self.fails.maybe.keys() & self.cases)
        failing |= {row for row in self.vague if self.fails.may(row)}
        return failing if self.certain is self.cases else failing | {*self.cases} - self.certain

    def verdict(self, row: Row) -> Verdict:
        """What one case is. One that may be out of scope is undecided even when it cannot fail: met in
        some fillings of the unknowns, and not there in others."""
        if not self.fails.may(row):
            return "met" if row in self.certain else "undecided"
        if row not in self.fails.sure or (self.norm.unanswered and self.unanswered.may(row)):
            return "undecided"
        for verdict, reading in self.milder:
            if row in reading.sure:
                return verdict
            if reading.may(row):
                return "undecided"
        return "breach"

    def subject(self, key: Row, cases: list[tuple[Row, Verdict]], met: int, vague: int) -> Judged:
        """What one subject is, with the cases that decided it; `met` of its cases hold, `vague` of those
        with an unknown value."""
        if self.plain and not met and not vague and len(cases) == 1 and cases[0][1] == "breach":
            return self.breach(key, cases[0][0])
        outcome = self.outcome(cases, met, vague)
        accepted: Sequence[Row] = ()
        if outcome == "breach" and self.accepts is not nothing_accepted:
            covered = {
                row for row, v in cases if v in ("breach", "undecided") and self.accepts(self.named(row))
            }
            # a covered case that cannot be told is no breach either way
            outcome = self.outcome([(r, "excused" if r in covered else v) for r, v in cases], met, vague)
            accepted = in_line([r for r, v in cases if r in covered and v == "breach"])
            cases = [(r, "excused" if r in covered and v == "breach" else v) for r, v in cases]
        counts: dict[Verdict, int] = {}
        for _, verdict in cases:
            counts[verdict] = counts.get(verdict, 0) + 1
        if met:
            counts["met"] = met
        result = Judged(self.norm.subject, self.columns, key, outcome, counts)
        if outcome == "met":
            return result
        result.accepted = [self.named(row) for row in accepted]
        result.decided = in_line([row for row, verdict in cases if verdict == outcome])
        source = self.fails
        if outcome == "excused":
            source = self.excused
        elif outcome == "explained":
            source = self.explained
        evidence = []
        for row in result.decided:
            rows = source.may(row) if outcome == "undecided" else source.sure.get(row, ())
            from_, rows = (source, rows) if rows else (self.fails, self.fails.sure.get(row, ()))
            evidence += [(from_.columns, r) for r in in_line(rows)]
            for i, note in enumerate(self.notes):
                result.notes += [(i, note.named(r)) for r in in_line(note.sure.get(row, ()))]
        result.evidence = evidence
        result.minor = bool(result.decided) and all(row in self.minor.sure for row in result.decided)
        return result

    def breaches(self, others: set[Row], held: Collection[Row]) -> list[Judged] | None:
        """The subjects of these cases when each has no other case, nor is among those for which one is held,
        and all are plain breaches; None when that is not so."""
        if not self.simple or not others <= self.fails.sure.keys():
            return None
        rows = dict(zip(self.subjects(others), others, strict=True))
        if len(rows) < len(others) or not (self.alone or rows.keys().isdisjoint(held)):
            return None
        return [self.breach(key, rows[key]) for key in sorted_rows(rows)]

    def breach(self, key: Row, row: Row) -> Judged:
        """A subject whose one case is a breach, with nothing more to be said: what most findings are."""
        evidence = [(self.fails.columns, shown) for shown in in_line(self.fails.sure[row])]
        return Judged(self.norm.subject, self.columns, key, "breach", ONE_BREACH, (row,), evidence)

    def outcome(self, cases: list[tuple[Row, Verdict]], met: int, vague: int) -> Verdict:
        """What comes of these cases, and of others that are met."""
        if len(cases) == 1 and not met and not vague and not self.by_cases:
            return cases[0][1]
        counts: Counter[Verdict] = Counter([verdict for _, verdict in cases])
        unclear: Counter[Verdict] = Counter([verdict for row, verdict in cases if None in row])
        if vague:
            unclear["met"] = vague
        if met:
            counts["met"] = met
        return overall(counts, self.norm, unclear)

    def named(self, row: Row) -> dict[str, Value]:
        return named(self.columns, row)


def _place(columns: tuple[str, ...], name: str) -> int:
    return columns.index(name) if name in columns else columns.index(low(name))


def overall(counts: Counter[Verdict], norm: Norm, vague: Counter[Verdict]) -> Verdict:
    """The outcome of a subject whose cases came out like this.

    `vague` counts the cases that have an unknown value: such a case may be another one again, and a
    possible one may stand for several.
    """
    failed, unsure = counts["breach"], counts["undecided"]
    if (failed or unsure) and (norm.share is not None or norm.allow):
        fewest = failed - vague["breach"] or min(failed, 1)
        most = failed + unsure if not vague["undecided"] else None
        if norm.share is not None:
            total = sum(counts.values()) - counts["pending"]
            if vague and (counts["met"] or unsure):
                return "undecided"
            borne = (total - failed - unsure) / total >= norm.share
            may_be_borne = (total - failed) / total >= norm.share
        else:
            borne = most is not None and most <= norm.allow
            may_be_borne = fewest <= norm.allow
        milder = norm.pending or norm.excused or norm.explained
        if borne and not (unsure and milder):
            return next((v for v in WORST_FIRST[2:] if counts[v]), "met")
        if may_be_borne:
            return "undecided"
    return next(v for v in WORST_FIRST if counts[v])
