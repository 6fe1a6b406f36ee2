"""What must be true of two outcomes when the second knows more than the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policycheck_engine import Row, Value
from policycheck_engine.norms import Norm

from tests.properties.worlds import Outcome, fields, row_covers

Fields = Mapping[str, Value | tuple[Value, Value]]


def contradictions(vague: Outcome, exact: Outcome, norm: Norm | None = None) -> Iterator[str]:
    """What was certain and is not so, and what was not possible and is so."""
    for name in relations(vague):
        there, maybe = rows(exact, name, True), rows(vague, name, False)
        for row in rows(vague, name, True):
            if not any(row_covers(row, other) for other in there):
                yield f"{name} {row} was certain, and is not there"
        for row in rows(exact, name, False):
            if not any(row_covers(other, row) for other in maybe):
                yield f"{name} {row} was impossible, and may be there"
    if norm is not None:
        yield from misjudged(vague, exact, norm)


def relations(outcome: Outcome) -> list[str]:
    """The relations of the program as it was written."""
    return [name for name in outcome.split.program.relations if not name.endswith("?")]


def rows(outcome: Outcome, name: str, sure: bool) -> list[Fields]:
    """The certain or the possible rows of a relation, by column."""
    reading = outcome.split.reading(name, sure)
    relation = outcome.split.program.relations[reading]
    return [fields(relation, row) for row in outcome.facts[reading]]


def misjudged(vague: Outcome, exact: Outcome, norm: Norm) -> Iterator[str]:
    """Subjects with an outcome that is said for certain, and is another. Of a subject that may have cases
    whose subject is unknown nothing is asked."""
    possible = [subject(row, norm) for row in rows(vague, norm.case, False)]
    shaky = [key for key in possible if not is_known(key)]
    now = outcomes(exact, norm)
    for key, outcome in outcomes(vague, norm).items():
        named = dict(zip(norm.subject, key, strict=True))
        if outcome != "undecided" and None not in key and not any(row_covers(s, named) for s in shaky):
            found = now.get(key)
            if found != outcome:
                yield f"{named} was {outcome}, and is {found}"
    for key in now:
        named = dict(zip(norm.subject, key, strict=True))
        if None not in key and not any(row_covers(s, named) for s in possible):
            yield f"{named} had no case, and is {now[key]}"


def subject(row: Fields, norm: Norm) -> Fields:
    """The subject of a case."""
    return {name: row[name] for name in norm.subject}


def is_known(key: Fields) -> bool:
    """Whether all of a subject is known."""
    return all(v is not None and (not isinstance(v, tuple) or v[0] == v[1]) for v in key.values())


def outcomes(outcome: Outcome, norm: Norm) -> dict[Row, str]:
    """The outcome of each subject."""
    judgement = outcome.judged(norm)
    others = {tuple(j.subject[name] for name in norm.subject): j.outcome for j in judgement.others}
    return dict.fromkeys(judgement.met, "met") | others
