"""Many schools on Spark: the same results as on this machine, also when a part of the cluster is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pytest
from policycheck.errors import PolicycheckError, RecordsError
from policycheck.prepare import frame_model
from policycheck.trust.folder import Trust, trust_at
from policycheck.trust.here import judge_here
from policycheck.trust.school import Options
from policycheck.trust.spark import judge_on_spark, last_attempt

from tests.support import ROOT, Ran
from tests.trusts import LENDING, Deadly, contents, libraries, library, mixed

LACKING = [
    name
    for name, there in (("pyspark", find_spec("pyspark")), ("Java", shutil.which("java")))
    if there is None
]
OPTIONS = Options(policy=str(LENDING))

pytestmark = pytest.mark.skipif(
    bool(LACKING) and os.environ.get("CI") != "true", reason=f"{' and '.join(LACKING)} not installed"
)


def test_spark_is_installed() -> None:
    """In CI nothing is left out: there this fails where elsewhere all is skipped."""
    assert LACKING == []


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Spark on two threads of this process, each task with two attempts."""
    from pyspark.sql import SparkSession

    path = os.pathsep.join([str(ROOT), *sys.path])
    there = (
        SparkSession.builder.master("local[2,2]")
        .config("spark.executorEnv.PYTHONPATH", path)
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "localhost")
        .getOrCreate()
    )
    yield there
    there.stop()


def trust(path: str, policy: str = str(LENDING)) -> Trust:
    found = trust_at(Path(path), frame_model(policy))
    assert found is not None
    return found


def rows(findings: Path) -> list[dict[str, Any]]:
    """The rows of the Parquet dataset, sorted by what they hold."""
    with duckdb.connect() as connection:
        result = connection.execute(f"SELECT * FROM read_parquet('{findings}/*.parquet')")
        names = [d[0] for d in result.description]
        found = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def rows_of_results(folder: Path) -> list[dict[str, Any]]:
    """What the rows must be, by the schools' results."""
    made = []
    for file in folder.glob("schools/*.json"):
        form = json.loads(file.read_bytes())
        for finding in form["findings"]:
            made.append(
                {
                    "name": file.stem,
                    **{k: form["records"][k] for k in ("school", "term", "as_of")},
                    "policy": form["policy"]["id"],
                    "version": form["policy"]["version"],
                    **{k: finding[k] for k in ("id", "rule", "clauses", "binds", "outcome", "severity")},
                    "message": finding["message"],
                    "finding": json.dumps(finding, ensure_ascii=False),
                }
            )
    return sorted(made, key=lambda row: json.dumps(row, sort_keys=True))


def same(on_spark: str, here: str) -> None:
    """Findings, results and summary of Spark are those of this machine."""
    assert contents(Path(on_spark)) == contents(Path(here))
    assert rows(Path(f"{on_spark}.parquet")) == rows_of_results(Path(here))
    assert rows_of_results(Path(here))
    hidden = [p for p in Path.cwd().iterdir() if p.name.startswith(".")]
    assert hidden == []


# In this process


@pytest.mark.parametrize("shape", [libraries, mixed], ids=["apart", "mixed"])
def test_same_as_here(session: Any, shape: Callable[[Path, int], Path]) -> None:
    shape(Path("trust"), 7)
    counted: list[tuple[int, int | None]] = []
    form = judge_on_spark(
        trust("trust"), OPTIONS, Path("spark.parquet"), progress=lambda *told: counted.append(told)
    )
    assert form == judge_here(trust("trust"), OPTIONS, Path("here"), jobs=1)
    same("spark", "here")
    assert counted[0] == (0, 7 if shape is libraries else None)
    shutil.rmtree("trust")
    shape(Path("trust"), 2)
    judge_on_spark(trust("trust"), OPTIONS, Path("spark.parquet"))
    assert {row["name"] for row in rows(Path("spark.parquet"))} == {"library-1", "library-2"}


def test_parts_of_parquet(session: Any) -> None:
    mixed(Path("trust"), 4)
    loans = session.read.json(Path("trust/loans.ndjson").resolve().as_uri()).repartition(3)
    loans.write.partitionBy("school_id").parquet(Path("trust/loans").resolve().as_uri())
    Path("trust/loans.ndjson").unlink()
    judge_on_spark(trust("trust"), OPTIONS, Path("spark.parquet"))
    judge_here(trust("trust"), OPTIONS, Path("here"), jobs=1)
    same("spark", "here")


def test_schools_that_cannot_be_judged(session: Any) -> None:
    libraries(Path("trust"), 4)
    bad = library(2)
    bad["loans"][0]["lent_on"] = "03/05/2021"
    Path("trust/library-2/term.json").write_text(json.dumps(bad), encoding="utf-8")
    first, second, third, fourth = trust("trust").apart
    schools = (first, second, Deadly("library-3", third.path), fourth)
    form = judge_on_spark(Trust(Path("trust"), apart=schools), OPTIONS, Path("spark.parquet"))
    assert [s["name"] for s in form["schools"]] == ["library-1", "library-4"]
    failed = {s["name"]: s["problems"][0]["message"] for s in form["failed"]}
    assert failed["library-2"] == "`lent_on` cannot be `03/05/2021`"
    assert failed["library-3"].startswith("the process that judged it was ended by SIGKILL")
    assert {row["name"] for row in rows(Path("spark.parquet"))} == {"library-1", "library-4"}


def test_rows_of_no_school(session: Any) -> None:
    mixed(Path("trust"), 2)
    with Path("trust/loans.ndjson").open("a", encoding="utf-8") as stream:
        stream.write('{"loan_id": "L9"}\n')
    with pytest.raises(RecordsError, match=r"trust/loans.ndjson:line 7: this row does not say"):
        judge_on_spark(trust("trust"), OPTIONS, Path("spark.parquet"))
    assert contents(Path("spark")) == {}
    assert not Path("spark.parquet").exists()


@pytest.mark.parametrize(
    ("master", "conf", "last"),
    [
        ("local", None, 0),
        ("local[*]", "9", 0),
        ("local[4, 3]", None, 2),
        ("local-cluster[2,1,1024]", None, 3),
        ("spark://a:7077", "2", 1),
    ],
)
def test_last_attempt(master: str, conf: str | None, last: int) -> None:
    class Context:
        def __init__(self) -> None:
            self.master = master

        def getConf(self) -> dict[str, str]:  # noqa: N802
            return {"spark.task.maxFailures": conf} if conf else {}

    assert last_attempt(Context()) == last


def test_another_folder_is_not_overwritten(session: Any) -> None:
    libraries(Path("trust"), 1)
    Path("mine.parquet").mkdir()
    Path("mine.parquet/notes.txt").touch()
    with pytest.raises(PolicycheckError, match="is not what Spark wrote"):
        judge_on_spark(trust("trust"), OPTIONS, Path("mine.parquet"))
    assert Path("mine.parquet/notes.txt").exists()


# On a cluster


def processes(pid: int) -> Iterator[tuple[int, str]]:
    """A process's descendants, with their command lines."""
    try:
        listed = Path(f"/proc/{pid}/task").glob("*/children")
        children = [int(c) for file in listed for c in file.read_text(encoding="utf-8").split()]
    except OSError:
        return
    for child in children:
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        yield child, command
        yield from processes(child)


def executor_at_work(pid: int) -> int | None:
    """An executor whose Python has been judging for a while."""
    for executor, command in processes(pid):
        if "CoarseGrainedExecutorBackend" not in command or "/java" not in command.split()[0]:
            continue
        for worker, python in processes(executor):
            try:
                ticks = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[11])
            except OSError:
                continue
            if "pyspark" in python and 2 * ticks > os.sysconf("SC_CLK_TCK"):
                return executor
    return None


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_an_executor_is_lost() -> None:
    libraries(Path("trust"), 6, loans=80_000)
    words = [sys.executable, "-m", "policycheck", "run", "trust", "--policy", str(LENDING)]
    on_spark = ["--on", "spark", "--master", "local-cluster[2,1,1024]", "-o", "spark.parquet"]
    env = {**os.environ, "SPARK_LOCAL_HOSTNAME": "localhost"}
    with subprocess.Popen([*words, *on_spark], env=env, stdout=-1, stderr=-1, encoding="utf-8") as under_way:
        end = time.monotonic() + 120
        while (lost := executor_at_work(under_way.pid)) is None:
            assert under_way.poll() is None, under_way.communicate()[1]
            assert time.monotonic() < end, "no executor ever worked"
            time.sleep(0.02)
        os.kill(lost, signal.SIGKILL)
        out, err = under_way.communicate()
    assert under_way.returncode == 1, err
    assert "Lost executor" in err
    assert "Lost task" in err
    here = subprocess.run([*words, "-o", "here"], capture_output=True, encoding="utf-8", check=False)
    assert out == here.stdout
    same("spark", "here")


def test_no_such_master(command: Callable[..., Ran], tmp_path: Path) -> None:
    libraries(Path("trust"), 1)
    words = ("--on", "spark", "--master", "nowhere", "-o", "findings.parquet", "--policy", LENDING)
    ran = command("run", "trust", *words, cwd=tmp_path)
    assert ran.code == 2
    assert "policycheck: Spark did not start on `nowhere`; what it said stands above\n" in ran.err
    assert "Traceback" not in ran.err


def test_no_java(command: Callable[..., Ran], tmp_path: Path) -> None:
    libraries(Path("trust"), 1)
    words = ("--on", "spark", "--master", "local[1]", "-o", "findings.parquet", "--policy", LENDING)
    ran = command("run", "trust", *words, cwd=tmp_path, JAVA_HOME=str(tmp_path / "none"))
    assert ran.code == 2
    said = "policycheck: Spark needs Java 17 or later, and there is none: install it, or set JAVA_HOME\n"
    assert ran.err == said
