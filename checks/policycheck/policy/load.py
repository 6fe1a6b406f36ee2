"""Reading a policy folder: every file of it, every problem of every file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from policycheck_engine import nearest

from policycheck.cache import Packed, kept, key_of, text_of
from policycheck.errors import PolicyError, Problem, shown_path
from policycheck.policy.annotations import annotations_of
from policycheck.policy.attested import attested_rules
from policycheck.policy.model import (
    SEVERITY,
    Clause,
    Defect,
    Definition,
    Outcome,
    Parameter,
    Policy,
    RuleText,
    Section,
    earlier_ids,
)
from policycheck.records.model import NO_MODEL, RecordModel, load_model
from policycheck.structure import structure_problems
from policycheck.yamlfile import Document, Place, load

VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")

UNFINISHED = frozenset(
    {"undecided-clause", "unknown-rule", "unknown-name", "unknown-clause", "rule-name", "no-rank"}
)
"""What a policy under construction may still lack: decisions of clauses, and what others already name."""


def load_policy(folder: Path, model: RecordModel | None = None, unfinished: bool = False) -> Policy:
    """The policy in a folder, or PolicyError with all that is wrong in its files.

    The record model is the one given, or the folder's own (`model_of`). A policy may be `unfinished` where
    that is asked for: what it still lacks is then in its `open` problems.
    """
    model = model or model_of(folder)
    files = [*sorted(folder.glob("*.yaml")), model.document.file]
    key = key_of("policy", text_of(files))
    if unfinished:
        policy = read_policy(folder, model, unfinished)
        return replace(policy, key="" if policy.open else key)
    policy = kept(key, lambda: packed(replace(read_policy(folder, model), model=NO_MODEL)))
    return replace(policy, model=model, key=key)


def packed(policy: Policy) -> Policy:
    """A policy of which most of what its author wrote is only unpacked when it is looked at: a run looks at
    the sentences."""
    return replace(
        policy,
        rules={id_: replace(rule, data=Packed(rule.data)) for id_, rule in policy.rules.items()},
        sections=tuple(
            replace(s, clauses=tuple(replace(c, data=Packed(c.data)) for c in s.clauses))
            for s in policy.sections
        ),
    )


def read_policy(folder: Path, model: RecordModel, unfinished: bool = False) -> Policy:
    """The policy in a folder as its files have it now, or PolicyError."""
    problems: list[Problem] = []
    head = _document(folder / "policy.yaml", "policy", problems)
    if problems:
        raise PolicyError(problems)
    reader = _Reader(model, problems)
    policy = reader.policy(folder, head)
    lacking = [p for p in problems if unfinished and p.code in UNFINISHED]
    if len(problems) > len(lacking):
        raise PolicyError([*problems, *compile_problems(policy)])
    return replace(policy, open=tuple(lacking))


def compile_problems(policy: Policy) -> list[Problem]:
    """What is wrong in the bodies of a policy, so that it is told together with the rest."""
    from policycheck.policy.compile import check_whole

    try:
        check_whole(policy)
    except PolicyError as error:
        return list(error.problems)
    return []


def model_of(folder: Path) -> RecordModel:
    """The record model of a policy folder: the nearest records.yaml, in it or up to two folders above."""
    records = next((f for f in _model_files(folder) if f.is_file()), None)
    if records is None:
        help_ = "put a records.yaml beside policy.yaml"
        raise PolicyError([Problem(shown_path(folder), "", "no-record-model", "has no record model", help_)])
    return load_model(records)


def _model_files(folder: Path) -> Iterator[Path]:
    yield folder / "records.yaml"
    for above in list(folder.resolve().parents)[:2]:
        yield above / "records.yaml"


def _document(file: Path, schema: str, problems: list[Problem]) -> Document:
    found: list[Problem] = []
    document = load(file, found)
    if not found:
        found += structure_problems(document, schema)
    problems += found
    return document


class _Reader:
    def __init__(self, model: RecordModel, problems: list[Problem]) -> None:
        self.model = model
        self.problems = problems
        self.definitions: dict[str, Definition] = {}
        self.rules: dict[str, RuleText] = {}
        self.clauses: dict[str, Clause] = {}
        self.cited: dict[str, list[tuple[str, Place]]] = {}

    def policy(self, folder: Path, head: Document) -> Policy:
        data = head.data
        sections = []
        self.define(data, head.root)
        for i, name in enumerate(data["sections"]):
            file = folder / f"{name}.yaml"
            if not file.is_file():
                place = head.root / "sections" / i
                others = [f.stem for f in folder.glob("*.yaml")]
                message = f"there is no file `{name}.yaml` for this section"
                self.problems.append(place.problem("no-section", message, nearest(name, others)))
                continue
            found: list[Problem] = []
            document = _document(file, "section", found)
            self.problems += found
            if all(p.code == "unknown-key" for p in found):
                sections.append(self.section(document, data))
        for file in sorted(folder.glob("*.yaml")):
            known = {"policy", "records", "scene", *map(str, data["sections"])}
            if file.stem not in known:
                self.problems.append(
                    Problem(
                        shown_path(file),
                        "",
                        "stray-file",
                        "belongs to no section of policy.yaml, so nothing in it counts",
                        f"add `{file.stem}` to `sections`, or move the file away",
                    )
                )
        self.cite()
        scene: dict[str, Any] = {}
        if (folder / "scene.yaml").is_file():
            scene = _document(folder / "scene.yaml", "scene", self.problems).data or {}
        policy = Policy(
            id=data["policy"],
            version=folder.name if VERSION.fullmatch(folder.name) else "",
            title=data["title"],
            school=data.get("school"),
            folder=folder,
            model=self.model,
            sections=tuple(sections),
            parameters=self.parameters(data, head.root),
            definitions=self.definitions,
            rules=self.rules,
            ranks=tuple(data.get("ranks", ())),
            summary=data.get("summary", ""),
            scene=scene,
            defects=self.defects(data, head.root),
            flaws=self.flaws(data, head.root),
            uses_as_of=any("$as_of" in f.read_text(encoding="utf-8") for f in folder.glob("*.yaml")),
        )
        self.check_cited(policy, head.root)
        self.check_ranks(policy)
        self.check_defined(policy)
        self.check_lint(policy)
        return policy

    def parameters(self, data: Mapping[str, Any], root: Place) -> dict[str, Parameter]:
        found = {}
        for name, p in (data.get("parameters") or {}).items():
            place = root / "parameters" / name
            if "one_of" in p and p["value"] not in p["one_of"]:
                hint = nearest(str(p["value"]), map(str, p["one_of"]))
                self.problems.append(
                    (place / "value").problem("wrong-word", f"`{p['value']}` is not one of `one_of`", hint)
                )
            choices = tuple(p.get("one_of", ()))
            found[name] = Parameter(
                name, p["value"], p["why"], p["source"], p.get("unit", ""), choices, place, earlier_ids(p)
            )
        return found

    def defects(self, data: Mapping[str, Any], root: Place) -> tuple[Defect, ...]:
        found: dict[str, Defect] = {}
        for i, d in enumerate(data.get("defects") or ()):
            place = root / "defects" / i
            if d["defect"] in found:
                message = f"there are two defects `{d['defect']}`"
                self.problems.append(
                    (place / "defect").problem("defect-twice", message, "give one another id")
                )
            for j, name in enumerate(d["clauses"]):
                if name not in self.clauses:
                    message = f"a defect names the clause `{name}`, which is not there"
                    hint = nearest(name, self.clauses)
                    self.problems.append((place / "clauses" / j).problem("unknown-clause", message, hint))
            found[d["defect"]] = Defect(d["defect"], tuple(d["clauses"]), d["says"], d["settled"])
        return tuple(found.values())

    def flaws(self, data: Mapping[str, Any], root: Place) -> str | None:
        """The definition that says what is wrong with an exception."""
        if "exceptions" not in data:
            return None
        name, place = data["exceptions"]["flaws"], root / "exceptions" / "flaws"
        if name not in self.definitions:
            message = f"there is no definition `{name}`"
            self.problems.append(place.problem("unknown-name", message, nearest(name, self.definitions)))
            return None
        if len(self.definitions[name].gives) != 2:
            message = f"`{name}` gives {len(self.definitions[name].gives)} fields, and flaws need two"
            help_ = "give the id of the exception, and what is wrong with it in words"
            self.problems.append(place.problem("wrong-flaws", message, help_))
            return None
        return str(name)

    def define(self, data: Mapping[str, Any], root: Place) -> None:
        for i, d in enumerate(data.get("definitions") or ()):
            place = root / "definitions" / i
            name = d["define"]
            if name in self.definitions or name in self.model.relations:
                what = "definition" if name in self.definitions else "relation of the records"
                message = f"`{name}` is already a {what}"
                self.problems.append((place / "define").problem("name-twice", message, "choose another name"))
                continue
            gives = tuple(v.removeprefix("$") for v in d["gives"])
            self.definitions[name] = Definition(name, d["means"], gives, d["when"], place, earlier_ids(d))

    def section(self, document: Document, head: Mapping[str, Any]) -> Section:
        data = document.data
        if data["section"] != document.file.stem:
            message = f"the section is called `{data['section']}` and its file `{document.file.name}`"
            place = document.root / "section"
            self.problems.append(place.problem("section-name", message, "give both the same name"))
        self.define(data, document.root)
        clauses = []
        for i, c in enumerate(data["clauses"]):
            place = document.root / "clauses" / i
            clause = Clause(c["clause"], c, place)
            if clause.id in self.clauses:
                message = f"there are two clauses `{clause.id}`"
                self.problems.append(
                    (place / "clause").problem("clause-twice", message, "give one another id")
                )
            self.clauses[clause.id] = clause
            clauses.append(clause)
            self.check_decided(clause)
            self.clause_rules(clause, head)
        return Section(data["section"], data["heading"], tuple(clauses))

    def check_decided(self, clause: Clause) -> None:
        """A clause is decided in exactly one way."""
        ways = [key for key in ("rules", "attested", "defines") if key in clause.data]
        help_ = "say how it is decided: one of `rules`, `attested` or `defines`"
        if not ways:
            message = f"nothing decides clause `{clause.id}`"
            self.problems.append(clause.place.problem("undecided-clause", message, help_))
        elif len(ways) > 1:
            both = "` and `".join(ways)
            message = f"clause `{clause.id}` has both `{both}`"
            self.problems.append(clause.place.problem("clause-decided-twice", message, help_))

    def clause_rules(self, clause: Clause, head: Mapping[str, Any]) -> None:
        for i, r in enumerate(clause.data.get("rules", ())):
            place = clause.place / "rules" / i
            if isinstance(r, str):
                self.cited.setdefault(r, []).append((clause.id, place))
            else:
                self.add(clause, r, place, attested=False)
        if "attested" in clause.data:
            place = clause.place / "attested"
            for r in attested_rules(clause, str(head.get("school", "")), self.model):
                self.add(clause, r, place, attested=True)

    def add(self, clause: Clause, r: Mapping[str, Any], place: Place, attested: bool) -> None:
        if r["id"] in self.rules:
            message = f"there are two rules `{r['id']}`"
            self.problems.append((place / "id").problem("rule-twice", message, "give one another id"))
            return
        if not (r["id"] == clause.id or r["id"].startswith(clause.id + ".")):
            message = f"rule `{r['id']}` stands under clause `{clause.id}`"
            help_ = f"call it `{clause.id}` or `{clause.id}.word`"
            self.problems.append((place / "id").problem("rule-name", message, help_))
        outcome: Outcome = "breach"
        if clause.data["force"] in ("ideal", "may"):
            outcome = "advice"
        elif clause.data["modality"] == "criterion":
            outcome = "missed"
        self.rules[r["id"]] = RuleText(
            id=r["id"],
            data=r,
            place=place,
            clauses=(clause.id,),
            outcome=r.get("outcome", outcome),
            severity=r.get("severity", SEVERITY.get(clause.data["force"], "major")),
            binds=tuple(r.get("binds", clause.data["binds"])),
            attested=attested,
        )

    def cite(self) -> None:
        """Let rules that decide other clauses too cite them."""
        for rule_id, citations in self.cited.items():
            for clause_id, place in citations:
                if rule_id not in self.rules:
                    message = f"there is no rule `{rule_id}`"
                    self.problems.append(place.problem("unknown-rule", message, nearest(rule_id, self.rules)))
                    continue
                rule = self.rules[rule_id]
                self.rules[rule_id] = replace(rule, clauses=(*rule.clauses, clause_id))

    def check_defined(self, policy: Policy) -> None:
        """What a clause says it defines is a definition, a parameter or a field."""
        known = policy.definable()
        for clause in self.clauses.values():
            for i, name in enumerate(clause.data.get("defines", ())):
                if name not in known:
                    message = f"there is no definition, parameter or field `{name}`"
                    place = clause.place / "defines" / i
                    self.problems.append(place.problem("unknown-name", message, nearest(name, known)))

    def check_cited(self, policy: Policy, root: Place) -> None:
        """The clauses that ranks and other clauses name are there."""
        clauses = {c.id for c in policy.clauses()}
        named = [(root / "ranks" / i, name) for i, name in enumerate(policy.ranks)]
        for clause in policy.clauses():
            named += [(clause.place / "see" / i, name) for i, name in enumerate(clause.data.get("see", ()))]
        for place, name in named:
            if name not in clauses:
                message = f"there is no clause `{name}`"
                self.problems.append(place.problem("unknown-clause", message, nearest(name, clauses)))

    def check_lint(self, policy: Policy) -> None:
        """An annotation for lint that is about two rules names the other one."""
        for note in annotations_of(policy):
            if note.other is not None and note.other not in policy.rules:
                message = f"there is no rule `{note.other}`"
                hint = nearest(note.other, policy.rules)
                self.problems.append(note.place.problem("unknown-rule", message, hint, key=True))

    def check_ranks(self, policy: Policy) -> None:
        for rule in policy.rules.values():
            higher = rule.data.get("explained_by", {}).get("clause")
            if higher is None:
                continue
            place = rule.place / "explained_by" / "clause"
            ranks = policy.ranks
            if higher not in ranks:
                message = f"`{higher}` has no rank"
                self.problems.append(place.problem("no-rank", message, "add it to `ranks` in policy.yaml"))
            elif any(c in ranks and ranks.index(c) <= ranks.index(higher) for c in rule.clauses):
                message = f"`{higher}` does not rank above `{rule.clauses[0]}`"
                self.problems.append(place.problem("wrong-rank", message, "see `ranks` in policy.yaml"))
