"""Small records to begin with: the examples and scenarios of a rule, laid over the scene of its policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from policycheck_engine.values import NEVER_DATE

from policycheck.policy.model import Policy
from policycheck.records.model import RecordModel
from policycheck.review.sides import Records
from policycheck.trials import Layer, layered
from policycheck.yamlfile import load

WHOLE_WEEKS = 364
"""A year that keeps the days of the week."""


def seeds(policy: Policy, rule: str, relations: Iterable[str]) -> Iterator[tuple[Records, str | None]]:
    """The records of the examples of a rule and of the scenarios that judge it, without the relations that
    it does not read, and the day up to which each is judged when that is not the end of the term."""
    kept = list(relations)
    for layers in stories(policy, rule):
        made = layered(policy, layers)
        if not made.problems:
            records = only(made.data, kept)
            yield records, unusual(records, made.as_of, policy.model)


def scene(policy: Policy, relations: Iterable[str]) -> Records:
    """The records of the scene alone."""
    return only(layered(policy, []).data, relations)


def stories(policy: Policy, rule: str) -> Iterator[list[Layer]]:
    """What is laid over the scene: each example, and each case of a scenario that judges the rule."""
    text = policy.rules[rule]
    for examples in (text.data.get("examples") or {}).values():
        for example in examples:
            yield [example]
    for file in sorted((policy.folder / "scenarios").glob("*.yaml")):
        data = load(file, []).data
        judging = data.get("judging", ()) if isinstance(data, Mapping) else ()
        if rule in judging or any(clause in judging for clause in text.clauses):
            for case in data.get("cases", ()):
                yield [data, case]


def only(data: Mapping[str, list[dict[str, Any]]], relations: Iterable[str]) -> Records:
    """A copy of the records with these relations alone, as far as they are there."""
    return {name: deepcopy(data[name]) for name in sorted(set(relations)) if name in data}


def frame_relations(model: RecordModel) -> set[str]:
    """The relations that say which school and term records are of."""
    return {f["relation"] for f in (model.frame.school, model.frame.term) if f}


def unusual(records: Records, as_of: str | None, model: RecordModel) -> str | None:
    """An as-of date, unless records are judged up to that day anyway."""
    return None if as_of == last_day_of_term(records, model) else as_of


def first_day_of_term(records: Records, model: RecordModel) -> str | None:
    """The first day of the term under test."""
    frame = model.frame.term
    days = [str(t[frame["starts"]]) for t in records.get(frame["relation"], ())] if frame else []
    return max(days, default=None)


def last_day_of_term(records: Records, model: RecordModel) -> str | None:
    """The last day of the term under test."""
    frame = model.frame.term
    terms = records.get(frame["relation"], ()) if frame else ()
    last = max(terms, key=lambda t: str(t[frame["starts"]]), default=None) if frame else None
    return None if last is None or frame is None else str(last[frame["ends"]])


def moved(records: Records, model: RecordModel, years: int) -> Records:
    """The records with every date so many years later, on the same day of the week."""
    if not years:
        return records
    out: Records = {}
    for name, rows in records.items():
        moments = [f.name for f in model.relations[name].fields.values() if f.type in ("date", "datetime")]
        out[name] = [
            {**row, **{f: later(row[f], years * WHOLE_WEEKS) for f in moments if f in row}} for row in rows
        ]
    return out


def later(moment: Any, days: int) -> Any:
    """A date or datetime so many days later; what is none, and what never comes, as it is."""
    if not isinstance(moment, str) or moment.startswith(NEVER_DATE):
        return moment
    try:
        return (dt.date.fromisoformat(moment[:10]) + dt.timedelta(days)).isoformat() + moment[10:]
    except (ValueError, OverflowError):
        return moment
