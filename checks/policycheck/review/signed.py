"""What changed in how an attested clause is signed for: by whom, for whom, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from policycheck.policy.model import Clause, RuleText
from policycheck.review.changes import Change
from policycheck.review.edits import joined, same
from policycheck.review.rules import Compared, weight_changes
from policycheck.review.same import Versions


def signed_changes(
    versions: Versions, old: tuple[Clause, RuleText], new: tuple[Clause, RuleText]
) -> tuple[list[Change], list[str]]:
    """What changed in one of the rules that an attested clause is made into."""
    before, after = as_rule(*old), as_rule(*new)
    compared = Compared(versions, before, after)
    changes = list(compared.parts())
    changes += signatures(old[0].data["attested"], new[0].data["attested"])
    if new[1].id == new[0].id:
        changes += compared.text("evidence", *(c.data["attested"]["evidence"] for c in (old[0], new[0])))
    return [*changes, *weight_changes(old[1], new[1])], compared.remarks


def as_rule(clause: Clause, rule: RuleText) -> RuleText:
    """The clause's own words as a rule: its scope, and for a contradiction what it forbids."""
    attested = clause.data["attested"]
    data: dict[str, Any] = {
        "for_each": attested.get("for_each", []),
        "subject": [attested["subject"]] if "subject" in attested else [],
        "message": "",
    }
    place = clause.place / "attested"
    if rule.id == clause.id:
        return replace(rule, data={**data, "require": [], "examples": attested.get("examples")}, place=place)
    word = rule.id.removeprefix(f"{clause.id}.contradicted").lstrip(".")
    against = attested.get("contradicted_by", ())[int(word) - 1 if word else 0]
    return replace(rule, data={**data, "forbid": against["when"], "message": against["say"]}, place=place)


def signatures(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Who signs, and whether for a person, a class or the school."""
    keys = ("by", "by_any", "signed_by")
    if not all(same(old.get(key), new.get(key)) for key in keys):
        before, after = ({k: d[k] for k in keys if k in d} for d in (old, new))
        yield Change("signature", "by", f"now {signers(new)}, was {signers(old)}", before, after)
    if old.get("kind") != new.get("kind"):
        before, after = old.get("kind", "not given"), new.get("kind", "not given")
        yield Change("signature", "kind", f"the answer is about: now {after}, was {before}", before, after)


def signers(data: Mapping[str, Any]) -> str:
    """Who has to sign."""
    said = [f"signed by {joined(data['by'])}"] if data.get("by") else []
    if data.get("by_any"):
        said.append(f"signed by any of {', '.join(data['by_any'])}")
    if "signed_by" in data:
        said.append(f"by {data['signed_by']} in person")
    return ", ".join(said)
