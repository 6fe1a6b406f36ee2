"""One school of a trust: judged, or what hinders that; and whether a result that is there still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from policycheck_engine import nearest
from policycheck_engine.memory import no_collection

from policycheck import __version__
from policycheck.digests import rules_digest
from policycheck.errors import PolicycheckError, ProblemsError, UsageError
from policycheck.policy.find import Pack, find_pack
from policycheck.policy.load import model_of
from policycheck.prepare import records_info, versions_in_force
from policycheck.records.check import check_records
from policycheck.records.model import RecordModel
from policycheck.records.read import read_records
from policycheck.report.json_form import judged_hash
from policycheck.report.json_text import indented
from policycheck.run import run
from policycheck.trust.folder import School

Form = Mapping[str, Any]


class Options(Struct, frozen=True):
    """What is asked of every school, as of `run`.

    `settings` is a file for all schools, or a folder with a file NAME.yaml for each that has one.
    """

    policy: str | None = None
    as_of: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    keep_going: bool = False
    settings: Path | None = None
    engine: str = "auto"
    cross_check: str | None = None

    def asked(self, school: School) -> dict[str, Any]:
        """What the receipt of a school's result says was asked."""
        records, name = school.asked
        return {
            "records": records,
            "school": name,
            "policy": self.policy,
            "as_of": self.as_of,
            "parameters": dict(self.parameters),
            "sections": list(self.sections),
            "only": list(self.only),
            "keep_going": self.keep_going,
            "settings": None if (file := self.settings_of(school)) is None else file.as_posix(),
        }

    def checked_by(self, second: str | None) -> bool:
        """Whether a result with this second opinion, or none, is what is asked for."""
        if self.cross_check is None or second is None:
            return self.cross_check is second
        return self.cross_check in ("auto", second)

    def settings_of(self, school: School) -> Path | None:
        """The settings file of a school."""
        if self.settings is None or not self.settings.is_dir():
            return self.settings
        file = self.settings / f"{school.name}.yaml"
        return file if file.exists() else None

    def refuse_strangers(self, names: Iterable[str]) -> None:
        """UsageError for a settings file that is of none of the schools."""
        if self.settings is None or not self.settings.is_dir():
            return
        names = set(names)
        for file in sorted(self.settings.glob("*.yaml")):
            if file.stem not in names:
                hint = nearest(file.stem, names)
                raise UsageError(f"`{file}` is of no school here; {hint}".rstrip("; "))


class Judged(Struct, frozen=True):
    """What came of a school: the public form of its result, or the problems for which there is none."""

    name: str
    shown: str
    form: Form | None = None
    problems: tuple[Form, ...] = ()


@no_collection()
def judged(school: School, options: Options) -> Judged:
    """A school's result, or its problems: whatever goes wrong is this school's alone."""
    try:
        result = run(
            school.open(),
            options.policy,
            as_of=options.as_of,
            parameters=options.parameters,
            sections=options.sections,
            only=options.only,
            keep_going=options.keep_going,
            settings=options.settings_of(school),
            engine=options.engine,
            cross_check=options.cross_check,
        )
        return Judged(school.name, school.shown, result.as_json())
    except Exception as error:
        return failed(school, error)


def failed(school: School, error: BaseException) -> Judged:
    """A school that could not be judged, with all that is known of why."""
    if isinstance(error, ProblemsError):
        problems = [
            {"file": p.file, "where": p.where, "code": p.code, "message": p.message, "help": p.help}
            for p in error.problems
        ]
        return Judged(school.name, school.shown, problems=tuple(problems))
    if isinstance(error, PolicycheckError):
        said = str(error)
    elif isinstance(error, MemoryError):
        said = "not enough memory for these records"
    elif isinstance(error, OSError):
        said = f"{error.filename or school.shown}: {error.strerror or error}"
    else:
        said = f"this is a fault of policycheck itself: {type(error).__name__}: {error}"
    return Judged(school.name, school.shown, problems=(problem(said),))


def problem(message: str) -> dict[str, str]:
    """A problem that is of no file in particular."""
    return {"file": "", "where": "", "code": "", "message": message, "help": ""}


def result_text(form: Form) -> bytes:
    """A result as it is written: as `run --format json` does."""
    return indented(form)


def still_holds(file: Path, school: School, options: Options) -> Form | None:
    """The result in a file when judging the school again would give the same: the same was asked of the same
    records, rules and program, and nobody has changed it since."""
    try:
        form = json.loads(file.read_bytes())
        receipt = form["receipt"]
        if (
            receipt["program"] == f"policycheck {__version__}"
            and receipt["asked"] == json.loads(json.dumps(options.asked(school)))
            and options.engine in ("auto", receipt["engine"])
            and options.checked_by(receipt.get("cross_checked"))
            and receipt["sha256"] == {**hashes_now(form, school, options), "result": judged_hash(form)}
        ):
            return dict(form)
    except (PolicycheckError, OSError, ValueError, KeyError, TypeError):
        pass
    return None


def hashes_now(form: Form, school: School, options: Options) -> dict[str, str]:
    """The hashes that a receipt of the school would have, found without judging it."""
    pack = find_pack(options.policy, form["records"]["school"])
    model = model_of(pack.versions[-1][1])
    versions = [folder for _, folder in pack.versions]
    if len(versions) > 1:
        versions = versions_now(pack, model, school, options)
    names = {folder: f"{pack.id}@{version}" if version else pack.id for version, folder in pack.versions}
    settings = options.settings_of(school)
    own = {"settings": hashlib.sha256(settings.read_bytes()).hexdigest()} if settings else {}
    return {"records": school.digest(), **{names[f]: rules_digest(f, model) for f in versions}, **own}


def versions_now(pack: Pack, model: RecordModel, school: School, options: Options) -> list[Path]:
    """The versions of a policy that would judge the school."""
    source = school.open()
    frame = {part["relation"] for part in (model.frame.school, model.frame.term) if part}
    raw, _ = read_records(source, model, frame)
    tables, _ = check_records(raw, model)
    info = records_info(raw, tables, model, options.as_of, source.school, [])
    return [folder for _, _, folder in versions_in_force(pack, info, tables, model)]
