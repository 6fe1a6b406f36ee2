"""The main job: records and a policy in, a result out.

    result = policycheck.run("term.json")
    for finding in result.findings: ...

The stages: read the records and check them, load and compile the policy, evaluate, judge, and make
findings of what was judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from policycheck_engine import EvaluatorError, Row, Value, canonical, nearest
from policycheck_engine.memory import no_collection
from policycheck_engine.norms import Facts, Judgement, judge
from policycheck_engine.readings import possible

from policycheck.agreement import must_agree
from policycheck.errors import Problem, RecordsError, UsageError
from policycheck.findings import Finding, Loudness, RuleResult, findings_of, worst_first
from policycheck.integrity import integrity_policy, integrity_problems, leave_out
from policycheck.policy.find import Pack, find_pack, folder_of_packs, pack_of, packs
from policycheck.policy.load import load_policy, model_of
from policycheck.policy.model import Policy, Setting
from policycheck.policy.ready import Ready, made_ready
from policycheck.records.check import Tables, check_records
from policycheck.records.model import RecordModel
from policycheck.records.read import Raw, Source, open_records, read_records
from policycheck.records.split import source_of_school
from policycheck.register import Entry, Judging, register
from policycheck.settings import NOTHING_SET, SettingsFile, checked_parameters, read_settings, settings_for
from policycheck.waivers import Claim, accepting

MEMORY_ROWS = 1_000_000
"""Up to so many rows the evaluator in memory is the faster one; see benchmarks/."""

Progress = Callable[[str], None]
Window = tuple[str | None, str | None, Path]
"""A version in force: its first day, the first day of the next, and its folder."""
Evaluate = Callable[..., dict[str, set[Row]]]


class RecordsInfo(Struct, frozen=True):
    """Which records were judged."""

    school: str | None
    school_name: str | None
    term: str | None
    as_of: str | None
    sources: tuple[str, ...]
    rows: int
    left_out: tuple[Problem, ...] = ()


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


class Prepared(Struct, frozen=True):
    """Records as tables, and the versions of the policy that some day of them falls under: each with its
    first day and the first day of the next. `given` are the relations that the records have, `engine` is what
    is to evaluate, `second` what is to check it."""

    source: Source
    given: Collection[str]
    tables: Tables
    info: RecordsInfo
    policies: list[tuple[Policy, str | None, str | None]]
    engine: str
    second: str | None = None

    @property
    def current(self) -> Policy:
        """The version in force at the as-of date."""
        return self.policies[-1][0]


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


def prepared(
    path: str | Path | Source,
    policy: str | Policy | None = None,
    *,
    school: str | None = None,
    as_of: str | None = None,
    as_if_in_force: bool = False,
    keep_going: bool = False,
    engine: str = "auto",
    cross_check: str | None = None,
    unfinished: bool = False,
    progress: Progress = lambda stage: None,
) -> Prepared:
    """Records that were read and checked, and the policy that judges them; arguments as of `run`.

    The policy can be one that is loaded already.
    """
    progress("reading")
    if isinstance(policy, Policy):
        source = path if isinstance(path, Source) else open_records(Path(path))
        pack, model, loaded = pack_of(policy), policy.model, {policy.folder: policy}
    else:
        source = path if isinstance(path, Source) else opened(Path(path), policy, school)
        pack = pack_for(source, policy)
        model, loaded = model_of(pack.versions[-1][1]), {}
    raw, tables, problems = read_and_checked(source, model, progress)
    engine = chosen_engine(engine, tables)
    second = second_engine(cross_check, engine)
    if problems and not keep_going:
        raise RecordsError(problems)
    info = records_info(raw, tables, model, as_of, source.school, problems)
    given = frozenset(raw)
    source.forget(raw)
    del raw
    info = checked_whole(info, model, tables, keep_going, engine, second)
    progress("compiling")
    if as_if_in_force:
        windows: list[Window] = [(None, None, pack.versions[-1][1])]
    else:
        windows = versions_in_force(pack, info, tables, model)
    policies = [
        (loaded.get(folder) or load_policy(folder, model, unfinished), first, until)
        for first, until, folder in windows
    ]
    refuse_other_school(policies[-1][0], info)
    need_as_of([p for p, _, _ in policies], info, model)
    return Prepared(source, given, tables, info, policies, engine, second)


def opened(path: Path, policy: str | None, school: str | None) -> Source:
    """The records at a path, or those of one school there."""
    if school is None:
        return open_records(path)
    return source_of_school(path, frame_model(policy), school)


def frame_model(policy: str | None) -> RecordModel:
    """The record model by whose frame records tell their school, before the policy is found by it."""
    folder = folder_of_packs(policy)
    pack = find_pack(policy, None) if folder is None else next(packs(folder))
    return model_of(pack.versions[-1][1])


def pack_for(source: Source, policy: str | None) -> Pack:
    """The policy that is meant, or else the one for the school that the records name."""
    by_school = folder_of_packs(policy) is not None
    return find_pack(policy, school_named(source, frame_model(policy)) if by_school else None)


def read_and_checked(
    source: Source, model: RecordModel, progress: Progress
) -> tuple[Raw, Tables, list[Problem]]:
    """The records and their tables, and all that is wrong with them. They are read by their types first,
    which is fast; if anything is amiss, a second time, by what tells where and why."""
    typed = source.typed(model)
    if typed is not None:
        progress("checking")
        tables, problems = check_records(typed, model)
        if not problems:
            return typed, tables, []
    raw, problems = read_records(source, model)
    progress("checking")
    tables, found = check_records(raw, model)
    return raw, tables, problems + found


def checked_whole(
    info: RecordsInfo, model: RecordModel, tables: Tables, keep_going: bool, engine: str, second: str | None
) -> RecordsInfo:
    """The records after the checks of their model: RecordsError, or what is wrong as left out."""
    checks = integrity_policy(model)
    if not checks.rules:
        return info
    base = {name: table.relation for name, table in tables.items()}
    ready = made_ready(checks, base, Setting(info.as_of, {}))
    problems = integrity_problems(checks, evaluate(ready, tables, engine, second), tables)
    if problems and not keep_going:
        raise RecordsError(problems)
    leave_out(problems, tables)
    return replace(info, left_out=(*info.left_out, *problems))


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


def school_named(source: Source, model: RecordModel) -> str | None:
    """The school that the records name in their frame, if they do."""
    if source.school is not None:
        return source.school
    frame = model.frame.school
    if frame is None:
        return None
    raw = source.typed(model) or read_records(source, None, {frame["relation"]})[0]
    value = raw[frame["relation"]].first(frame["field"]) if frame["relation"] in raw else None
    return str(value) if value is not None else None


def records_info(
    raw: Raw,
    tables: Tables,
    model: RecordModel,
    as_of: str | None,
    school: str | None,
    problems: list[Problem],
) -> RecordsInfo:
    """The school, the term under test and the as-of date of the records; `school` when that is known."""
    if as_of is not None:
        try:
            as_of = str(canonical(as_of, "date"))
        except ValueError as error:
            raise UsageError(f"`{as_of}` is no as-of date: write {error}") from None
    name = term = None
    if model.frame.school:
        rows = rows_as_mappings(tables, model.frame.school["relation"])
        if len(rows) > 1:
            raise UsageError("the records are of more than one school; give one file or folder for each")
        if rows:
            school = str(rows[0][model.frame.school["field"]])
            name = rows[0].get(model.frame.school.get("name", ""))
    if model.frame.term:
        starts, ends, id_ = (model.frame.term[k] for k in ("starts", "ends", "id"))
        begun = [
            r
            for r in rows_as_mappings(tables, model.frame.term["relation"])
            if r[starts] is not None and (as_of is None or str(r[starts]) <= as_of)
        ]
        if begun:
            latest = max(begun, key=lambda r: str(r[starts]))
            term = latest[id_]
            as_of = as_of or (str(latest[ends]) if latest[ends] is not None else None)
    return RecordsInfo(
        school=school,
        school_name=None if name is None else str(name),
        term=None if term is None else str(term),
        as_of=as_of,
        sources=tuple(sorted({t.source for t in raw.values()})),
        rows=sum(len(t.rows) for t in tables.values()),
        left_out=tuple(problems),
    )


def rows_as_mappings(tables: Tables, relation: str) -> list[dict[str, Value]]:
    """The rows of a relation by field name."""
    table = tables[relation]
    return [dict(zip(table.relation.names, row, strict=True)) for row in table.rows]


def versions_in_force(pack: Pack, info: RecordsInfo, tables: Tables, model: RecordModel) -> list[Window]:
    """The versions that some day of the term falls under: first day, first day of the next, folder.

    A pack of one version judges all days from the one it comes into force.
    """
    if len(pack.versions) == 1:
        version, folder = pack.versions[0]
        if version and info.as_of is not None and info.as_of < version:
            raise UsageError(
                f"`{pack.id}` comes into force on {version}; nothing can be judged as of {info.as_of}"
            )
        return [(version or None, None, folder)]
    start = None
    if model.frame.term and info.term is not None:
        frame = model.frame.term
        rows = rows_as_mappings(tables, frame["relation"])
        start = next((str(r[frame["starts"]]) for r in rows if r[frame["id"]] == info.term), None)
    out: list[Window] = []
    for i, (version, folder) in enumerate(pack.versions):
        until = pack.versions[i + 1][0] if i + 1 < len(pack.versions) else None
        if info.as_of is not None and version > info.as_of:
            continue
        if start is not None and until is not None and until <= start:
            continue
        out.append((version, until, folder))
    if not out:
        raise UsageError(f"no version of `{pack.id}` was in force by {info.as_of}")
    return [(v, None if i == len(out) - 1 else u, f) for i, (v, u, f) in enumerate(out)]


def need_as_of(policies: Iterable[Policy], info: RecordsInfo, model: RecordModel) -> None:
    """UsageError when a policy looks at the as-of date and there is none."""
    if info.as_of is None and any(needs_as_of(p) for p in policies):
        relation = model.frame.term["relation"] if model.frame.term else "terms"
        raise UsageError(
            "the records do not say up to which day to judge them: add the term to their "
            f"`{relation}`, or give --as-of YYYY-MM-DD"
        )


def needs_as_of(policy: Policy) -> bool:
    """Whether anything in a policy looks at the as-of date."""
    if any(rule.attested for rule in policy.rules.values()):
        return True
    return policy.uses_as_of


def refuse_other_school(policy: Policy, info: RecordsInfo) -> None:
    """A policy never judges the records of another school: what one forbids another may prescribe."""
    if policy.school is not None and info.school is not None and policy.school != info.school:
        raise UsageError(
            f"`{policy.id}` is the policy of the school `{policy.school}`, and these are the records of "
            f"`{info.school}`; one school's rules are never run on another's records"
        )


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


def evaluate(ready: Ready, tables: Tables, engine: str, second: str | None = None) -> Sequence[Judgement]:
    """What each norm of a policy makes of the records."""
    return judged_by(ready, tables, engine, second=second).judgements


def judged_by(
    ready: Ready,
    tables: Tables,
    engine: str,
    waivers: Sequence[Claim] = (),
    second: str | None = None,
) -> Judging:
    """What each norm of a policy makes of the records, and the facts behind it. A second evaluator must
    derive the same."""
    if not ready.norms:
        return Judging(ready, {}, ())
    rows = rows_by_relation(tables, ready.basis.reads)
    facts = derived(ready, rows, engine)
    if second is not None:
        must_agree(ready.program, {engine: facts, second: derived(ready, rows, second)})
    rules, as_of = ready.policy.rules, ready.setting.as_of
    judgements = [
        judge(norm, ready.basis.outline, facts, accepting(waivers, rules[norm.rule], as_of))
        for norm in ready.norms
    ]
    return Judging(ready, facts, judgements)


def derived(ready: Ready, rows: dict[str, list[Row]], engine: str) -> Facts:
    """The facts that the norms look at, by one evaluator."""
    if engine == "memory":
        return ready.in_memory(rows)
    try:
        return evaluator(engine)(ready.program, rows, ready.basis.wanted)
    except EvaluatorError as error:
        raise UsageError(str(error)) from error


def chosen_engine(name: str, tables: Tables) -> str:
    """The name of an evaluator; `auto` chooses by the number of rows."""
    if name != "auto":
        return name
    return "memory" if sum(len(t.rows) for t in tables.values()) <= MEMORY_ROWS else "duckdb"


def second_engine(name: str | None, first: str) -> str | None:
    """The name of the evaluator that checks the first one; `auto` is the most different one there is."""
    if name == "auto":
        try:
            evaluator("durable")
            others = ("durable", "duckdb")
        except UsageError:
            others = ("duckdb", "memory")
        return next(other for other in others if other != first)
    if name is not None and name == first:
        raise UsageError(f"`{name}` is what evaluates; name another engine to check it with")
    return name


def evaluator(name: str) -> Evaluate:
    """The evaluator of that name, imported only now."""
    if name == "memory":
        from policycheck_engine import memory

        return memory.evaluate
    if name == "duckdb":
        from policycheck_engine import duck

        return duck.evaluate
    if name == "durable":
        try:
            from policycheck_engine import durable
        except ImportError as error:
            raise UsageError(str(error)) from error
        return durable.evaluate
    if name == "naive":
        from policycheck_engine import naive

        return naive.evaluate
    raise UsageError(f"there is no engine `{name}`; there are auto, memory, duckdb, durable and naive")


def rows_by_relation(tables: Tables, relations: Collection[str]) -> dict[str, list[Row]]:
    """The rows of the base relations, and of their possible readings where they have one."""
    out: dict[str, list[Row]] = {}
    for name, table in tables.items():
        if name not in relations:
            continue
        out[name] = table.rows
        if possible(name) in relations:
            blank: Row = (None,) * len(table.relation.columns)
            out[possible(name)] = [blank] if table.relation.missing else [*table.rows, *table.doubtful]
    return out


def hashes(source: Source, policies: Iterable[Policy]) -> dict[str, str]:
    """SHA-256 of the records, and of the files of each version by its name."""
    rules = {p.name: rules_digest(p.folder, p.model) for p in policies}
    return {"records": source.digest or records_digest(source.path), **rules}


def rules_digest(folder: Path, model: RecordModel) -> str:
    """SHA-256 of the files of a version, its record model among them."""
    return digest([*sorted(folder.glob("*.yaml")), model.document.file])


def records_digest(path: Path) -> str:
    """SHA-256 of a term's file, or of the files of its folder."""
    return digest([path] if path.is_file() else sorted(f for f in path.iterdir() if f.is_file()))


def digest(files: Iterable[Path]) -> str:
    """One hash of several files, by name and content."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            total.update(file.name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
