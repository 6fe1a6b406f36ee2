"""What can leave a rule undecided: fields that may be unknown, and relations that the input may not have.

A field counts when it makes a difference: when it alone is unknown and all else known, and what decides
the rule is then read in another way. What a rule only shows in a message makes none. A relation always
makes one.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace
from policycheck_engine import Program, Relation
from policycheck_engine.norms import Norm
from policycheck_engine.readings import readings
from policycheck_engine.strata import needed

from policycheck.policy.compile import compile_whole
from policycheck.policy.cone import cone_of
from policycheck.policy.model import Policy
from policycheck.records.model import RecordModel


class Unknowns(Struct, frozen=True):
    """What can leave one rule undecided: fields as (relation, field), and relations."""

    fields: tuple[tuple[str, str], ...]
    relations: tuple[str, ...]


def unknowns_of(policy: Policy, rules: Iterable[str] | None = None) -> dict[str, Unknowns]:
    """What can leave each rule of a policy undecided, by its id; `rules` leaves out all others."""
    compiled = compile_whole(policy)
    wanted = set(policy.rules if rules is None else rules)
    return {
        n.rule: unknowns_in(compiled.program, n, policy.model) for n in compiled.norms if n.rule in wanted
    }


def unknowns_in(program: Program, norm: Norm, model: RecordModel) -> Unknowns:
    """What can leave a norm undecided."""
    deciding = list(norm.deciding())
    part = all_known(needed(program, deciding))
    cone = cone_of(part, deciding)
    by_number = norm.share is not None or bool(norm.allow)
    usual = readings(part).program

    def matters(relation: str, name: str) -> bool:
        changed = unknown_in(part.relations[relation], name)
        made = readings(replace(part, relations={**part.relations, relation: changed})).program
        if made.rules != usual.rules:
            return True
        return by_number and made.relations[norm.case] != usual.relations[norm.case]

    return Unknowns(
        fields=tuple(
            (relation, name)
            for relation, name in sorted(cone.columns)
            if model.relations[relation].fields[name].missing in ("unknown", "blank")
            and matters(relation, name)
        ),
        relations=tuple(name for name in sorted(cone.relations) if model.relations[name].absent == "unknown"),
    )


def all_known(program: Program) -> Program:
    """The program over records in which nothing is unknown."""
    relations = {
        name: replace(relation, columns=tuple(replace(c, unknown=False) for c in relation.columns))
        for name, relation in program.relations.items()
    }
    return replace(program, relations=relations)


def unknown_in(relation: Relation, name: str) -> Relation:
    """A relation of which one column may be unknown."""
    columns = tuple(replace(c, unknown=c.unknown or c.name == name) for c in relation.columns)
    return replace(relation, columns=columns)
