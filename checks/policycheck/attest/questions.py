"""What attested clauses ask of whom, and what of it is still open.

The answers come from rules of the rule language that are made of the same bodies as the rule which decides
the clause (`policy/attested.py`), so a question is open exactly while a signature that counts is wanting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from policycheck_engine import Value
from policycheck_engine.norms import Judgement

from policycheck.engines import evaluate
from policycheck.errors import UsageError
from policycheck.policy.attested import can_be_signed, question_rules, signing_roles, subject_kind
from policycheck.policy.model import Clause, Policy, RuleText, Setting
from policycheck.policy.ready import made_ready
from policycheck.prepare import Prepared

Key = tuple[Value, ...]


class Question(Struct, frozen=True):
    """One clause about one subject, to be signed in one of these roles.

    `subject` is None when it is about the school; `signer` is who has to sign in person, if somebody has.
    """

    clause: str
    asks: str
    evidence: str
    kind: str
    subject: str | None
    roles: tuple[str, ...]
    signer: str | None
    open: bool

    @property
    def about(self) -> str:
        """Whom it is about, in words."""
        return self.kind if self.subject is None else f"{self.kind} {self.subject}"


class Questions(Struct, frozen=True):
    """Everything that the attested clauses of a policy ask about a term, in the document's order.

    `unclear` are the clauses of which the records cannot tell whom else they are about.
    """

    all: tuple[Question, ...]
    unclear: tuple[str, ...]

    @property
    def open(self) -> tuple[Question, ...]:
        """What is undecided for want of a signature that counts."""
        return tuple(q for q in self.all if q.open)


def questions_of(records: Prepared, parameters: Mapping[str, Any] | None = None) -> Questions:
    """What the policy in force asks about these records; UsageError when nothing of it is signed."""
    policy, first, until = records.policies[-1]
    clauses = [c for c in policy.clauses() if c.decided_by == "attestation"]
    if not clauses or not can_be_signed(policy.model):
        raise UsageError(f"`{policy.id}` has no clause that a signature decides")
    if records.info.term is None:
        assert policy.model.frame.term is not None
        relation = policy.model.frame.term["relation"]
        raise UsageError(f"the records name no term to sign for; add it to their `{relation}`")
    base = {name: table.relation for name, table in records.tables.items()}
    asking = replace(policy, rules=dict(asking_rules(policy, clauses)))
    setting = Setting(records.info.as_of, parameters or {}, first, until)
    ready = made_ready(asking, base, setting, asking.rules)
    judged = {j.norm.rule: j for j in evaluate(ready, records.tables, records.engine)}
    found: list[Question] = []
    unclear = []
    for clause in clauses:
        asked = judged[f"{clause.id}.asked"]
        sure = [key for key, outcome in failing(asked).items() if outcome == "breach" and None not in key]
        if len(sure) < len(asked.others):
            unclear.append(clause.id)
        for i, roles in enumerate(signing_roles(clause.data["attested"])):
            wanting = failing(judged[f"{clause.id}.open.{i}"])
            found += [question(clause, roles, key, key in wanting) for key in sure]
    return Questions(tuple(found), tuple(unclear))


def asking_rules(policy: Policy, clauses: list[Clause]) -> Iterator[tuple[str, RuleText]]:
    """The rules that say what is asked, by id."""
    for clause in clauses:
        for data in question_rules(clause, policy.school or "", policy.model):
            yield (
                data["id"],
                RuleText(
                    id=data["id"],
                    data=data,
                    place=clause.place / "attested",
                    clauses=(clause.id,),
                    outcome="breach",
                    severity="minor",
                    binds=(),
                    attested=True,
                ),
            )


def failing(judgement: Judgement) -> dict[Key, str]:
    """The subjects of a rule that fail, or may fail, with their outcome."""
    return {judged.key: judged.outcome for judged in judgement.others}


def question(clause: Clause, roles: list[str], key: Key, is_open: bool) -> Question:
    """The question about one subject; the key is the subject and who signs in person, where they differ."""
    data = clause.data["attested"]
    signer = data.get("signed_by")
    if signer is not None and signer.startswith("$"):
        signer = str(key[-1])
    return Question(
        clause=clause.id,
        asks=str(clause.data["says"]),
        evidence=str(data["evidence"]),
        kind=subject_kind(data),
        subject=str(key[0]) if "subject" in data else None,
        roles=tuple(roles),
        signer=signer,
        open=is_open,
    )
