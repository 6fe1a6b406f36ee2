"""Whether the new version of a rule asks more or less than the old one.

    verdict(old, new, "deployment.2", "deployment.2")

Stricter: there are records in which the new version finds a breach (or a missed criterion, or has advice)
for a subject and the old one does not, and none the other way round was found. Looser: the reverse.
Incomparable: both. Equivalent: neither. Subjects are compared by their values when both versions are about
the same kind of thing, else by whether there is any finding at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Literal

from msgspec import Struct

from policycheck.policy.model import Policy
from policycheck.review.change import DIRECTIONS, Change, Direction
from policycheck.review.hunt import Hunt, otherwise, told
from policycheck.review.proofs import never
from policycheck.review.scenes import last_day_of_term
from policycheck.review.sides import Records

Word = Literal["equivalent", "stricter", "looser", "incomparable", "not decided"]

BOUND = 3
SECONDS = 10.0
NEAR_EXAMPLES = 0.2
"""The part of the time that is spent near the examples when all small records were looked through."""

COUNTING = 0.4
"""The part that is spent on rows enough to count, when rules count further than the bound."""

FIRST_TRIES = 150
"""So many records near the examples are tried before anything else, since they read best."""


class Witness(Struct, frozen=True):
    """Records on which the versions differ.

    `records` is a small term file as data, which `policycheck run` accepts; `says` tells in words what each
    version makes of it, and `finding` is the id of the finding that only one of them has. `as_of` is the day
    to judge up to (`--as-of`); None: the end of their term.
    """

    direction: Direction
    records: Mapping[str, list[dict[str, Any]]]
    says: str
    finding: str
    as_of: str | None = None


class Verdict(Struct, frozen=True):
    """What became of a rule, why we say so, and records that show it.

    `proved` says that it holds for records of any size; else it was looked for in all records with up to
    `bound` rows a relation (0: near the examples only).
    """

    verdict: Word
    why: str
    proved: bool
    bound: int
    witnesses: tuple[Witness, ...]


def verdict(
    old: Policy,
    new: Policy,
    old_rule: str | None,
    new_rule: str | None,
    *,
    bound: int = BOUND,
    seconds: float = SECONDS,
    progress: Callable[[str], None] = lambda stage: None,
) -> Verdict:
    """The verdict on one rule.

    `old_rule` is None for a rule that is new, `new_rule` for one that was taken out. At most about `seconds`
    are spent on it; `progress` is told what is being tried.
    """
    change = Change(old, new, old_rule, new_rule)
    hunt = Hunt(change, seconds, progress)
    progress("looking for a proof")
    for direction in DIRECTIONS:
        if never(change, direction):
            hunt.never.add(direction)
    hunt.examples()
    if hunt.missing:
        hunt.near_examples(seconds * NEAR_EXAMPLES, FIRST_TRIES)
    if hunt.missing and hunt.counted > bound:
        hunt.by_counting(seconds * COUNTING)
    if hunt.missing and has_solver():
        hunt.by_formulas(bound)
    if hunt.missing:
        hunt.near_examples(seconds * NEAR_EXAMPLES if hunt.looked_through else seconds)
    return concluded(hunt)


def has_solver() -> bool:
    """Whether z3 is installed (`pip install 'policycheck[review]'`)."""
    return find_spec("z3") is not None


def concluded(hunt: Hunt) -> Verdict:
    """The verdict that the hunt allows."""
    witnesses = tuple(w for w in (witness(hunt, d) for d in list(hunt.found)) if w is not None)
    found = {w.direction for w in witnesses}
    if len(found) == 2:
        return Verdict("incomparable", "each version finds what the other does not", True, 0, witnesses)
    left = [d for d in DIRECTIONS if d not in found]
    proved = all(d in hunt.never for d in left)
    bound = min((hunt.bound.get((d, False), 0) for d in left if d not in hunt.never), default=0)
    why = "; ".join(because(hunt, d) for d in left)
    word: Word = "equivalent" if not found else "stricter" if "stricter" in found else "looser"
    if not found and not proved and bound < max(1, hunt.counted):
        word = "not decided"
    return Verdict(word, why, proved, bound, witnesses)


FINDS: dict[Direction, str] = {
    "stricter": "the new version finds nothing that the old one does not",
    "looser": "the old version finds nothing that the new one does not",
}


def because(hunt: Hunt, direction: Direction) -> str:
    """Why there is nothing in one direction, or why it cannot be told."""
    if direction in hunt.never:
        return f"{FINDS[direction]}, whatever the records"
    rows = hunt.bound.get((direction, False), 0)
    if not rows:
        reason = hunt.stuck.get((direction, False), "z3 is not installed" * (not has_solver()))
        said = f"{FINDS[direction]} in {hunt.tried:,} records near the examples"
        return f"{said}; more was not looked at: {reason}" if reason else said
    with_gaps = hunt.bound.get((direction, True), 0) >= rows
    gaps = "" if with_gaps else " without gaps"
    many = f"with up to {rows} row{'s' * (rows > 1)} a relation"
    more = f"; the rules count up to {hunt.counted}" if hunt.counted > rows else ""
    return f"{FINDS[direction]} in any records{gaps} {many}, as of {hunt.change.as_of}{more}"


def witness(hunt: Hunt, direction: Direction) -> Witness | None:
    """The witness of a direction, as small as can be; None when it is not real."""
    records: Records = hunt.small(direction)
    difference = hunt.real(direction, records)
    if difference is None:
        hunt.unreal.add(direction)
        return None
    change = hunt.change
    as_of = hunt.found[direction].as_of
    made = change.tables(records, as_of)
    one, other = (change.new, change.old) if direction == "stricter" else (change.old, change.new)
    assert made is not None, "the witness was judged a moment ago"
    assert one is not None, "a version without the rule finds nothing"
    finding = told(one, made, difference)
    names = ("new", "old") if direction == "stricter" else ("old", "new")
    says = (
        f"The {names[0]} version finds: {finding.message} The {names[1]} one "
        f"{otherwise(other, made, difference)}."
    )
    day = as_of if last_day_of_term(records, change.model) else change.as_of
    return Witness(direction, records, says, finding.id, day)
