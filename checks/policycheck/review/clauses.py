"""What became of each clause: where it stands, what it says, and how it is decided."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policycheck.policy.model import Clause, Policy
from policycheck.review.changes import Change, ClauseChange, RuleChange, Status
from policycheck.review.edits import list_edits
from policycheck.review.named import status_of
from policycheck.review.rules import squeezed
from policycheck.review.same import Versions

TEXTS = {"says": "says", "reading": "how it is read", "item": "its place in the document"}
LISTS = {"binds": "bearer", "for": "beneficiary", "see": "wording"}
WAYS = {
    "rule": "by rules over records",
    "attestation": "by a signed yes or no",
    "definition": "by what it defines",
    "nothing": "by nothing",
}


GONE = "-"
"""Before the id of a clause that is gone: another may have that id now."""


def clause_changes(versions: Versions, rules: Mapping[str, Sequence[RuleChange]]) -> Iterator[ClauseChange]:
    """Every clause in the order of the new document; one that is gone follows the one it stood behind.

    `rules` are the rules that changed, by the clause they are told under (one that is gone after `GONE`).
    """
    old = {clause.id: clause for clause in versions.old.clauses()}
    places = section_of(versions.old), section_of(versions.new)
    moved = moved_within(versions, places)
    gone = removed_after(versions)
    yield from (removed(versions, old[name], places[0], rules) for name in gone.pop("", ()))
    for clause in versions.new.clauses():
        yield one_clause(versions, clause, old, places, moved, rules.get(clause.id, ()))
        was = versions.pairs.clauses[clause.id]
        for name in dict.fromkeys([*was, clause.id]):
            yield from (removed(versions, old[g], places[0], rules) for g in gone.pop(name, ()))


def section_of(policy: Policy) -> dict[str, str]:
    """The section of each clause."""
    return {clause.id: section.id for section in policy.sections for clause in section.clauses}


def removed_after(versions: Versions) -> dict[str, list[str]]:
    """The clauses that are gone, by the last clause before them that is not; "" for the front."""
    out: dict[str, list[str]] = {}
    last = ""
    for clause in versions.old.clauses():
        if clause.id in versions.clauses:
            last = clause.id
        else:
            out.setdefault(last, []).append(clause.id)
    return out


def removed(
    versions: Versions, clause: Clause, sections: Mapping[str, str], rules: Mapping[str, Sequence[RuleChange]]
) -> ClauseChange:
    """A clause that the new version does not have."""
    says = squeezed(clause.data["says"])
    return ClauseChange(
        id=clause.id,
        old=(clause.id,),
        new=(),
        status="removed",
        section=sections[clause.id],
        old_says=says,
        new_says="",
        changes=(Change("removed", clause.id, "the clause is no longer there", says),),
        rules=tuple(rules.get(GONE + clause.id, ())),
    )


def one_clause(
    versions: Versions,
    clause: Clause,
    old: Mapping[str, Clause],
    places: tuple[Mapping[str, str], Mapping[str, str]],
    moved: set[str],
    rules: Sequence[RuleChange],
) -> ClauseChange:
    """A clause of the new version, and what it was."""
    was = versions.pairs.clauses[clause.id]
    says = squeezed(clause.data["says"])
    changes: list[Change] = []
    if not was:
        changes.append(Change("added", clause.id, "the clause is new", None, says))
    else:
        changes += standing(versions, clause.id, was, places, moved)
        changes += edited(old[was[0]], clause)
        changes += cited(versions, old[was[0]], clause)
    parts = [c.id for w in was for c in [old[w]]]
    followers = tuple(dict.fromkeys(f for w in was for f in versions.clauses[w])) or (clause.id,)
    return ClauseChange(
        id=clause.id,
        old=tuple(parts),
        new=followers,
        status=clause_status(changes, rules),
        section=places[1][clause.id],
        old_says=" / ".join(squeezed(old[w].data["says"]) for w in was),
        new_says=says,
        changes=tuple(changes),
        rules=tuple(rules),
    )


def clause_status(changes: Sequence[Change], rules: Sequence[RuleChange]) -> Status:
    """What became of a clause, with its rules."""
    kinds = {change.kind for change in changes}
    for status in ("added", "split", "merged"):
        if status in kinds:
            return status
    if any(r.old is None or r.new is None for r in rules):
        return "changed"
    return status_of([*changes, *(c for r in rules for c in r.changes)])


def standing(
    versions: Versions,
    name: str,
    was: tuple[str, ...],
    places: tuple[Mapping[str, str], Mapping[str, str]],
    moved: set[str],
) -> Iterator[Change]:
    """Where a clause stands, and what it is called."""
    followers = versions.clauses[was[0]]
    if len(followers) > 1:
        said = f"{was[0]} is split into {' and '.join(followers)}"
        yield Change("split", name, said, was[0], list(followers))
    elif len(was) > 1:
        yield Change("merged", name, f"{' and '.join(was)} are one clause now", list(was), name)
    elif was[0] != name:
        yield Change("renamed", name, f"was called {was[0]}", was[0], name)
    before, after = places[0][was[0]], places[1][name]
    if before != after:
        yield Change("moved", name, f"moved from section {before} to section {after}", before, after)
    elif name in moved:
        yield Change("moved", name, f"moved to another place in section {after}")


def moved_within(versions: Versions, places: tuple[Mapping[str, str], Mapping[str, str]]) -> set[str]:
    """The clauses that stand in another order than before: as few as explain the new order."""
    position = {clause.id: i for i, clause in enumerate(versions.old.clauses())}
    out: set[str] = set()
    for section in versions.new.sections:
        stayed = [
            (clause.id, position[was[0]])
            for clause in section.clauses
            if (was := versions.pairs.clauses[clause.id]) and places[0][was[0]] == section.id
        ]
        kept = in_order([p for _, p in stayed])
        out |= {name for i, (name, _) in enumerate(stayed) if i not in kept}
    return out


def in_order(numbers: Sequence[int]) -> set[int]:
    """The places of a longest run of numbers that never falls."""
    tails: list[int] = []
    best: list[int] = []
    before: list[int] = []
    for i, number in enumerate(numbers):
        at = bisect_left(tails, number + 1)
        before.append(best[at - 1] if at else -1)
        tails[at : at + 1] = [number]
        best[at : at + 1] = [i]
    out: set[int] = set()
    i = best[-1] if best else -1
    while i >= 0:
        out.add(i)
        i = before[i]
    return out


def edited(old: Clause, new: Clause) -> Iterator[Change]:
    """What a clause says, whom it binds and how strongly."""
    for key, label in TEXTS.items():
        was, now = old.data.get(key, ""), new.data.get(key, "")
        if squeezed(was) != squeezed(now):
            yield Change("wording", key, f"{label}: reworded", squeezed(was), squeezed(now))
    for key in ("modality", "force"):
        if old.data[key] != new.data[key]:
            said = f"now {new.data[key]}, was {old.data[key]}"
            yield Change(key, key, said, old.data[key], new.data[key])
    for key, kind in LISTS.items():
        was, now = old.data.get(key, []), new.data.get(key, [])
        if sorted(was) != sorted(now):
            yield Change(kind, key, list_edits(was, now), was, now)
    if old.decided_by != new.decided_by:
        said = f"decided {WAYS[new.decided_by]} now, was {WAYS[old.decided_by]}"
        yield Change("decided by", "decided by", said, old.decided_by, new.decided_by)


def cited(versions: Versions, old: Clause, new: Clause) -> Iterator[Change]:
    """The rules of other clauses that decide this one too, and what it defines."""

    def today(names: Any, called: Mapping[str, str]) -> list[str]:
        return [called.get(name, name) for name in names if isinstance(name, str)]

    rules = {w: name for name, was in versions.pairs.rules.items() for w in was}
    terms = {**versions.relations, **versions.parameters}
    for key, called, kind in (("rules", rules, "decided by"), ("defines", terms, "wording")):
        was, now = today(old.data.get(key, ()), called), today(new.data.get(key, ()), {})
        if sorted(was) != sorted(now):
            label = "also decided by" if key == "rules" else "it defines"
            yield Change(kind, key, f"{label}: {list_edits(was, now)}", was, now)
