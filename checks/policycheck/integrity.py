"""The checks of the record model: what must be true of the records before any rule is run on them.

They are written in the rule language, in records.yaml; each names the relation whose row is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from policycheck_engine import Value
from policycheck_engine.norms import Judgement

from policycheck.cache import kept, key_of, text_of
from policycheck.errors import Problem
from policycheck.messages import Sentence
from policycheck.policy.model import Definition, Policy, RuleText
from policycheck.records.check import Table, Tables, without_rows
from policycheck.records.model import NO_MODEL, RecordModel


class WrongRow(Problem, frozen=True):
    """A row that a check found wrong."""

    relation: str = ""
    row: int = 0


def integrity_policy(model: RecordModel) -> Policy:
    """The checks as the rules of a policy of their own."""
    key = key_of("checks", text_of([model.document.file]))
    policy = kept(key, lambda: replace(read_checks(model), model=NO_MODEL))
    return replace(policy, model=model, key=key)


def read_checks(model: RecordModel) -> Policy:
    """The checks as the model's file has them now."""
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


def integrity_problems(policy: Policy, judgements: Sequence[Judgement], tables: Tables) -> list[WrongRow]:
    """A problem for each subject of a check that fails for certain."""
    out: list[WrongRow] = []
    for judgement in judgements:
        rule = policy.rules[judgement.norm.rule]
        relation = str(rule.data["row"])
        table = tables[relation]
        places = rows_by_key(table, policy.model)
        for subject in judgement.others:
            if subject.outcome == "breach":
                row = places[next(iter(subject.subject.values()))]
                message = Sentence(rule.data["message"], {}).about(subject)
                help_ = str(rule.data.get("remedy", ""))
                out.append(WrongRow(table.source, table.places(row), rule.id, message, help_, relation, row))
    return out


def rows_by_key(table: Table, model: RecordModel) -> dict[Value, int]:
    """The position of each row of a relation that has a single key."""
    key = table.relation.index(model.relations[table.relation.name].key[0])
    return {row[key]: i for i, row in enumerate(table.rows)}


def leave_out(problems: list[WrongRow], tables: Tables) -> None:
    """Make the wrong rows doubtful."""
    wrong: dict[str, set[int]] = {}
    for problem in problems:
        wrong.setdefault(problem.relation, set()).add(problem.row)
    for name, rows in wrong.items():
        tables[name] = without_rows(tables[name], rows)
