"""What a rule rests on, directly or through definitions: definitions, parameters, fields and calendars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

from policycheck.policy.bodies import AGGREGATES
from policycheck.policy.model import Policy, RuleText
from policycheck.review.phrases import items

Kind = Literal["definition", "parameter", "field", "relation", "calendar"]
Use = tuple[Kind, str]

BODIES = ("for_each", "measure", "unless", "require", "forbid", "excuse", "minor_when", "unanswered")
TERMS = ("due", "holds_for", "allow")


class Uses(Struct, frozen=True, dict=True):
    """What the rules of a policy rest on."""

    policy: Policy

    def of_rule(self, rule: RuleText) -> dict[Use, tuple[str, ...]]:
        """All that a rule rests on, each with the definitions that lead there."""
        return self.reached(self.direct(rule))

    def reached(self, start: set[Use]) -> dict[Use, tuple[str, ...]]:
        """These, and what the definitions among them rest on; the shortest way to each."""
        found: dict[Use, tuple[str, ...]] = {}
        queue: list[tuple[Use, tuple[str, ...]]] = [(use, ()) for use in sorted(start)]
        for use, way in queue:
            if use in found:
                continue
            found[use] = way
            if use[0] == "definition":
                queue += [(more, (*way, use[1])) for more in sorted(self.definitions[use[1]])]
        return found

    @cached_property
    def definitions(self) -> dict[str, set[Use]]:
        return {name: set(self.in_body(d.when)) for name, d in self.policy.definitions.items()}

    def direct(self, rule: RuleText) -> set[Use]:
        """What stands in the rule itself."""
        data = rule.data
        found: set[Use] = set()
        for key in BODIES:
            if key in data and data[key] != "always":
                found.update(self.in_unless(data[key]) if key == "unless" else self.in_body(data[key]))
        for part in (*data.get("notes", ()), *([data["explained_by"]] if "explained_by" in data else ())):
            found.update(self.in_body(part["when"]))
        for key in TERMS:
            found.update(self.in_term(data.get(key)))
        return found

    def in_unless(self, data: Any) -> Iterator[Use]:
        for part in data if isinstance(data, list) else [data]:
            yield from self.in_body(part.get("when", part))

    def in_body(self, data: Any) -> Iterator[Use]:
        for key, value in items(data):
            if key in ("not", "any"):
                yield from self.in_body(value)
            elif key == "every":
                yield from self.in_body([value["every"], value["has"]])
            elif key in AGGREGATES:
                yield from self.in_body([value[part] for part in ("where", "of", "have") if part in value])
                rest = {k: v for k, v in value.items() if k not in ("where", "of", "have")}
                yield from self.in_term(rest)
                yield from self.calendar(str(value.get("in", "")))
            else:
                yield from self.in_relation(key, value)
                yield from self.in_term({key: value})

    def in_relation(self, name: str, patterns: Any) -> Iterator[Use]:
        if name in self.policy.definitions:
            yield "definition", name
        elif name in self.policy.model.relations:
            yield "relation", name
            yield from (("field", f"{name}.{f}") for f in patterns)

    def in_term(self, data: Any) -> Iterator[Use]:
        """Parameters and calendars in a term or pattern."""
        if isinstance(data, str) and data[:1] == "$" and data[1:] in self.policy.parameters:
            yield "parameter", data[1:]
        elif isinstance(data, list):
            for value in data:
                yield from self.in_term(value)
        elif isinstance(data, Mapping):
            for key, value in data.items():
                yield from self.in_term(key)
                yield from self.calendar(key.removesuffix("_from"))
                yield from self.in_term(value)

    def calendar(self, name: str) -> Iterator[Use]:
        calendar = self.policy.model.calendars.get(name)
        if calendar is not None:
            yield "calendar", name
            yield "relation", calendar.relation
            yield "field", f"{calendar.relation}.{calendar.field}"
