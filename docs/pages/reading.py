"""What the rules of a policy read: which relations, and which parameters."""

from __future__ import annotations

from dataclasses import dataclass

from policycheck.policy.compile import compile_whole
from policycheck.policy.cone import cone_of, parameters_of
from policycheck.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Reading:
    """The relations of the records that a rule reads, directly or through definitions, and its parameters.

    Without those in `needed` it can be undecided; others are taken for empty, or only add to what is said.
    """

    relations: tuple[str, ...]
    parameters: tuple[str, ...]
    needed: tuple[str, ...]


def readings_of(policy: Policy) -> dict[str, Reading]:
    """What each rule of a policy reads, by its id."""
    compiled = compile_whole(policy)
    order = list(policy.model.relations)
    found = {}
    for norm in compiled.norms:
        cone = cone_of(compiled.program, norm.relations())
        quiet = policy.rules[norm.rule].data.get("quiet", False)
        deciding = frozenset() if quiet else cone_of(compiled.program, norm.deciding()).relations
        found[norm.rule] = Reading(
            tuple(sorted(cone.relations, key=order.index)),
            tuple(parameters_of(policy, [norm.rule], cone.definitions)),
            tuple(n for n in order if n in deciding and policy.model.relations[n].absent == "unknown"),
        )
    return found
