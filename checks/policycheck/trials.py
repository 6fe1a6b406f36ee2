"""Trying a policy out: the examples in its rules and the scenarios beside it, on small records.

Each is laid over the policy's scene.yaml and judged by the naive evaluator, or by another that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policycheck_engine import nearest

from policycheck.errors import PolicyError, Problem, shown_path
from policycheck.findings import Finding, findings_of
from policycheck.policy.compile import compile_policy
from policycheck.policy.model import Policy, Setting
from policycheck.policy.ready import ready_of
from policycheck.records.check import Tables, check_records
from policycheck.records.read import tables_of
from policycheck.run import evaluate
from policycheck.structure import structure_problems
from policycheck.yamlfile import Document, load

SEVERE = ("breach", "missed", "explained", "excused", "advice", "pending", "undecided", "met")
"""An example's rule may give no outcome that stands before the one it names."""

Layer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
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
    """Every rule without an example of a case that holds, or of one that does not."""
    for rule in policy.rules.values():
        if rule.attested or (rules is not None and rule.id not in rules):
            continue
        has = rule.data.get("examples") or {}
        wanted = [rule.outcome] if rule.data.get("forbid") == "always" else ["met", rule.outcome]
        missing = [outcome for outcome in wanted if outcome not in has]
        if missing:
            line, column = rule.place.document.find(rule.place.path)
            where = f"{shown_path(rule.place.document.file)}:{line}:{column}"
            yield Trial(rule.id, where, tuple(f"has no example that is {outcome}" for outcome in missing))


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
    return findings, met, []


def world(policy: Policy, layers: list[Layer]) -> tuple[Tables, Setting, list[str]]:
    """The records of scene.yaml with layers laid over them, and the setting to judge them in."""
    scene = policy.scene
    defaults = scene.get("defaults") or {}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in policy.model.relations}
    problems: list[str] = []
    absent: set[str] = set()
    as_of = scene.get("as_of")
    parameters: dict[str, Any] = {}
    for layer in [{"given": scene.get("rows") or {}}, *layers]:
        problems += laid(policy, rows, layer, defaults)
        absent = (absent - set(layer.get("given", {}))) | set(layer.get("absent", ()))
        as_of = layer.get("as_of", as_of)
        parameters |= layer.get("parameters", {})
    for name in sorted(absent - set(rows)):
        problems.append(f"there is no relation `{name}`; {nearest(name, rows)}")
    for name in sorted(set(parameters) - set(policy.parameters)):
        problems.append(f"there is no parameter `{name}`; {nearest(name, policy.parameters)}")
    data = {name: rows_ for name, rows_ in rows.items() if name not in absent}
    raw, found = tables_of(data, "", policy.model)
    tables, more = check_records(raw, policy.model)
    problems += [str(p).lstrip(":") for p in [*found, *more]]
    return tables, Setting(as_of, parameters, policy.version or None), problems


def laid(
    policy: Policy,
    rows: dict[str, list[dict[str, Any]]],
    layer: Layer,
    defaults: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Lay rows over rows: one whose key is there changes it, any other is added; then take some out."""
    problems = []
    model = policy.model
    given = dict(layer.get("given", {}))
    for name, new in list(given.items()):
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
                given[child.name] = [*given.get(child.name, ()), *extra]
        names = {c.nested.name for c in model.children.get(name, ()) if c.nested}
        given[name] = [{k: v for k, v in row.items() if k not in names} for row in given[name]]
    for name, new in given.items():
        if name not in rows:
            problems.append(f"there is no relation `{name}`; {nearest(name, rows)}")
            continue
        key = model.relations[name].key
        for row in deepcopy(new):
            whole = {**defaults.get(name, {}), **row}
            same = next((r for r in rows[name] if key and all(r.get(k) == whole.get(k) for k in key)), None)
            if same is not None:
                same.update(row)
            else:
                rows[name].append(whole)
    for name, out in layer.get("without", {}).items():
        rows[name] = [
            r for r in rows.get(name, []) if not any(all(r.get(k) == v for k, v in o.items()) for o in out)
        ]
    return problems


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
