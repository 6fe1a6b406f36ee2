"""All schools of a trust on Spark: the unit of work is one school's term.

    NAME.parquet                 the findings of all schools, a row each, as Spark commits them
    NAME/schools/SCHOOL.json     a school's result, as `run --format json` writes it
    NAME/trust.json              the summary; it is there only when all is done

Spark schedules, retries and commits; a school is judged by the code that judges it anywhere. Records, results
and the current folder must be at the same place for all that take part.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from itertools import groupby
from pathlib import Path
from threading import Event, Thread
from typing import Any

from policycheck.errors import PolicycheckError, Problem, RecordsError, UsageError, shown_path
from policycheck.files import write_whole
from policycheck.records.split import Part, Split, SplitRow, rows_of
from policycheck.trust.folder import Mixed, School, Trust
from policycheck.trust.here import Progress, made_ready, summed_up
from policycheck.trust.school import Judged, Options, judged, problem, result_text
from policycheck.trust.summary import Summary, brief
from policycheck.trust.workers import Died, spread

VERDICTS = "name string, shown string, form string, problems string"
"""A school: its result or its problems, as JSON."""

FINDINGS = (
    "name string, school string, term string, as_of string, policy string, version string, id string, "
    "rule string, clauses array<string>, binds array<string>, outcome string, severity string, "
    "message string, finding string"
)
"""A finding: what tables ask for most, and the whole of it as JSON."""

Key = tuple[str, int, int]
"""The school, part and number of a row. Problems with rows have the school ""."""

SPLITS = 8
"""So many pieces of work for each core, when the number of schools is not known."""


def judge_on_spark(
    trust: Trust,
    options: Options,
    output: Path,
    master: str | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Judge all schools, write findings, results and the summary, and return the summary.

    `output` is NAME.parquet. Raises PolicycheckError when nothing can be judged or Spark gives up; what is
    wrong with one school is in the summary.
    """
    folder, fresh = places(output, trust)
    verdicts = folder / "verdicts.parquet"
    with session_on(master) as session, told_by_spark():
        try:
            judge_all(session, trust, options, verdicts, progress)
            table = session.read.schema(VERDICTS).parquet(uri(verdicts))
            refuse_lost_rows(table.filter("name = ''").collect())
            options.refuse_strangers(row.name for row in table.select("name").toLocalIterator())
            found = table.rdd.flatMap(finding_rows)
            session.createDataFrame(found, FINDINGS).write.mode("overwrite").parquet(uri(fresh))
            summary = results_of(table.toLocalIterator(), trust, folder)
        finally:
            shutil.rmtree(verdicts, ignore_errors=True)
    shutil.rmtree(output, ignore_errors=True)
    os.replace(fresh, output)
    return summed_up(summary, folder)


def refuse_lost_rows(verdicts: Iterable[Any]) -> None:
    """RecordsError for rows that name no school: they might be of any."""
    problems = [Problem(*p["problem"]) for v in verdicts for p in json.loads(v.problems)]
    if problems:
        raise RecordsError(sorted(problems, key=lambda p: p.file))


def places(output: Path, trust: Trust) -> tuple[Path, Path]:
    """The folder for the results, and where the findings stay until they are complete."""
    if output.suffix != ".parquet":
        raise UsageError(f"on Spark the findings go to a Parquet dataset: write -o {output}.parquet")
    if output.exists() and not (output / "_SUCCESS").exists():
        raise UsageError(f"`{output}` is there and is not what Spark wrote; name another, or remove it")
    folder = output.with_suffix("")
    made_ready(folder, trust)
    fresh = output.with_name(f".{output.name}.new")
    for left in (fresh, folder / "verdicts.parquet"):
        shutil.rmtree(left, ignore_errors=True)
    return folder, fresh


def judge_all(session: Any, trust: Trust, options: Options, verdicts: Path, progress: Progress) -> None:
    """Judge all schools and commit what came of them."""
    context = session.sparkContext
    done = context.accumulator(0)
    judge = partial(verdict_rows, options, os.getcwd(), last_attempt(context), done)
    if trust.mixed is None:
        total: int | None = len(trust.apart)
        rows = context.parallelize(trust.apart, total).mapPartitions(judge)
    else:
        total = None
        split = trust.mixed
        parts = list(enumerate(split.parts))
        keyed = context.parallelize(parts, len(parts)).flatMap(partial(keyed_rows, os.getcwd(), split.column))
        pieces = SPLITS * context.defaultParallelism
        sorted_rows = keyed.repartitionAndSortWithinPartitions(pieces, piece_of)
        rows = sorted_rows.mapPartitions(partial(schools_of, split)).mapPartitions(judge)
    with watched(done, total, progress):
        session.createDataFrame(rows, VERDICTS).write.mode("overwrite").parquet(uri(verdicts))


def last_attempt(context: Any) -> int:
    """The number of a task's last attempt, from 0; in local mode there is no second unless asked for."""
    local = re.match(r"local(\[[^,]*(,\s*(\d+))?\])?$", context.master)
    usual = (local[3] or "1") if local else context.getConf().get("spark.task.maxFailures", "4")
    return int(usual) - 1


def verdict_rows(
    options: Options, here: str, last: int, done: Any, schools: Iterable[School | Judged]
) -> Iterator[tuple[str, str, str | None, str]]:
    """The schools of a task, judged. On its last attempt each is judged in a process of its own, so that one
    that ends its process does not end the whole job."""
    from pyspark import TaskContext

    os.chdir(here)  # paths are shown as seen from where the user is
    context = TaskContext.get()
    alone = context is not None and context.attemptNumber() >= last
    for made in judged_alone(options, schools) if alone else (judged_now(options, s) for s in schools):
        done.add(1)
        form = None if made.form is None else json.dumps(made.form, ensure_ascii=False)
        yield made.name, made.shown, form, json.dumps(made.problems, ensure_ascii=False)


def judged_now(options: Options, school: School | Judged) -> Judged:
    """A school judged here; what has come of it already stays."""
    return school if isinstance(school, Judged) else judged(school, options)


def judged_alone(options: Options, schools: Iterable[School | Judged]) -> Iterator[Judged]:
    """Schools judged in another process each."""
    for school, made in spread(partial(judged_now, options), schools, 1):
        yield (
            Judged(school.name, school.shown, problems=(problem(str(made)),))
            if isinstance(made, Died)
            else made
        )


def keyed_rows(here: str, column: str, numbered: tuple[int, Part]) -> Iterator[tuple[Key, str]]:
    """The rows of a part by school, and then what is wrong with others."""
    os.chdir(here)
    i, part = numbered
    problems: list[Problem] = []
    for school, number, text in rows_of(part, column, problems):
        yield (school, i, number), text
    for n, p in enumerate(problems):
        yield ("", i, n), json.dumps([p.file, p.where, p.code, p.message, p.help])


def piece_of(key: Key) -> int:
    """The piece of work that a school belongs to; the same on every machine."""
    return zlib.crc32(key[0].encode())


def schools_of(split: Split, rows: Iterable[tuple[Key, str]]) -> Iterator[School | Judged]:
    """The schools of rows that are sorted by school; problems with rows as a school without a name."""
    for school, its in groupby(rows, key=lambda row: row[0][0]):
        if school:
            kept = tuple(SplitRow(part, number, text) for (_, part, number), text in its)
            yield Mixed(split, school, partial(iter, kept))
        else:
            yield Judged("", "", problems=tuple({"problem": json.loads(text)} for _, text in its))


def finding_rows(verdict: Any) -> Iterator[tuple[Any, ...]]:
    """The findings of a school as rows of the Parquet dataset."""
    if verdict.form is None:
        return
    form = json.loads(verdict.form)
    records, policy = form["records"], form["policy"]
    for f in form["findings"]:
        yield (
            verdict.name,
            *(records[k] for k in ("school", "term", "as_of")),
            *(policy[k] for k in ("id", "version")),
            *(f[k] for k in ("id", "rule", "clauses", "binds", "outcome", "severity", "message")),
            json.dumps(f, ensure_ascii=False),
        )


def results_of(verdicts: Iterable[Any], trust: Trust, folder: Path) -> Summary:
    """Write the schools' results, and sum them up."""
    summary = Summary(shown_path(trust.path))
    for v in verdicts:
        form = None if v.form is None else json.loads(v.form)
        file = folder / "schools" / f"{v.name}.json"
        if form is None:
            file.unlink(missing_ok=True)
        else:
            write_whole({file: result_text(form)})
        summary.add(brief(Judged(v.name, v.shown, form, tuple(json.loads(v.problems)))))
    return summary


@contextmanager
def session_on(master: str | None) -> Iterator[Any]:
    """A Spark session, stopped afterwards unless it was there before. Executors use this very Python and
    policycheck, unless PYSPARK_PYTHON names another, which then has to have policycheck itself.

    Raises UsageError when Spark is not installed, has no Java, or is not told its master.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError:
        raise UsageError("Spark is not installed: pip install 'policycheck[spark]'") from None
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    home = os.environ.get("JAVA_HOME")
    if shutil.which(os.path.join(home, "bin", "java") if home else "java") is None:
        raise UsageError("Spark needs Java 17 or later, and there is none: install it, or set JAVA_HOME")
    builder = SparkSession.builder.appName("policycheck").config("spark.ui.showConsoleProgress", "false")
    if "PYSPARK_PYTHON" not in os.environ:
        os.environ["PYSPARK_PYTHON"] = sys.executable
        builder = builder.config("spark.executorEnv.PYTHONPATH", python_path())
    if master is not None:
        builder = builder.master(master)
    try:
        with told_by_spark():
            session = builder.getOrCreate()
    except PySparkRuntimeError:
        where = f" on `{master}`" if master else ""
        raise UsageError(f"Spark did not start{where}; what it said stands above") from None
    try:
        yield session
    finally:
        session.stop()


def python_path() -> str:
    """Where executors on this machine find policycheck, and what else this Python was told to look at."""
    homes = [home for name in ("policycheck", "policycheck_engine") for home in import_module(name).__path__]
    folders = [str(Path(home).resolve().parent) for home in homes]
    there = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys(f for f in [*folders, *there] if f))


@contextmanager
def told_by_spark() -> Iterator[None]:
    """PolicycheckError with the gist of what Spark says, instead of its own errors."""
    from py4j.protocol import Py4JError, Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        yield
    except Py4JJavaError as error:
        raise PolicycheckError(f"Spark gave up: {gist(str(error.java_exception))}") from None
    except Py4JError as error:
        raise PolicycheckError(f"Spark gave up: {gist(str(error))}") from None
    except PySparkException as error:
        if "JAVA_GATEWAY_EXITED" in str(error):
            raise
        raise PolicycheckError(f"Spark gave up: {gist(str(error))}") from None


def gist(said: str) -> str:
    """The first line of a message of Java."""
    return said.strip().splitlines()[0] if said.strip() else "it does not say why"


@contextmanager
def watched(done: Any, total: int | None, progress: Progress) -> Iterator[None]:
    """Tell how many schools are done while Spark is at work."""
    over = Event()

    def watch() -> None:
        while not over.wait(0.5):
            progress(min(done.value, total) if total else done.value, total)

    progress(0, total)
    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def uri(path: Path) -> str:
    """A path of this machine as Spark wants it, whatever its default file system is."""
    return path.resolve().as_uri()
