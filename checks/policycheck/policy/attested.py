"""Attested clauses as rules: what counts as a signed yes, written in the rule language itself.

The relations `attestations`, `attestation_evidence` and `staff_roles` of the record model carry the
answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policycheck.policy.model import Clause
from policycheck.records.model import RecordModel

Body = list[dict[str, Any]]


def attested_rules(
    clause: Clause, school: str, model: RecordModel, signed_as: tuple[str, ...] = ()
) -> Iterator[Mapping[str, Any]]:
    """The rule that decides an attested clause, and the one that sets records against a yes.

    `signed_as` are the ids under which answers are looked for, when they are not the clause's own.
    """
    data = clause.data["attested"]
    term = model.frame.term
    if term is None or "attestations" not in model.relations:
        return
    subject = data.get("subject", "$term")
    frame: Body = [
        {term["relation"]: {term["id"]: "$term", term["starts"]: "$term_starts", term["ends"]: "$term_ends"}},
        {"$term_starts": {"on_or_before": "$as_of"}},
        {
            "not": {
                term["relation"]: {term["starts"]: {"after": "$term_starts", "on_or_before": "$as_of"}},
            }
        },
    ]
    scope = [*frame, *_listed(data.get("for_each", []))]
    answers = _Answers(signed_as or (clause.id,), school, data)
    missing = [{"not": answers.given(None, roles)} for roles in answers.groups]
    yield {
        "id": clause.id,
        "for_each": scope,
        "subject": [subject],
        "unless": answers.given(["not_applicable"], answers.roles),
        "require": [
            *(answers.given(["yes"], roles)[0] for roles in answers.groups),
            {"not": answers.given(["no", "partly"], answers.roles)},
        ],
        "unanswered": [
            {"any": missing},
            {"not": answers.given(["no", "partly"], answers.roles)},
        ],
        "minor_when": {
            "any": [answers.given(["partly"], answers.roles), answers.given(["yes"], answers.roles)]
        },
        "message": _message(clause, data),
        "remedy": f"To be signed by: {', '.join(answers.roles)}. Evidence: {data['evidence']}",
        "examples": data.get("examples", {}),
    }
    for i, against in enumerate(data.get("contradicted_by", ())):
        yield {
            "id": f"{clause.id}.contradicted" + (f".{i + 1}" if i else ""),
            "for_each": [*scope, *answers.given(["yes"], answers.roles)],
            "subject": [subject],
            "forbid": against["when"],
            "outcome": "advice",
            "quiet": True,
            "severity": "minor",
            "message": against["say"],
            "remedy": "Look at these records with whoever signed.",
        }


class _Answers:
    """Bodies that ask for a valid answer to one clause."""

    def __init__(self, clauses: tuple[str, ...], school: str, data: Mapping[str, Any]) -> None:
        schools = sorted({school, school.replace("_", "-")}) if school else []
        self.names = [name for c in clauses for name in (c, *(f"{s}/{c}" for s in schools))]
        self.data = data
        self.roles = [*data.get("by", ()), *data.get("by_any", ())]
        self.groups = [[role] for role in data.get("by", ())]
        if data.get("by_any"):
            self.groups.append(list(data["by_any"]))
        self.count = 0

    def given(self, answers: list[str] | None, roles: list[str]) -> Body:
        """There is a valid answer of one of these kinds, signed in one of these roles."""
        self.count += 1
        n = self.count
        row: dict[str, Any] = {
            "attestation_id": f"$attestation_{n}",
            "clause_id": self.names,
            "term_id": "$term",
            "signed_by": self.data.get("signed_by", f"$signer_{n}"),
            "signed_on": {"is": f"$signed_{n}", "on_or_before": "$term_ends"},
            "signed_role": {"is": f"$role_{n}", "one_of": roles},
            "expires_on": {"on_or_after": "$as_of"},
            "subject_kind": self.data.get("kind", "school" if "subject" not in self.data else "staff"),
        }
        if "subject" in self.data:
            row["subject_id"] = self.data["subject"]
        if answers is not None:
            row["answer"] = answers
        held = {
            "staff_id": row["signed_by"],
            "role": f"$role_{n}",
            "from_on": {"on_or_before": f"$signed_{n}"},
            "to_on": {"on_or_after": f"$signed_{n}"},
        }
        evidence = {"attestation_evidence": {"attestation_id": f"$attestation_{n}"}}
        body: dict[str, Any] = {"attestations": row, "staff_roles": held}
        if answers is None:
            other = ["no", "partly", "not_applicable"]
            body["any"] = [{f"$answer_{n}": {"one_of": other}}, evidence]
            row["answer"] = f"$answer_{n}"
        elif answers == ["yes"]:
            body.update(evidence)
        return [{"not": {"not": body}}]


def _listed(body: Any) -> Body:
    return body if isinstance(body, list) else [body]


def _message(clause: Clause, data: Mapping[str, Any]) -> str:
    return f"The signed answers do not say that it is so: {clause.data['says']}"
