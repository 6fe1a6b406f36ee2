"""All schools of a trust on this machine: a process for each core, and a file for each school.

    OUTPUT/schools/NAME.json     a school's result, as `run --format json` writes it
    OUTPUT/trust.json            the summary; it is there only when all schools are done
    OUTPUT/.rows                 the rows of mixed schools, a folder for each, while it runs

A result that is there and still holds is kept, so a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from policycheck_engine.memory import no_collection

from policycheck.errors import UsageError, shown_path
from policycheck.files import write_whole
from policycheck.report.json_text import indented
from policycheck.trust.folder import School, Trust
from policycheck.trust.school import Judged, Options, failed, judged, problem, result_text, still_holds
from policycheck.trust.sorting import sorted_schools
from policycheck.trust.summary import Summary, brief
from policycheck.trust.workers import Died, spread

Progress = Callable[[int, int | None], None]
"""Is told how many schools are done, of how many; None when that is not known."""


def judge_here(
    trust: Trust,
    options: Options,
    output: Path,
    jobs: int | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Judge all schools, write their results and the summary into a folder, and return the summary.

    Raises PolicycheckError when nothing can be judged; what is wrong with one school is in the summary.
    """
    jobs = jobs or cores()
    folder = made_ready(output, trust)
    work = output / ".rows"
    try:
        schools: Sequence[School] = trust.apart
        if trust.mixed is not None:
            work.mkdir(mode=0o700)
            schools = sorted_schools(trust.mixed, work, jobs)
        options.refuse_strangers(school.name for school in schools)
        total = len(schools)
        summary = Summary(shown_path(trust.path))
        progress(0, total)
        job = partial(judged_into, folder, options)
        for done, (school, made) in enumerate(spread(job, schools, min(jobs, total)), 1):
            summary.add(died(school, made, folder) if isinstance(made, Died) else made)
            progress(done, total)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return summed_up(summary, output)


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def made_ready(output: Path, trust: Trust) -> Path:
    """The folder for the schools' results, cleared of what an interrupted run left half done."""
    whole, records = output.resolve(), trust.path.resolve()
    if whole.is_relative_to(records) or records.is_relative_to(whole):
        raise UsageError(f"write the results to a folder apart from the records, not to `{output}`")
    if output.exists() and not output.is_dir():
        raise UsageError(f"`{output}` is a file; name a folder for the results")
    if not output.parent.is_dir():
        raise UsageError(f"there is no folder `{output.parent}` to write `{output.name}` to")
    folder = output / "schools"
    folder.mkdir(parents=True, exist_ok=True)
    for left in [*output.glob(".trust.json.*"), *folder.glob(".*.json.*")]:
        left.unlink()
    shutil.rmtree(output / ".rows", ignore_errors=True)
    (output / "trust.json").unlink(missing_ok=True)
    return folder


@no_collection()
def judged_into(folder: Path, options: Options, school: School) -> Judged:
    """Judge a school, unless its result is there and still holds, and write the result."""
    file = folder / f"{school.name}.json"
    try:
        form = still_holds(file, school, options)
        if form is not None:
            return brief(Judged(school.name, school.shown, form))
        made = judged(school, options)
        if made.form is None:
            file.unlink(missing_ok=True)
        else:
            write_whole({file: result_text(made.form)})
        return brief(made)
    except Exception as error:
        file.unlink(missing_ok=True)
        return failed(school, error)


def died(school: School, how: Died, folder: Path) -> Judged:
    """A school whose process ended; a result from before does not stand for it."""
    (folder / f"{school.name}.json").unlink(missing_ok=True)
    return Judged(school.name, school.shown, problems=(problem(str(how)),))


def summed_up(summary: Summary, output: Path) -> dict[str, Any]:
    """The summary, written; results that are of one and the same school count as none."""
    for names in summary.twice().values():
        for name in names:
            file = output / "schools" / f"{name}.json"
            summary.take_out(name, json.loads(file.read_bytes()), names)
            file.unlink()
    form = summary.as_json()
    write_whole({output / "trust.json": indented(form)})
    return form
