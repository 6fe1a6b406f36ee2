"""Which part of the new version was which part of the old one: by its id, and by what `was` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from policycheck.policy.attested import attested_rules
from policycheck.policy.model import Policy, RuleText

Ids = Mapping[str, tuple[str, ...]]
"""The ids of the new version, each with those it had in the old one; () for what is new."""


class Named(Protocol):
    """What can say which ids it had before."""

    @property
    def was(self) -> tuple[str, ...] | None: ...


class Pairs(Struct, frozen=True):
    """What became of what."""

    clauses: Ids
    rules: Ids
    definitions: Ids
    parameters: Ids


def paired(old: Policy, new: Policy) -> Pairs:
    """Follow everything in the new version to the old one."""
    clauses = followed({c.id: c for c in old.clauses()}, {c.id: c for c in new.clauses()})
    return Pairs(
        clauses=clauses,
        rules=followed_rules(old, new, clauses),
        definitions=followed(old.definitions, new.definitions),
        parameters=followed(old.parameters, new.parameters),
    )


def followed(old: Mapping[str, Named], new: Mapping[str, Named]) -> dict[str, tuple[str, ...]]:
    """The earlier ids of each id."""
    out: dict[str, tuple[str, ...]] = {}
    for name, item in new.items():
        same: tuple[str, ...] = (name,) if name in old else ()
        said = renamed_since(item, old.get(name))
        if said is None:
            out[name] = same
        else:
            out[name] = tuple(dict.fromkeys(w for w in said if w in old)) or (() if not item.was else same)
    return out


def renamed_since(item: Named, before: Named | None) -> tuple[str, ...] | None:
    """What `was` says that the old version did not know yet; a renaming of long ago says nothing now."""
    known = before.was if before is not None else None
    if item.was is None or item.was == known:
        return None
    return tuple(w for w in item.was if w not in (known or ()))


def followed_rules(old: Policy, new: Policy, clauses: Ids) -> dict[str, tuple[str, ...]]:
    """The earlier ids of each rule. The rules of a renamed clause are renamed with it."""
    out = followed(old.rules, {r.id: r for r in new.rules.values() if r.was is not None})
    stay = [r for r in new.rules.values() if r.was is None and r.clauses[0] in clauses[r.clauses[0]]]
    out |= {r.id: (r.id,) if r.id in old.rules else () for r in stay}
    taken = {w for was in out.values() for w in was}
    for rule in new.rules.values():
        if rule.id not in out:
            out[rule.id] = tuple(
                w for w in under_earlier_clause(rule, clauses) if w in old.rules and w not in taken
            )
    return {name: out[name] for name in new.rules}


def under_earlier_clause(rule: RuleText, clauses: Ids) -> Iterable[str]:
    """What the rule was called when its clause had its earlier id."""
    clause = rule.clauses[0]
    word = rule.id.removeprefix(clause)
    return [was + word for was in clauses[clause]]


def followers(ids: Ids) -> dict[str, tuple[str, ...]]:
    """The same the other way round: what each old id became."""
    out: dict[str, tuple[str, ...]] = {}
    for name, was in ids.items():
        for w in was:
            out[w] = (*out.get(w, ()), name)
    return out


def as_signed_before(new: Policy, clauses: Ids) -> Policy:
    """The new version, reading the answers that were signed when its clauses had their earlier ids."""
    rules = dict(new.rules)
    for clause in new.clauses():
        was = clauses[clause.id]
        if clause.decided_by == "attestation" and was and was != (clause.id,):
            for data in attested_rules(clause, new.school or "", new.model, signed_as=was):
                rules[data["id"]] = replace(rules[data["id"]], data=data)
    return new if rules == new.rules else replace(new, rules=rules, key="")
