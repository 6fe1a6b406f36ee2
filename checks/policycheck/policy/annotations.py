"""Findings of lint that the policy accepts: `lint:` in a rule, clause, parameter or definition.

lint: {never-breached: why}                    of a rule, or of a signed clause
lint: {implied: {the.other.rule: why}}         of the rule that is implied
lint: {never-both-met: {the.other.rule: why}}  of either rule
lint: {words-only: why}                        of a clause
lint: {unused: why}                            of a parameter or a definition
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from policycheck.policy.model import Policy
from policycheck.yamlfile import Place


class Annotation(Struct, frozen=True):
    """Why a finding of some code about something is as it should be; `other` is the other rule of a pair."""

    kind: Literal["rule", "clause", "parameter", "definition"]
    about: str
    code: str
    other: str | None
    why: str
    place: Place


def annotations_of(policy: Policy) -> Iterator[Annotation]:
    """All annotations of a policy."""
    for parameter in policy.parameters.values():
        yield from at("parameter", parameter.name, written(parameter.place), parameter.place)
    for definition in policy.definitions.values():
        yield from at("definition", definition.name, written(definition.place), definition.place)
    for clause in policy.clauses():
        yield from at("clause", clause.id, clause.data, clause.place)
    for rule in policy.rules.values():
        if not rule.attested:
            yield from at("rule", rule.id, rule.data, rule.place)


def at(kind: Any, name: str, data: Mapping[str, Any], place: Place) -> Iterator[Annotation]:
    """The annotations that stand in one place."""
    for code, why in data.get("lint", {}).items():
        here = place / "lint" / code
        if isinstance(why, Mapping):
            for other, reason in why.items():
                yield Annotation(kind, name, code, other, squeezed(reason), here / other)
        else:
            yield Annotation(kind, name, code, None, squeezed(why), here)


def squeezed(text: Any) -> str:
    """A text on one line."""
    return " ".join(str(text).split())


def written(place: Place) -> Mapping[str, Any]:
    """What stands at a place of a document."""
    data = place.document.data
    for key in place.path:
        data = data[key]
    return data if isinstance(data, Mapping) else {}
