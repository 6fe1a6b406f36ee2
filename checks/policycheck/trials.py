"""Trying a policy out: the examples in its rules and the scenarios beside it, on small records.

Each is laid over the policy's scene.yaml and judged by the naive evaluator, or by another that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from policycheck_engine import nearest

from policycheck.engines import evaluate
from policycheck.errors import PolicyError, Problem, shown_path
from policycheck.findings import Finding, findings_of, worst_first
from policycheck.policy.compile import compile_policy
from policycheck.policy.model import Policy, Setting
from policycheck.policy.ready import ready_of
from policycheck.policy.unknowns import Unknowns, unknowns_of
from policycheck.records.check import Tables, check_records
from policycheck.records.model import RecordModel
from policycheck.records.read import tables_of
from policycheck.structure import structure_problems
from policycheck.yamlfile import Document, load

SEVERE = ("breach", "missed", "explained", "excused", "advice", "pending", "undecided", "met")
"""An example's rule may give no outcome that stands before the one it names."""

Layer = Mapping[str, Any]
Rows = dict[str, list[dict[str, Any]]]


class Trial(Struct, frozen=True):
    """One thing that was tried: where it stands, and what came out wrong (nothing: it held)."""

    name: str
    place: str
    wrong: tuple[str, ...]


def example_trials(policy: Policy, rules: set[str] | None = None, engine: str = "naive") -> Iterator[Trial]:
    """Every example of every rule."""
    for rule in policy.rules.values():
        if rules is not None and rule.id not in rules:
            continue
        for outcome, examples in (rule.data.get("examples") or {}).items():
            for i, example in enumerate(examples):
                place = rule.place / "examples" / outcome / i
                line, column = place.document.find(place.path)
                where = f"{shown_path(place.document.file)}:{line}:{column}"
                wrong = tried_example(policy, rule.id, outcome, example, engine)
                yield Trial(f"{rule.id} {outcome} {i + 1}", where, tuple(wrong))


def lacking_examples(policy: Policy, rules: set[str] | None = None) -> Iterator[Trial]:
    """Every rule without an example of a case that holds, of one that does not, or of one that the records
    cannot tell: for each field that can leave it undecided, an example in which that field is unknown."""
    own = [r for r in policy.rules.values() if not r.attested and (rules is None or r.id in rules)]
    unknowns = unknowns_of(policy, [r.id for r in own])
    for rule in own:
        has = rule.data.get("examples") or {}
        wanted = [rule.outcome] if rule.data.get("forbid") == "always" else ["met", rule.outcome]
        missing = [f"has no example that is {outcome}" for outcome in wanted if outcome not in has]
        missing += undecided_lacking(policy, has.get("undecided", ()), unknowns[rule.id])
        if missing:
            line, column = rule.place.document.find(rule.place.path)
            where = f"{shown_path(rule.place.document.file)}:{line}:{column}"
            yield Trial(rule.id, where, tuple(missing))


def undecided_lacking(policy: Policy, examples: Sequence[Layer], unknown: Unknowns) -> Iterator[str]:
    """Which examples of an undecided case a rule still needs."""
    for relation, name in unknown.fields:
        if not any(leaves_unknown(policy, example, relation, name) for example in examples):
            field = f"`{name}` of `{relation}`"
            if policy.model.relations[relation].fields[name].missing == "blank":
                yield f"has no undecided example without {field}: `absent: [{relation}.{name}]`"
            else:
                yield f"has no undecided example in which {field} is null"
    if unknown.relations and not unknown.fields and not examples:
        yield f"has no undecided example, such as one with `absent: [{unknown.relations[0]}]`"


def leaves_unknown(policy: Policy, example: Layer, relation: str, name: str) -> bool:
    """Whether an example says itself that a field is unknown, and the records then have it so."""
    rows = flat(example.get("given", {}), policy.model).get(relation, ())
    said = f"{relation}.{name}" in example.get("absent", ()) or any(
        name in row and row[name] is None for row in rows
    )
    if not said:
        return False
    tables, _, problems = world(policy, [example])
    table = tables.get(relation)
    if problems or table is None or table.relation.missing:
        return bool(problems)
    place = table.relation.index(name)
    return any(row[place] is None for row in table.rows)


def tried_example(
    policy: Policy, rule: str, outcome: str, example: Layer, engine: str = "naive"
) -> list[str]:
    """What is wrong with the outcome of one example."""
    found, met, problems = judged_layers(policy, [example], [rule], engine)
    if problems:
        return problems
    outcomes = {f.outcome for f in found} | ({"met"} if met else set())
    said = ", ".join(sorted(outcomes)) or "not applicable"
    if outcome == "not_applicable":
        return [f"expected nothing to judge, got {said}"] if outcomes else []
    if outcome not in outcomes:
        return [f"expected {outcome}, got {said}" + "".join(f"\n      {f.message}" for f in found[:3])]
    worse = [o for o in outcomes if SEVERE.index(o) < SEVERE.index(outcome)]
    return [f"expected {outcome}, got also {', '.join(worse)}"] if worse else []


def judged_layers(
    policy: Policy, layers: list[Layer], rules: list[str], engine: str = "naive"
) -> tuple[list[Finding], list[Layer], list[str]]:
    """The findings of some rules on layered records, the subjects they are met for, and what is wrong
    with the records themselves."""
    tables, setting, problems = world(policy, layers)
    if problems:
        return [], [], problems
    base = {name: table.relation for name, table in tables.items()}
    try:
        compiled = compile_policy(policy, base, setting, rules)
    except PolicyError as error:
        return [], [], [str(p) for p in error.problems]
    ready = ready_of(compiled, setting)
    judged = evaluate(ready, tables, engine)
    _, findings = findings_of(ready, judged, tables)
    met: list[Layer] = []
    for j in judged:
        met += [{"rule": j.norm.rule, **dict(zip(j.norm.subject, key, strict=True))} for key in j.met]
    return worst_first(findings), met, []


class Layered(Struct, frozen=True):
    """Layers laid over the scene: the rows, and the as-of date and parameters that they name."""

    data: dict[str, list[dict[str, Any]]]
    as_of: str | None
    parameters: dict[str, Any]
    problems: list[str]


def layered(policy: Policy, layers: Sequence[Layer]) -> Layered:
    """The rows of scene.yaml with layers laid over them; relations that a layer calls absent are left out."""
    scene = policy.scene
    defaults = scene.get("defaults") or {}
    rows: Rows = {name: [] for name in policy.model.relations}
    problems: list[str] = []
    absent: set[str] = set()
    as_of = scene.get("as_of")
    parameters: dict[str, Any] = {}
    for layer in [{"given": scene.get("rows") or {}}, *layers]:
        problems += laid(policy, rows, layer, defaults)
        given = flat(layer.get("given", {}), policy.model)
        absent = (absent - set(mentioned_in(given))) | set(layer.get("absent", ()))
        as_of = layer.get("as_of", as_of)
        parameters |= layer.get("parameters", {})
    for name in sorted(absent - set(rows)):
        problems += without_field(policy, rows, name)
    for name in sorted(set(parameters) - set(policy.parameters)):
        problems.append(f"there is no parameter `{name}`; {nearest(name, policy.parameters)}")
    data = {name: rows_ for name, rows_ in rows.items() if name not in absent}
    return Layered(data, as_of, parameters, problems)


def world(policy: Policy, layers: list[Layer]) -> tuple[Tables, Setting, list[str]]:
    """The records of scene.yaml with layers laid over them, and the setting to judge them in.

    They are judged as if the policy were in force on all their days: a version copied from the one before
    keeps its examples.
    """
    made = layered(policy, layers)
    problems = list(made.problems)
    raw, found = tables_of(made.data, "", policy.model)
    tables, more = check_records(raw, policy.model)
    problems += [str(p).lstrip(":") for p in [*found, *more]]
    return tables, Setting(made.as_of, made.parameters), problems


def mentioned_in(given: Mapping[str, Any]) -> Iterator[str]:
    """The relations that a layer gives rows of, and the fields of these rows as `relation.field`."""
    for name, rows in given.items():
        yield name
        yield from {f"{name}.{field}" for row in rows for field in row}


def without_field(policy: Policy, rows: Rows, name: str) -> list[str]:
    """Take a field, named `relation.field`, out of every row; or say that there is none."""
    relation, _, field = name.partition(".")
    if relation not in rows:
        return [f"there is no relation `{relation}`; {nearest(relation, rows)}"]
    fields = policy.model.relations[relation].fields
    if field not in fields:
        return [f"`{relation}` has no field `{field}`; {nearest(field, fields)}"]
    rows[relation] = [{k: v for k, v in row.items() if k != field} for row in rows[relation]]
    return []


def laid(
    policy: Policy,
    rows: Rows,
    layer: Layer,
    defaults: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Lay rows over rows: one whose key is there changes it, any other is added; then take some out."""
    problems = []
    model = policy.model
    for name, new in flat(layer.get("given", {}), model).items():
        if name not in rows:
            problems.append(f"there is no relation `{name}`; {nearest(name, rows)}")
            continue
        key = model.relations[name].key
        there = [dict(row) for row in rows[name]]
        by_key = {repr([row.get(k) for k in key]): row for row in reversed(there)} if key else {}
        for row in new:
            whole = {**defaults.get(name, {}), **row}
            same = by_key.get(repr([whole.get(k) for k in key]))
            if same is not None:
                same.update(row)
            else:
                there.append(whole)
                if key:
                    by_key[repr([whole.get(k) for k in key])] = whole
        rows[name] = there
    for name, out in layer.get("without", {}).items():
        rows[name] = [
            r for r in rows.get(name, []) if not any(all(r.get(k) == v for k, v in o.items()) for o in out)
        ]
    return problems


def flat(given: Mapping[str, Any], model: RecordModel) -> dict[str, Any]:
    """The rows of a layer by relation, those that stand as lists in other rows included."""
    out = dict(given)
    for name, new in given.items():
        for child in model.children.get(name, ()):
            assert child.nested is not None
            nested = [(row, row[child.nested.name]) for row in new if child.nested.name in row]
            keys = model.parent_keys(child)
            own = [f for f in child.fields if f not in keys]
            extra = []
            for row, items in nested:
                for item in items or ():
                    fields = item if isinstance(item, Mapping) else {own[0]: item}
                    extra.append({**{k: row.get(k) for k in keys}, **fields})
            if nested:
                out[child.name] = [*out.get(child.name, ()), *extra]
        names = {c.nested.name for c in model.children.get(name, ()) if c.nested}
        out[name] = [{k: v for k, v in row.items() if k not in names} for row in out[name]]
    return out


def scenario_trials(policy: Policy, engine: str = "naive") -> Iterator[Trial]:
    """Every case of every scenario beside the policy."""
    for file in sorted((policy.folder / "scenarios").glob("*.yaml")):
        yield from scenario_file(policy, file, engine)


def scenario_file(policy: Policy, file: Path, engine: str = "naive") -> Iterator[Trial]:
    """Every case of one scenario file."""
    problems: list[Problem] = []
    document = load(file, problems)
    if not problems:
        problems = structure_problems(document, "scenario")
    if problems:
        yield Trial(file.stem, shown_path(file), tuple(str(p) for p in problems))
        return
    for i, case in enumerate(document.data["cases"]):
        line, _ = document.find(("cases", i))
        wrong = tried_case(policy, document, case, engine)
        yield Trial(f"{file.stem}: {case['name']}", f"{shown_path(file)}:{line}", tuple(wrong))


def tried_case(policy: Policy, document: Document, case: Layer, engine: str = "naive") -> list[str]:
    """What is wrong with the outcome of one case of a scenario."""
    judging = document.data["judging"]
    rules = [r.id for r in policy.rules.values() if r.id in judging or any(c in judging for c in r.clauses)]
    unknown = [j for j in judging if not any(j == r.id or j in r.clauses for r in policy.rules.values())]
    if unknown:
        return [f"there is no rule or clause `{u}`; {nearest(u, policy.rules)}" for u in unknown]
    found, met, problems = judged_layers(policy, [document.data, case], rules, engine)
    if problems:
        return problems
    wrong = []
    left = list(found)
    for expected in case.get("expect") or ():
        match = next((f for f in left if matches(f, expected)), None)
        if match is None:
            wrong.append(f"expected {dict(expected)}, which was not found")
        else:
            left.remove(match)
    wrong += [f"unexpected {f.outcome} of {f.rule} on {dict(f.subject)}: {f.message}" for f in left]
    for expected in case.get("met") or ():
        asked = {"rule": expected["rule"], **expected.get("subject", {})}
        if not any(asked.items() <= m.items() for m in met):
            wrong.append(f"expected {asked} to be met")
    return wrong


def matches(finding: Finding, expected: Layer) -> bool:
    """Whether a finding is the expected one."""
    if finding.rule != expected["rule"] and expected["rule"] not in finding.clauses:
        return False
    if finding.outcome != expected.get("outcome", "breach"):
        return False
    if "severity" in expected and finding.severity != expected["severity"]:
        return False
    if "binds" in expected and set(expected["binds"]) != set(finding.binds):
        return False
    if any(finding.subject.get(k) != v for k, v in expected.get("subject", {}).items()):
        return False
    text = " ".join([finding.message, *finding.notes, *finding.missing])
    values = [*map(str, finding.subject.values()), *(r.id for r in finding.records)]
    return all(str(n) in text or str(n) in values for n in expected.get("names", ()))
