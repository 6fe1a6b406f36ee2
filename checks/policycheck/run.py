"""The main job: records and a policy in, a result out.

    result = policycheck.run("term.json")
    for finding in result.findings: ...

The stages: read the records and check them, load and compile the policy, evaluate, judge, and make
findings of what was judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from policycheck_engine import Value, nearest
from policycheck_engine.memory import no_collection

from policycheck.digests import hashes
from policycheck.engines import judged_by
from policycheck.errors import UsageError
from policycheck.findings import Finding, Loudness, RuleResult, findings_of, worst_first
from policycheck.policy.model import Policy, Setting
from policycheck.policy.ready import Ready, made_ready
from policycheck.prepare import Prepared, Progress, RecordsInfo, prepared
from policycheck.records.check import Tables
from policycheck.records.read import Source
from policycheck.register import Entry, register
from policycheck.settings import NOTHING_SET, SettingsFile, checked_parameters, read_settings, settings_for


class Asked(Struct, frozen=True):
    """What was asked of a run, as it was asked: enough to ask it again."""

    records: str
    policy: str | None = None
    as_of: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    keep_going: bool = False
    settings: str | None = None
    school: str | None = None


class Result(Struct, frozen=True):
    """What a run found.

    `policy` is the version in force at the as-of date; `versions` are all that judged something.
    `rules` has a result for every rule of the policy in the document's order, `findings` every outcome
    but met and not applicable, worst first, and `waivers` what every waiver and every exception does.
    `engine` is what evaluated, `cross_checked` what derived the same; `hashes` are SHA-256 of what went in.
    """

    policy: Policy
    versions: tuple[str, ...]
    records: RecordsInfo
    rules: tuple[RuleResult, ...]
    findings: tuple[Finding, ...]
    asked: Asked
    engine: str
    cross_checked: str | None = None
    waivers: tuple[Entry, ...] = ()
    overridden: Mapping[str, Value] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The versioned public form (`policycheck/findings/1`)."""
        from policycheck.report.json_form import result_as_json

        return result_as_json(self)


@no_collection()
def run(
    path: str | Path | Source,
    policy: str | None = None,
    *,
    school: str | None = None,
    as_of: str | None = None,
    as_if_in_force: bool = False,
    parameters: Mapping[str, Any] | None = None,
    sections: Iterable[str] = (),
    only: Iterable[str] = (),
    keep_going: bool = False,
    settings: str | Path | None = None,
    engine: str = "auto",
    cross_check: str | None = None,
    unfinished: bool = False,
    progress: Progress = lambda stage: None,
) -> Result:
    """Judge the records of a term.

    path        a term.json, or a folder with one NDJSON, CSV or Parquet file for each relation
    policy      id, id@version or folder; else, or in a folder of policies, the one for the school that the
                records name
    school      which one, in a folder whose files hold several
    as_of       the day up to which the records are judged, ISO; else the end of the term
    as_if_in_force  judge every day by the newest version, even those before it comes into force
    parameters  values instead of those of the policy
    sections    judge only these sections; `only`: only these rules or clauses
    keep_going  leave out rows with something wrong, instead of RecordsError
    settings    the school's own file: values for parameters, which `parameters` come before, and waivers
    engine      what evaluates: memory, duckdb, durable, naive, or auto, which chooses by the number of rows
    cross_check a second one, which must derive the same; auto: durable where it is installed, else duckdb
    unfinished  let the policy lack decisions of clauses; they are in the policy's `open` problems

    Raises PolicycheckError: RecordsError, PolicyError and SettingsError hold all problems that were found,
    and DisagreementError what only one of two engines derives.
    """
    own = None if settings is None else read_settings(Path(settings))
    records = prepared(
        path,
        policy,
        school=school,
        as_of=as_of,
        as_if_in_force=as_if_in_force,
        keep_going=keep_going,
        engine=engine,
        cross_check=cross_check,
        unfinished=unfinished,
        progress=progress,
    )
    asked = Asked(
        records=records.source.path.as_posix(),
        policy=policy,
        as_of=as_of,
        parameters=dict(parameters or {}),
        sections=tuple(sections),
        only=tuple(only),
        keep_going=keep_going,
        settings=None if settings is None else Path(settings).as_posix(),
        school=records.source.school,
    )
    return judged(records, asked, own, progress)


@no_collection()
def judged(
    records: Prepared,
    asked: Asked,
    own: SettingsFile | None = None,
    progress: Progress = lambda stage: None,
    beside: Sequence[Policy] = (),
) -> Result:
    """The result of records that are prepared, with the school's own settings if it has any. These may name
    what only versions `beside` have."""
    tables, info, policies, current = records.tables, records.info, records.policies, records.current
    chosen = chosen_rules(current, asked.sections, asked.only)
    set_ = settings_for(own, [*beside, *(p for p, _, _ in policies)]) if own else NOTHING_SET
    overridden = {**set_.parameters, **checked_parameters(current, asked.parameters)}
    ready = [
        ready_version(version, tables, Setting(info.as_of, overridden, first, until), chosen, current)
        for version, first, until in policies
    ]
    progress("evaluating")
    judgings = [judged_by(version, tables, records.engine, set_.waivers, records.second) for version in ready]
    progress("judging")
    results: list[RuleResult] = []
    findings: list[Mapping[Loudness, list[Finding]]] = []
    for judging in reversed(judgings):
        made, more = findings_of(judging.ready, judging.judgements, tables, set_.waivers)
        results = merged(results, made)
        findings.append(more)
    return Result(
        policy=current,
        versions=tuple(p.version for p, _, _ in policies),
        records=info,
        rules=tuple(results),
        findings=tuple(worst_first(*findings)),
        asked=asked,
        engine=records.engine,
        cross_checked=records.second,
        waivers=register(set_.waivers, judgings, tables),
        overridden=overridden,
        hashes={
            **hashes(records.source, [p for p, _, _ in policies]),
            **({"settings": own.sha256} if own else {}),
        },
    )


def ready_version(
    version: Policy, tables: Tables, setting: Setting, chosen: set[str], current: Policy
) -> Ready:
    """A version with the rules it judges by; one that is no longer in force judges dated rules alone."""
    base = {name: table.relation for name, table in tables.items()}
    rules = [
        rule.id
        for rule in version.rules.values()
        if (rule.id in chosen or rule.id not in current.rules)
        and (version is current or "dated" in rule.data)
    ]
    whole = version is current and len(rules) == len(version.rules)
    return made_ready(version, base, setting, None if whole else rules)


def merged(results: list[RuleResult], earlier: list[RuleResult]) -> list[RuleResult]:
    """The results of a version with those of an earlier one: the same rule's are added up."""
    found = {r.id: r for r in results}
    for r in earlier:
        found[r.id] = found[r.id].plus(r) if r.id in found else r
    return list(found.values())


def chosen_rules(policy: Policy, sections: Iterable[str], only: Iterable[str]) -> set[str]:
    """The ids of the rules to judge by, or UsageError for a name that is nothing."""
    sections, only = list(sections), list(only)
    by_section = {s.id: {c.id for c in s.clauses} for s in policy.sections}
    clauses = {c for names in by_section.values() for c in names}
    for name in sections:
        if name not in by_section:
            raise UsageError(
                f"`{policy.id}` has no section `{name}`; {nearest(name, by_section)}".rstrip("; ")
            )
    for name in only:
        if name not in clauses and name not in policy.rules:
            known = [*clauses, *policy.rules]
            raise UsageError(
                f"`{policy.id}` has no rule or clause `{name}`; {nearest(name, known)}".rstrip("; ")
            )
    chosen = set()
    for rule in policy.rules.values():
        in_section = not sections or any(c in by_section[s] for s in sections for c in rule.clauses)
        named = not only or rule.id in only or any(c in only for c in rule.clauses)
        if in_section and named:
            chosen.add(rule.id)
    return chosen
