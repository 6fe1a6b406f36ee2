"""From a path to what can be judged: records that were read and checked, and the policy that judges them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from policycheck_engine import Value, canonical

from policycheck.engines import chosen_engine, evaluate, second_engine
from policycheck.errors import Problem, RecordsError, UsageError
from policycheck.integrity import integrity_policy, integrity_problems, leave_out
from policycheck.policy.find import Pack, find_pack, folder_of_packs, pack_of, packs
from policycheck.policy.load import load_policy, model_of
from policycheck.policy.model import Policy, Setting
from policycheck.policy.ready import made_ready
from policycheck.records.check import Tables, check_records
from policycheck.records.model import RecordModel
from policycheck.records.read import Raw, Source, open_records, read_records
from policycheck.records.split import source_of_school

Progress = Callable[[str], None]
Window = tuple[str | None, str | None, Path]
"""A version in force: its first day, the first day of the next, and its folder."""


class RecordsInfo(Struct, frozen=True):
    """Which records were judged."""

    school: str | None
    school_name: str | None
    term: str | None
    as_of: str | None
    sources: tuple[str, ...]
    rows: int
    left_out: tuple[Problem, ...] = ()


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
    source.forget_typed(model)
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
