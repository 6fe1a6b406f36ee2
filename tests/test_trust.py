"""Many schools: one folder, a result for each, whatever becomes of the others."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from policycheck.errors import RecordsError, UsageError
from policycheck.files import write_whole
from policycheck.prepare import frame_model
from policycheck.structure import validator
from policycheck.trust import here, sorting, workers
from policycheck.trust.folder import Apart, Trust, file_name, trust_at
from policycheck.trust.here import judge_here
from policycheck.trust.school import Options
from policycheck.trust.workers import Died, spread
from syrupy.assertion import SnapshotAssertion

from tests.support import ROOT, Ran
from tests.trusts import LENDING, Deadly, contents, deadly, libraries, library, mixed, policies, process

Command = Callable[..., Ran]
OPTIONS = Options(policy=str(LENDING))
MODEL = frame_model(str(LENDING))


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes of their own, where they are not what is tested: they take long to start."""

    def one_after_the_other(
        function: Callable[[Any], Any], items: Iterable[Any], jobs: int
    ) -> Iterator[tuple[Any, Any]]:
        return ((item, function(item)) for item in items)

    monkeypatch.setattr(here, "spread", one_after_the_other)
    monkeypatch.setattr(sorting, "spread", one_after_the_other)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trust(path: str | Path) -> Trust:
    found = trust_at(Path(path), MODEL)
    assert found is not None
    return found


def judge(path: str | Path, output: str, **options: Any) -> dict[str, Any]:
    chosen = Options(**{"policy": str(LENDING), **options})
    return judge_here(trust(path), chosen, Path(output), jobs=2)


# What a folder holds


def test_one_school(tmp_path: Path) -> None:
    libraries(Path("trust"), 2)
    (tmp_path / "loans.csv").write_text("loan_id\nL1\n", encoding="utf-8")
    shutil.move("trust/library-1/term.json", "term.json")
    shutil.rmtree("trust")
    assert trust_at(tmp_path, MODEL) is None
    assert trust_at(tmp_path / "term.json", MODEL) is None


def test_schools_apart() -> None:
    libraries(Path("trust"), 2)
    shutil.move("trust/library-2/term.json", "trust/second.json")
    Path("trust/library-2/loans.csv").write_text("loan_id\n", encoding="utf-8")
    Path("trust/empty").mkdir()
    Path("trust/.git").mkdir()
    Path("trust/_old").mkdir()
    Path("trust/README.txt").touch()
    found = trust("trust")
    assert [s.name for s in found.apart] == ["empty", "library-1", "library-2", "second"]
    assert [s.term.name for s in found.apart] == ["empty", "term.json", "library-2", "second.json"]


def test_schools_mixed() -> None:
    split = trust(mixed(Path("trust"), 2)).mixed
    assert split is not None
    assert split.column == "school_id"
    assert [p.relation for p in split.parts] == ["fines", "loans", "school", "terms"]


def test_a_school_that_names_itself_is_not_several() -> None:
    folder = mixed(Path("trust"), 1)
    for name in ("loans", "fines", "terms"):
        (folder / f"{name}.ndjson").unlink()
    assert trust_at(folder, MODEL) is None


def two_at_once() -> None:
    libraries(Path("trust"), 1)
    Path("trust/loans.csv").touch()


def one_file_without() -> None:
    mixed(Path("trust"), 2)
    Path("trust/terms.ndjson").unlink()
    Path("trust/terms.csv").write_text("term_id\nSUM21\n", encoding="utf-8")


def same_name() -> None:
    libraries(Path("trust"), 1)
    shutil.copy("trust/library-1/term.json", "trust/library-1.json")


def unknown_relation() -> None:
    mixed(Path("trust"), 2)
    shutil.copy("trust/loans.ndjson", "trust/lones.ndjson")


def relation_twice() -> None:
    mixed(Path("trust"), 2)
    Path("trust/loans").mkdir()
    shutil.copy("trust/loans.ndjson", "trust/loans/part-1.ndjson")


def parts_of_one_school() -> None:
    Path("trust/loans").mkdir(parents=True)
    Path("trust/loans/part-1.csv").write_text("loan_id\nL1\n", encoding="utf-8")


@pytest.mark.parametrize(
    "made",
    [two_at_once, one_file_without, same_name, unknown_relation, relation_twice, parts_of_one_school],
    ids=lambda f: f.__name__,
)
def test_what_cannot_be_told(made: Callable[[], None], text_snapshot: SnapshotAssertion) -> None:
    made()
    with pytest.raises((UsageError, RecordsError)) as told:
        trust_at(Path("trust"), MODEL)
    assert f"{told.value}\n" == text_snapshot


@pytest.mark.parametrize(
    "school", ["St. Mary's", "a/b", "..", ".hidden", "_old", "Ysgol y Garnedd", "ë", "%"]
)
def test_name_of_a_file(school: str) -> None:
    name = file_name(school)
    assert "/" not in name
    assert not name.startswith((".", "_"))
    assert name.isascii()


# Judged


def test_a_result_for_each_school(command: Command, text_snapshot: SnapshotAssertion, tmp_path: Path) -> None:
    libraries(Path("trust"), 4)
    ran = command("run", "trust", "--policy", LENDING, "-o", "results", "--jobs", 2, cwd=tmp_path)
    assert ran.err == ""
    assert ran.code == 1
    assert ran.out == text_snapshot
    form = json.loads(Path("results/trust.json").read_bytes())
    assert [e.message for e in validator("trust").iter_errors(form)] == []
    assert sorted(contents(Path("results"))) == [
        *(f"schools/library-{n}.json" for n in range(1, 5)),
        "trust.json",
    ]
    alone = command("run", "trust/library-2/term.json", "--policy", LENDING, "--format", "json", cwd=tmp_path)
    assert Path("results/schools/library-2.json").read_text(encoding="utf-8") == alone.out
    again = command("run", "trust", "--policy", LENDING, "-o", "results", "--format", "json", cwd=tmp_path)
    assert Path("results/trust.json").read_text(encoding="utf-8") == again.out


@pytest.mark.usefixtures("in_process")
def test_the_summary_adds_up() -> None:
    form = judge(libraries(Path("trust"), 5), "results")
    results = [json.loads(f.read_bytes()) for f in sorted(Path("results/schools").iterdir())]
    for name, count in form["summary"]["outcomes"].items():
        each = [r["summary"]["outcomes"][name] for r in results]
        assert count == sum(each)
        assert form["summary"]["schools_with"][name] == sum(map(bool, each))
    [policy] = form["policies"]
    assert policy["schools"] == len(results) == 5
    for part in ("sections", "rules"):
        for i, entry in enumerate(policy[part]):
            each = [r[part][i]["outcomes"]["breach"] for r in results]
            assert [entry["outcomes"]["breach"], entry["schools_with"]["breach"]] == [
                sum(each),
                sum(map(bool, each)),
            ]
    assert form["summary"]["severities"] == {"critical": 1 + 2 + 0 + 1 + 2, "major": 2, "minor": 0}


def test_order_does_not_matter() -> None:
    libraries(Path("trust"), 4)
    first = judge_here(trust("trust"), OPTIONS, Path("first"), jobs=1)
    turned = Trust(Path("trust"), apart=trust("trust").apart[::-1])
    assert judge_here(turned, OPTIONS, Path("second"), jobs=2) == first
    assert contents(Path("second")) == contents(Path("first"))


@pytest.mark.usefixtures("in_process")
def test_options_hold_for_every_school() -> None:
    form = judge(
        libraries(Path("trust"), 2), "results", only=("lending.1",), parameters={"lent_for_days": "60"}
    )
    assert form["summary"]["outcomes"]["met"] == 6
    assert form["summary"]["outcomes"]["breach"] == 0


@pytest.mark.usefixtures("in_process")
def test_settings_of_all_schools_and_of_each(tmp_path: Path) -> None:
    libraries(Path("trust"), 3)
    Path("settings").mkdir()
    own = Path("settings/library-2.yaml")
    own.write_text("parameters: {lent_for_days: 60}\n", encoding="utf-8")

    def late(settings: Path) -> list[int]:
        form = judge("trust", "results", settings=settings)
        return [s["summary"]["severities"]["critical"] for s in form["schools"]]

    assert late(own) == [0, 0, 0]
    assert late(Path("settings")) == [1, 0, 0]
    own.write_text("parameters: {lent_for_days: 7}\n", encoding="utf-8")
    assert late(Path("settings")) == [1, 2, 0]
    own.rename("settings/library-9.yaml")
    with pytest.raises(UsageError, match=r"library-9.yaml` is of no school here; did you mean `library-"):
        late(Path("settings"))


@pytest.mark.usefixtures("in_process")
def test_each_school_by_its_policy() -> None:
    libraries(Path("trust"), 3)
    folder = policies(Path("policies"), common=None, special="library-2")
    form = judge("trust", "results", policy=str(folder))
    assert [s["policy"]["id"] for s in form["schools"]] == ["common", "special", "common"]
    assert {p["id"]: p["schools"] for p in form["policies"]} == {"common": 2, "special": 1}


@pytest.mark.usefixtures("in_process")
def test_two_policies_for_a_school() -> None:
    libraries(Path("trust"), 2)
    folder = policies(Path("policies"), one="library-2", two="library-2", common=None)
    form = judge("trust", "results", policy=str(folder))
    [failed] = form["failed"]
    assert failed["name"] == "library-2"
    assert "several policies for the school `library-2`: one, two" in failed["problems"][0]["message"]


# Schools that cannot be judged


def test_a_bad_school_does_not_stop_the_others(
    command: Command, tmp_path: Path, text_snapshot: SnapshotAssertion
) -> None:
    libraries(Path("trust"), 6)
    rows = library(3)
    rows["loans"][0]["lent_on"] = "03/05/2021"
    Path("trust/library-1/term.json").write_text("{", encoding="utf-8")
    Path("trust/library-3/term.json").write_text(json.dumps(rows), encoding="utf-8")
    Path("trust/library-4/term.json").unlink()
    shutil.copy("trust/library-5/term.json", "trust/library-5/other.json")
    folder = policies(Path("policies"), one="library-2", **{f"p{n}": f"library-{n}" for n in (1, 3, 4, 5)})
    ran = command("run", "trust", "--policy", folder, "-o", "results", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err == ""
    assert ran.out == text_snapshot
    assert sorted(contents(Path("results"))) == ["schools/library-2.json", "trust.json"]
    form = json.loads(Path("results/trust.json").read_bytes())
    assert [e.message for e in validator("trust").iter_errors(form)] == []


@pytest.mark.usefixtures("in_process")
def test_a_school_that_is_there_twice() -> None:
    libraries(Path("trust"), 3)
    shutil.copytree("trust/library-1", "trust/copy")
    form = judge("trust", "results")
    assert [s["name"] for s in form["schools"]] == ["library-2", "library-3"]
    assert {s["name"]: s["problems"][0]["message"] for s in form["failed"]} == {
        "copy": "its records say that it is the school `library-1`, and so do those of `library-1`",
        "library-1": "its records say that it is the school `library-1`, and so do those of `copy`",
    }
    shutil.rmtree("trust/copy")
    shutil.rmtree("trust/library-1")
    rest = judge("trust", "rest")
    assert form["policies"] == rest["policies"]
    assert sorted(contents(Path("results"))) == sorted(contents(Path("rest")))


@pytest.mark.usefixtures("in_process")
def test_a_result_from_before_does_not_stand_for_a_school_that_fails() -> None:
    libraries(Path("trust"), 2)
    judge("trust", "results")
    Path("trust/library-1/term.json").write_text("{", encoding="utf-8")
    assert [s["name"] for s in judge("trust", "results")["failed"]] == ["library-1"]
    assert sorted(contents(Path("results"))) == ["schools/library-2.json", "trust.json"]


def test_a_school_that_ends_its_process() -> None:
    libraries(Path("trust"), 3)
    schools = trust("trust").apart
    with_deadly = (schools[0], Deadly("deadly", schools[1].path), schools[2])
    form = judge_here(Trust(Path("trust"), apart=with_deadly), OPTIONS, Path("results"), jobs=2)
    assert [s["name"] for s in form["schools"]] == ["library-1", "library-3"]
    assert form["failed"][0]["problems"][0]["message"].startswith(
        "the process that judged it was ended by SIGKILL"
    )


def test_processes_that_end() -> None:
    made = dict(spread(deadly, range(8), 2))
    assert made == {0: 0, 1: 1, 2: 4, 3: Died(-9), 4: Died(7), 5: 25, 6: 36, 7: 49}
    assert str(made[4]) == "the process that judged it ended with exit code 7"


@pytest.mark.parametrize("jobs", [1, 3])
def test_processes_are_replaced(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ITEMS", 2)
    made = [pid for _, pid in spread(process, range(6), jobs)]
    assert os.getpid() not in made
    assert max(made.count(pid) for pid in made) == 2


@pytest.mark.usefixtures("in_process")
def test_a_result_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(files: dict[Path, str]) -> None:
        if any(f.name == "library-2.json" for f in files):
            raise OSError(errno.ENOSPC, "No space left on device", "library-2.json")
        write_whole(files)

    libraries(Path("trust"), 3)
    monkeypatch.setattr(here, "write_whole", full)
    form = judge("trust", "results")
    assert [s["name"] for s in form["schools"]] == ["library-1", "library-3"]
    assert form["failed"][0]["problems"][0]["message"] == "library-2.json: No space left on device"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no terminal to be had")
def test_progress_on_a_terminal() -> None:
    import pty

    libraries(Path("trust"), 3)
    ours, theirs = pty.openpty()
    words = ["run", "trust", "--policy", str(LENDING), "-o", "results", "--jobs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "policycheck", *words],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        check=False,
    )
    os.close(theirs)
    drawn = b""
    with suppress(OSError):
        while more := os.read(ours, 65536):
            drawn += more
    os.close(ours)
    assert done.returncode == 1
    assert b"schools" in drawn
    assert b"left" in drawn
    assert b"/3" in drawn


def test_nothing_to_spread() -> None:
    assert list(spread(process, [], 2)) == []


# Interrupted, and started again


def children(pid: int) -> Iterator[int]:
    """The processes that work for another."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    for child in listed.read_text(encoding="utf-8").split() if listed.exists() else ():
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                yield int(child)
        except OSError:
            continue


def started(output: str) -> subprocess.Popen[str]:
    """The command, under way."""
    words = ["run", "trust", "--policy", str(LENDING), "-o", output, "--jobs", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "policycheck", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def until(found: Callable[[], Any]) -> Any:
    """What is there at last."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if there := found():
            return there
        time.sleep(0.005)
    raise AssertionError("it never came")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_a_worker_that_is_killed() -> None:
    libraries(Path("trust"), 3)
    with started("results") as under_way:
        os.kill(until(lambda: list(children(under_way.pid)))[0], signal.SIGKILL)
        out, err = under_way.communicate()
    assert under_way.returncode == 2
    assert err == ""
    form = json.loads(Path("results/trust.json").read_bytes())
    assert [len(form["schools"]), len(form["failed"])] == [2, 1]
    assert "was ended by SIGKILL; there may be too little memory, so try --jobs 1" in " ".join(out.split())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
@pytest.mark.parametrize("shape", [libraries, mixed], ids=["apart", "mixed"])
def test_goes_on_where_it_was(shape: Callable[[Path, int], Path], how: signal.Signals) -> None:
    shape(Path("trust"), 30)
    judge("trust", "whole")
    with started("results") as under_way:
        until(lambda: list(Path("results/schools").glob("*.json")) if Path("results").exists() else [])
        under_way.send_signal(how)
        _, err = under_way.communicate()
    if how is signal.SIGINT:
        assert under_way.returncode == 2
        assert err == "policycheck: interrupted; run the same again, and it goes on where it was\n"
    time.sleep(1)  # a process that has lost its parent may still write the school it was at
    assert not Path("results/trust.json").exists()
    done = {f: f.stat().st_ino for f in Path("results/schools").glob("[!.]*.json")}
    assert 0 < len(done) < 30
    judge("trust", "results")
    assert contents(Path("results")) == contents(Path("whole"))
    assert {f: f.stat().st_ino for f in done} == done


def changed_records() -> None:
    rows = library(2)
    rows["loans"][0]["pages"] = 7
    Path("trust/library-2/term.json").write_text(json.dumps(rows), encoding="utf-8")


def changed_result() -> None:
    file = Path("results/schools/library-2.json")
    file.write_text(file.read_text(encoding="utf-8").replace('"critical"', '"minor"'), encoding="utf-8")


def truncated_result() -> None:
    file = Path("results/schools/library-2.json")
    file.write_bytes(file.read_bytes()[:1000])


def changed_rules() -> None:
    file = Path("policies/common/lending.yaml")
    file.write_text(file.read_text(encoding="utf-8").replace("Ask for it.", "Ask."), encoding="utf-8")


def new_version() -> None:
    shutil.copytree("policies/common", "policies/moved")
    shutil.rmtree("policies/common")
    for day in ("2021-05-05", "2022-01-01"):
        shutil.copytree("policies/moved", f"policies/common/{day}")
    shutil.rmtree("policies/moved")


def own_settings() -> None:
    Path("settings").mkdir()
    Path("settings/library-2.yaml").write_text("parameters: {lent_for_days: 60}\n", encoding="utf-8")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("change", "again", "options"),
    [
        (lambda: None, [], {}),
        (changed_records, [2], {}),
        (changed_result, [2], {}),
        (truncated_result, [2], {}),
        (changed_rules, [1, 2, 3], {}),
        (new_version, [1, 2, 3], {}),
        (lambda: None, [1, 2, 3], {"as_of": "2021-06-30"}),
        (lambda: None, [1, 2, 3], {"only": ("lending.1",)}),
        (lambda: None, [1, 2, 3], {"parameters": {"lent_for_days": "7"}}),
        (lambda: None, [1, 2, 3], {"engine": "naive"}),
        (lambda: None, [1, 2, 3], {"cross_check": "naive"}),
        (own_settings, [2], {"settings": Path("settings")}),
    ],
    ids=[
        *("nothing", "records", "result", "truncated", "rules", "version"),
        *("as-of", "only", "set", "engine", "cross-check", "settings"),
    ],
)
def test_what_changed_is_judged_again(
    change: Callable[[], None], again: list[int], options: dict[str, Any]
) -> None:
    libraries(Path("trust"), 3)
    options["policy"] = str(policies(Path("policies"), common=None))
    judge("trust", "results", policy=options["policy"])
    before = {n: Path(f"results/schools/library-{n}.json").stat().st_ino for n in (1, 2, 3)}
    change()
    judge("trust", "results", **options)
    after = {n: Path(f"results/schools/library-{n}.json").stat().st_ino for n in (1, 2, 3)}
    assert [n for n in after if after[n] != before[n]] == again
    judge("trust", "fresh", **options)
    assert contents(Path("results")) == contents(Path("fresh"))


@pytest.mark.usefixtures("in_process")
def test_what_a_killed_run_left_is_cleared_away() -> None:
    libraries(Path("trust"), 1)
    Path("results/schools").mkdir(parents=True)
    Path("results/.rows").mkdir()
    Path("results/.rows/library-1").mkdir()
    Path("results/.rows/library-1/0").touch()
    Path("results/schools/.library-1.json.abc").touch()
    Path("results/.trust.json.abc").touch()
    judge("trust", "results")
    assert sorted(contents(Path("results"))) == ["schools/library-1.json", "trust.json"]


# Where results go


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trust"], "is a folder of schools; say where their results go, such as -o results"),
        (["trust", "-o", "trust/results"], "write the results to a folder apart from the records"),
        (["trust", "-o", "."], "write the results to a folder apart from the records"),
        (["trust", "-o", "a-file"], "`a-file` is a file; name a folder"),
        (["trust", "-o", "no/results"], "there is no folder `no`"),
        (["trust", "-o", "results", "--on", "spark"], "write -o results.parquet"),
        (["trust", "-o", "results", "--master", "local"], "--master is for Spark"),
        (["trust", "-o", "r.parquet", "--on", "spark", "--jobs", "2"], "--jobs is for this machine"),
        (["trust/library-1/term.json", "--on", "spark"], "Spark is for several schools"),
        (["trust/library-1/term.json", "--school", "x"], "no folder whose files name the school of each row"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_refused(words: list[str], said: str, command: Command, tmp_path: Path) -> None:
    libraries(Path("trust"), 1)
    Path("a-file").touch()
    ran = command("run", *words, "--policy", LENDING, cwd=tmp_path)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-file", "trust"]


def test_exit_codes(command: Command, tmp_path: Path) -> None:
    libraries(Path("trust"), 3)
    for number in (1, 2):
        shutil.rmtree(f"trust/library-{number}")
    ran = command("run", "trust", "--policy", LENDING, "-o", "results", cwd=tmp_path)
    assert ran.code == 0
    rows = library(3)
    del rows["loans"][0]["remark"], rows["loans"][1]["remark"], rows["loans"][2]["remark"]
    Path("trust/library-3/term.json").write_text(json.dumps(rows), encoding="utf-8")
    words = ("run", "trust", "--policy", LENDING, "-o", "results", "--fail-on-incomplete")
    assert command(*words, cwd=tmp_path).code == 3


# Files that hold several schools


def as_parquet(folder: Path) -> None:
    """Loans as one Parquet file."""
    with duckdb.connect() as connection:
        read = f"read_json('{folder}/loans.ndjson', format = 'newline_delimited')"
        connection.execute(f"COPY (SELECT * FROM {read}) TO '{folder}/loans.parquet' (FORMAT parquet)")
    (folder / "loans.ndjson").unlink()


def as_parts(folder: Path) -> None:
    """Loans as Parquet files in a folder for each school; fines as parts of NDJSON, as Spark leaves them."""
    with duckdb.connect() as connection:
        read = f"read_json('{folder}/loans.ndjson', format = 'newline_delimited')"
        to = "(FORMAT parquet, PARTITION_BY (school_id))"
        connection.execute(f"COPY (SELECT * FROM {read}) TO '{folder}/loans' {to}")
    (folder / "loans.ndjson").unlink()
    lines = (folder / "fines.ndjson").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "fines.ndjson").unlink()
    (folder / "fines").mkdir()
    (folder / "fines" / "_SUCCESS").touch()
    for i, line in enumerate(lines):
        (folder / "fines" / f"part-{i}.ndjson").write_text(line, encoding="utf-8")


def as_csv(folder: Path) -> None:
    """Everything as CSV, with a cell that has a line break in it."""
    with duckdb.connect() as connection:
        for file in folder.glob("*.ndjson"):
            read = f"read_json('{file}', format = 'newline_delimited')"
            rows = connection.execute(f"SELECT * FROM {read}")
            names = [d[0] for d in rows.description]
            lines = [",".join(f'"{"" if v is None else v}"' for v in row) for row in rows.fetchall()]
            text = "\n".join([",".join(names), *lines]).replace('"as it was"', '"as\nit was"', 1)
            file.with_suffix(".csv").write_text(text + "\n", encoding="utf-8")
            file.unlink()


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    "form", [None, as_parquet, as_parts, as_csv], ids=["ndjson", "parquet", "parts", "csv"]
)
def test_mixed_as_apart(form: Callable[[Path], None] | None) -> None:
    judge(libraries(Path("apart"), 5), "of-apart")
    mixed(Path("trust"), 5)
    if form:
        form(Path("trust"))
    judge("trust", "of-mixed")
    for number in range(1, 6):
        one, other = (
            json.loads(Path(f"of-{kind}/schools/library-{number}.json").read_bytes())
            for kind in ("apart", "mixed")
        )
        for result in (one, other):
            result["records"]["sources"] = []
            result["receipt"] = {}
            for finding in result["findings"]:
                finding["records"] = [(r["relation"], r["id"]) for r in finding["records"]]
        assert other == one


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("form", "place"),
    [
        (None, ("trust/loans.ndjson", "line 4")),
        (as_parquet, ("trust/loans.parquet", "row 4")),
        (as_parts, ("trust/loans", "school_id=library-2/data_0.parquet row 1")),
        (as_csv, ("trust/loans.csv", "line 6")),
    ],
    ids=["ndjson", "parquet", "parts", "csv"],
)
def test_findings_say_where_in_the_file(form: Callable[[Path], None] | None, place: tuple[str, str]) -> None:
    mixed(Path("trust"), 3)
    if form:
        form(Path("trust"))
    judge("trust", "results", only=("lending.1",))
    finding = json.loads(Path("results/schools/library-2.json").read_bytes())["findings"][0]
    assert [(r["id"], r["source"], r["at"]) for r in finding["records"]] == [("library-2-L0", *place)]


def test_one_school_of_several(command: Command, tmp_path: Path) -> None:
    mixed(Path("trust"), 3)
    judge("trust", "results")
    words = ("run", "trust", "--policy", LENDING, "--format", "json", "--school")
    ran = command(*words, "library-2", cwd=tmp_path)
    assert ran.code == 1
    result = Path("results/schools/library-2.json")
    assert ran.out == result.read_text(encoding="utf-8")
    assert command("verify", result, cwd=tmp_path).out == "It comes out the same.\n"
    ran = command(*words, "library-9", cwd=tmp_path)
    assert ran.code == 2
    assert "has no school `library-9`; did you mean `library-" in ran.err


def test_rows_of_no_school(command: Command, tmp_path: Path, text_snapshot: SnapshotAssertion) -> None:
    mixed(Path("trust"), 2)
    with Path("trust/loans.ndjson").open("a", encoding="utf-8") as stream:
        stream.write(
            '\n{"loan_id": "L9"}\n{"school_id": " "}\n{"school_id": null}\n{"school_id": true}\n[1]\nno\n'
        )
    Path("trust/fines.ndjson").unlink()
    Path("trust/fines.csv").write_text("school_id,fine_id\nlibrary-1,F1,,,\n,F2\n", encoding="utf-8")
    ran = command("run", "trust", "--policy", LENDING, "-o", "results", cwd=tmp_path)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == text_snapshot
    assert contents(Path("results")) == {}


@pytest.mark.usefixtures("in_process")
def test_what_a_file_does_not_say_of_a_school_is_unknown() -> None:
    mixed(Path("trust"), 3)
    file = Path("trust/loans.ndjson")
    text = file.read_text(encoding="utf-8")
    blanked = text.replace('"as it was", "school_id": "library-2"', 'null, "school_id": "library-2"')
    file.write_text(blanked, encoding="utf-8")
    Path("trust/fines.ndjson").write_text(
        '{"fine_id": "F1", "loan_id": "library-1-L0", "paid_at": "2021-06-01T10:20", "pence": 1, '
        '"school_id": "library-1"}\n',
        encoding="utf-8",
    )
    judge("trust", "results")
    result = json.loads(Path("results/schools/library-2.json").read_bytes())
    outcomes = {r["id"]: {k: n for k, n in r["outcomes"].items() if n} for r in result["rules"]}
    assert outcomes == {
        "lending.1": {"met": 1, "breach": 2},
        "lending.2": {"undecided": 2},
        "lending.3": {"undecided": 3},
    }


def test_a_shipped_term_among_others(command: Command, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "examples" / "first-sheets", "trust/first")
    shutil.copy(ROOT / "fixtures" / "small" / "good.json", "trust")
    ran = command("run", "trust", "-o", "results", cwd=tmp_path)
    assert ran.code == 2
    form = json.loads(Path("results/trust.json").read_bytes())
    assert [s["name"] for s in form["schools"]] == ["good"]
    assert "say which policy is meant" in form["failed"][0]["problems"][0]["message"]
    assert isinstance(trust_at(Path("trust"), MODEL), Trust)
    assert Apart("good", Path("trust/good.json")) in trust("trust").apart
