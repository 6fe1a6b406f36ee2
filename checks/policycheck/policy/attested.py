"""Attested clauses as rules: what counts as a signed yes, written in the rule language itself.

The relations `attestations`, `attestation_evidence` and `staff_roles` of the record model carry the
answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from policycheck.policy.model import Clause
from policycheck.records.model import RecordModel

Body = list[dict[str, Any]]

ANSWERS = ("yes", "no", "partly", "not_applicable")
SIGNED = "signed"
"""How the variables of a note end that gives a signature: `$by_signed`, `$answer_signed` and so on."""


def attested_rules(
    clause: Clause, school: str, model: RecordModel, signed_as: tuple[str, ...] = ()
) -> Iterator[Mapping[str, Any]]:
    """The rule that decides an attested clause, and those that set records against a yes.

    `signed_as` are the ids under which answers are looked for, when they are not the clause's own.
    """
    if not can_be_signed(model):
        return
    answers = _Answers(clause, school, model, signed_as)
    yield {
        "id": clause.id,
        "for_each": answers.scope,
        "subject": [answers.subject],
        "unless": answers.not_applicable(),
        "require": [
            *(answers.given(["yes"], roles)[0] for roles in answers.groups),
            {"not": answers.given(["no", "partly", "not_applicable"])},
        ],
        "unanswered": [
            {"any": [{"not": answers.given(ANSWERS, roles)} for roles in answers.groups]},
            {"not": answers.given(["no", "partly"])},
        ],
        "minor_when": {"any": [answers.given([answer]) for answer in ("partly", "yes", "not_applicable")]},
        "notes": [answers.signatures(ANSWERS)],
        "groups": answers.groups,
        "message": f"{{signatures}}: {_literal(clause.data['says'])}",
        "to_sign": f"To be signed by: {signers(answers.groups)}. Evidence: {answers.data['evidence']}",
        "remedy": "Find out from whoever signed what is amiss.",
        "examples": answers.data.get("examples", {}),
    }
    for i, against in enumerate(answers.data.get("contradicted_by", ())):
        yield {
            "id": f"{clause.id}.contradicted" + (f".{i + 1}" if i else ""),
            "for_each": [*answers.scope, *answers.given(["yes"])],
            "subject": [answers.subject],
            "forbid": against["when"],
            "outcome": "advice",
            "contradicts": against["say"],
            "severity": "minor",
            "notes": [answers.signatures(["yes"])],
            "message": f"{{signatures}}, and the records speak against it: {against['say']}",
            "remedy": "Look at these records with whoever signed.",
        }


def question_rules(clause: Clause, school: str, model: RecordModel) -> list[Mapping[str, Any]]:
    """Rules that say what an attested clause asks, by the same bodies as the one that decides it.

    The first fails for whatever is asked; then one for each group of roles that has to sign, which fails
    while no signature of the group decides. Subjects are whom it is about, and who has to sign in person.
    """
    answers = _Answers(clause, school, model)
    signer = answers.data.get("signed_by", "")
    subject = list(dict.fromkeys([answers.subject, *([signer] if signer.startswith("$") else [])]))
    asked = {"for_each": answers.scope, "subject": subject, "message": ""}
    return [
        {**asked, "id": f"{clause.id}.asked", "forbid": "always"},
        *(
            {
                **asked,
                "id": f"{clause.id}.open.{i}",
                "require": {
                    "any": [
                        answers.given(ANSWERS, roles),
                        answers.given(["no", "partly"]),
                        answers.not_applicable(),
                    ]
                },
            }
            for i, roles in enumerate(answers.groups)
        ),
    ]


def can_be_signed(model: RecordModel) -> bool:
    """Whether a record model has what signatures need."""
    return model.frame.term is not None and "attestations" in model.relations


def signing_roles(data: Mapping[str, Any]) -> list[list[str]]:
    """The roles that sign a clause: one signature of each group is needed."""
    groups = [[role] for role in data.get("by", ())]
    return [*groups, list(data["by_any"])] if data.get("by_any") else groups


def clause_names(clause_id: str, school: str) -> list[str]:
    """How an attestation may name a clause; the first is the usual one."""
    prefixes = dict.fromkeys([school, school.replace("_", "-")]) if school else {}
    return [*(f"{prefix}/{clause_id}" for prefix in prefixes), clause_id]


class _Answers:
    """The scope of an attested clause, and bodies that ask for a valid answer to it."""

    def __init__(
        self, clause: Clause, school: str, model: RecordModel, signed_as: tuple[str, ...] = ()
    ) -> None:
        self.data = clause.data["attested"]
        self.names = [name for id_ in signed_as or (clause.id,) for name in clause_names(id_, school)]
        self.groups = signing_roles(self.data)
        self.roles = [role for group in self.groups for role in group]
        self.subject = self.data.get("subject", "$term")
        self.scope = [*this_term(model), *_listed(self.data.get("for_each", []))]
        self.count = 0

    def given(self, answers: Iterable[str], roles: list[str] | None = None) -> Body:
        """There is a valid answer of one of these kinds, signed in one of these roles, or in any."""
        self.count += 1
        return [{"not": {"not": self.valid(list(answers), roles or self.roles, str(self.count))}}]

    def not_applicable(self) -> Body:
        """Whoever signed says that it does not apply."""
        return [*self.given(["not_applicable"]), {"not": self.given(["yes", "no", "partly"])}]

    def signatures(self, answers: Iterable[str]) -> dict[str, Any]:
        """A note that gives the variables of each valid answer, which `findings` makes signatures of."""
        body = self.valid(list(answers), self.roles, SIGNED)
        if "signed_by" in self.data:
            body[f"$by_{SIGNED}"] = {"is": self.data["signed_by"]}
        return {"when": body, "say": ""}

    def valid(self, answers: list[str], roles: list[str], of: str) -> dict[str, Any]:
        """A valid answer, in variables whose names end in `of`."""
        row: dict[str, Any] = {
            "attestation_id": f"$id_{of}",
            "clause_id": self.names,
            "term_id": "$term",
            "answer": {"is": f"$answer_{of}", "one_of": answers},
            "signed_by": self.data.get("signed_by", f"$by_{of}"),
            "signed_on": {"is": f"$on_{of}", "on_or_before": {"earlier": ["$term_ends", "$as_of"]}},
            "signed_role": {"is": f"$role_{of}", "one_of": roles},
            "expires_on": {"on_or_after": "$as_of"},
            "subject_kind": subject_kind(self.data),
        }
        if "subject" in self.data:
            row["subject_id"] = self.data["subject"]
        held = {
            "staff_id": row["signed_by"],
            "role": f"$role_{of}",
            "from_on": {"on_or_before": f"$on_{of}"},
            "to_on": {"on_or_after": f"$on_{of}"},
        }
        body: dict[str, Any] = {"attestations": row, "staff_roles": held}
        evidence = {"attestation_evidence": {"attestation_id": f"$id_{of}"}}
        if answers == ["yes"]:
            body |= evidence
        elif "yes" in answers:
            body["any"] = [{f"$answer_{of}": {"not": "yes"}}, evidence]
        return body


def this_term(model: RecordModel) -> Body:
    """The term under test: `$term`, from `$term_starts` to `$term_ends`."""
    assert model.frame.term is not None
    relation, id_, starts, ends = (model.frame.term[k] for k in ("relation", "id", "starts", "ends"))
    return [
        {relation: {id_: "$term", starts: "$term_starts", ends: "$term_ends"}},
        {"$term_starts": {"on_or_before": "$as_of"}},
        {"not": {relation: {starts: {"after": "$term_starts", "on_or_before": "$as_of"}}}},
    ]


def subject_kind(data: Mapping[str, Any]) -> str:
    """What an attestation of a clause is about."""
    return str(data.get("kind", "staff" if "subject" in data else "school"))


def signers(groups: Iterable[Iterable[str]]) -> str:
    """Which roles sign, in words: one signature of each group is needed."""
    return " and ".join(" or ".join(roles) for roles in groups).replace("_", " ")


def _listed(body: Any) -> Body:
    return body if isinstance(body, list) else [body]


def _literal(text: str) -> str:
    """A text as it stands in a message, where braces are names."""
    return text.replace("{", "{{").replace("}", "}}")
