"""Proofs that one version of a rule never finds what the other does not, for records of any size."""

from __future__ import annotations

from policycheck_engine import Program, Relation
from policycheck_engine.breaches import BREACH, judged
from policycheck_engine.contain import contained

from policycheck.policy.compile import compile_policy
from policycheck.policy.model import Setting
from policycheck.records.model import RecordModel
from policycheck.review.change import Change, Direction
from policycheck.review.sides import Side

DAYS = ("1000-01-01", "9000-01-01")
"""As-of dates before and after all others: what holds as of both, and of the scene's, holds as of any."""


def never(change: Change, direction: Direction) -> bool:
    """Whether it is proved that there are no records with a difference in this direction."""
    finds, other = (change.new, change.old) if direction == "stricter" else (change.old, change.new)
    if finds is None:
        return True
    if other is None or not same_fields(change):
        return False
    return all(
        contained(with_gaps(finds, day, change.by_subject), with_gaps(other, day, change.by_subject), BREACH)
        for day in (None, *DAYS)
    )


def same_fields(change: Change) -> bool:
    """Whether the fields that matter are the same in the record models of both versions."""
    if change.alone:
        return True
    one, two = (policy.model.relations for policy in change.policies)
    return all(
        name in one and name in two and one[name].fields.get(f) == two[name].fields.get(f)
        for name, fields in change.fields.items()
        for f in fields
    )


def with_gaps(side: Side, as_of: str | None, by_subject: bool) -> Program:
    """The program of a rule and of its breaches, over records in which whatever may be unknown is."""
    compiled = compile_policy(
        side.policy, base_with_gaps(side.policy.model), setting(side, as_of), side.rules
    )
    return judged(compiled.program, compiled.norms[0], by_subject)


def setting(side: Side, as_of: str | None) -> Setting:
    return side.setting(None) if as_of is None else Setting(as_of, {}, side.first_day)


def base_with_gaps(model: RecordModel) -> dict[str, Relation]:
    """The relations of a record model with all the gaps that records may have."""
    return {
        name: Relation(
            name,
            tuple(model.column(name, f.name, f.missing in ("unknown", "blank")) for f in r.fields.values()),
        )
        for name, r in model.relations.items()
    }
