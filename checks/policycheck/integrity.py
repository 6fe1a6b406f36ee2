"""The checks of the record model: what must be true of the records before any rule is run on them.

They are written in the rule language, in records.yaml; each names the relation whose row is wrong.
"""

from __future__ import annotations

from policycheck_engine.norms import Judged, Norm

from policycheck.errors import Problem
from policycheck.messages import written
from policycheck.policy.model import Definition, Policy, RuleText
from policycheck.records.check import Tables
from policycheck.records.model import RecordModel


def integrity_policy(model: RecordModel) -> Policy:
    """The checks as the rules of a policy of their own."""
    integrity = model.document.data.get("integrity") or {}
    root = model.document.root / "integrity"
    definitions = {}
    for i, data in enumerate(integrity.get("definitions", ())):
        gives = tuple(v.removeprefix("$") for v in data["gives"])
        place = root / "definitions" / i
        definitions[data["define"]] = Definition(data["define"], data["means"], gives, data["when"], place)
    rules = {}
    for i, data in enumerate(integrity.get("checks", ())):
        rules[data["check"]] = RuleText(
            id=data["check"],
            data=data,
            place=root / "checks" / i,
            clauses=(),
            outcome="breach",
            severity="critical",
            binds=(),
        )
    return Policy(
        id="integrity",
        version="",
        title="Checks of the records",
        school=None,
        folder=model.document.file.parent,
        model=model,
        sections=(),
        parameters={},
        definitions=definitions,
        rules=rules,
        ranks=(),
    )


def integrity_problems(
    policy: Policy, judged: list[tuple[Norm, list[Judged]]], tables: Tables
) -> list[Problem]:
    """A problem for each subject of a check that fails for certain."""
    out = []
    for norm, subjects in judged:
        rule = policy.rules[norm.rule]
        relation = str(rule.data["row"])
        table = tables[relation]
        key = table.relation.index(policy.model.relations[relation].key[0])
        places = {row[key]: i for i, row in enumerate(table.rows)}
        for subject in subjects:
            if subject.outcome != "breach":
                continue
            row = places.get(next(iter(subject.subject.values())))
            where = table.places(row) if row is not None else f"/{relation}"
            message = written(rule.data["message"], subject, {})
            out.append(Problem(table.source, where, norm.rule, message, str(rule.data.get("remedy", ""))))
    return out
