"""Many schools beside one.

Memory is that of all processes together, looked at every 20 ms.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from processes import ROOT, Figures, run, table

sys.path.insert(0, str(ROOT / "fixtures"))

SIZES = (2, 10, 50)
COMMAND = [sys.executable, "-m", "policycheck", "run"]


def resident(pid: int) -> int:
    """Bytes in memory of a process and all its descendants."""
    try:
        total = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) * 4096
        for listed in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(resident(int(child)) for child in listed.read_text(encoding="utf-8").split())
    except OSError:
        return 0
    return total


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process started."""
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, listed.read_text(encoding="utf-8").split())


@contextmanager
def watched() -> Iterator[list[int]]:
    """The most bytes that what is run inside had in memory, in a list of one."""
    peak, over = [0], Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], sum(map(resident, descendants(self))))

    self = os.getpid()
    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def measured(words: Sequence[object], before: Callable[[], None], runs: int, cold: bool = False) -> Figures:
    """Medians of a command: seconds on the wall, of processors, and megabytes of all processes. A run before
    them fills the cache, or `cold` gives each an empty one."""
    found = []
    for turn in range(runs if cold else runs + 1):
        before()
        with watched() as peak, tempfile.TemporaryDirectory() as empty:
            env = {"POLICYCHECK_CACHE": empty} if cold else {}
            done = run([*COMMAND, *map(str, words)], env, limit=3600)
        if turn == 0 and not cold:
            continue
        assert done.code == 1, f"{words} ended with {done.code}"
        found.append({"wall": done.wall, "cpu": done.cpu, "peak": peak[0] / 2**20})
        print(".", end="", file=sys.stderr, flush=True)
    return {name: statistics.median(f[name] for f in found) for name in ("wall", "cpu", "peak")}


def one_school(term: Path, policies: Path, work: Path, runs: int) -> Figures:
    """A school by itself, in a process that has its policy in the cache."""
    out = work / "one.json"
    words = [term, "--policy", policies, "--format", "json", "-o", out]
    found = measured(words, lambda: None, runs)
    cold = measured(words, lambda: None, runs, cold=True)
    form = json.loads(out.read_bytes())
    sizes = {"records": term.stat().st_size / 1e6, "result": out.stat().st_size / 1e6}
    return {**found, **sizes, "cold": cold, "rows": form["records"]["rows"]}


def measure(runs: int, spark: bool) -> Figures:
    """All figures."""
    from schools import copy_policy, make_trust, mix, shipped_term, write_term

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_trust(work, max(SIZES), primaries=False)
        policies = work / "policies"
        copy_policy("holy-cross-learning-mentor/2020-11-30", policies / "primary", "primary")
        write_term(work / "primary", "primary", shipped_term("holy-cross"))
        write_term(work / "whole", "whole", shipped_term("woodlands"))
        terms = {
            "primary": work / "primary" / "term.json",
            "small": work / "schools" / "school-01" / "term.json",
            "whole": work / "whole" / "term.json",
        }
        ones = {kind: one_school(term, policies, work, runs) for kind, term in terms.items()}
        out = work / "results"

        def fresh() -> None:
            for left in (out, work / "results.parquet"):
                shutil.rmtree(left, ignore_errors=True)

        def trust(folder: Path, *options: object) -> list[object]:
            return [folder, "--policy", policies, "-o", out, *options]

        many = {}
        for size in SIZES:
            folder = work / f"of-{size}"
            folder.mkdir()
            for school in sorted((work / "schools").iterdir())[:size]:
                (folder / school.name).symlink_to(school)
            many[str(size)] = measured(trust(folder, "--jobs", 2), fresh, runs)
        last = work / f"of-{max(SIZES)}"
        cold = measured(trust(last, "--jobs", 2), fresh, 1, cold=True)
        alone = measured(trust(last, "--jobs", 1), fresh, 1)
        again = measured(trust(last, "--jobs", 2), lambda: None, runs)
        mix(last, work / "mixed")
        mixed = measured(trust(work / "mixed", "--jobs", 2), fresh, runs)
        on_spark = None
        if spark:
            options = ("--on", "spark", "--master", "local-cluster[2,1,1024]", "-o", work / "results.parquet")
            on_spark = measured(trust(work / "of-10", *options), fresh, 1)
    return {
        "runs": runs,
        "one": ones,
        "many": many,
        "cold": cold,
        "one_process": alone,
        "again": again,
        "mixed": mixed,
        "spark": on_spark,
    }


def lines(found: Figures) -> Iterator[str]:
    """The table of all measurements."""
    one = found["one"]["small"]
    heads = ["", "schools", "s", "CPU s", "peak MB", "schools' time over wall", "peak over one's"]
    rows = [
        many_row("`policycheck run` of one school", 1, one, one),
        many_row("of one school, nothing in the cache", 1, one["cold"], one),
        *(many_row("of a folder, `--jobs 2`", int(n), f, one) for n, f in found["many"].items()),
        many_row("of a folder, `--jobs 2`, nothing in the cache (one run)", 50, found["cold"], one),
        many_row("of a folder, `--jobs 1` (one run)", 50, found["one_process"], one),
        many_row("of files that hold all schools, `--jobs 2`", 50, found["mixed"], one),
        many_row("again, when nothing has changed", 50, found["again"], one),
    ]
    if found["spark"]:
        rows.append(many_row("on Spark, two executors (one run)", 10, found["spark"], one))
    yield from table(heads, rows)
    yield ""


def many_row(name: str, schools: int, f: Figures, one: Figures) -> list[str]:
    """One measurement."""
    return [
        name,
        str(schools),
        f"{f['wall']:.1f}",
        f"{f['cpu']:.1f}",
        f"{f['peak']:.0f}",
        f"{schools * one['wall'] / f['wall']:.2f}",
        f"{f['peak'] / one['peak']:.1f}",
    ]


def targets(found: Figures) -> Iterator[tuple[str, str, bool]]:
    """What was aimed at, what was measured, and whether that is it."""
    one, fifty = found["one"]["small"], found["many"]["50"]
    faster, larger = 50 * one["wall"] / fifty["wall"], fifty["peak"] / one["peak"]
    aim = "50 schools: at least 1.7 times as fast as one after the other"
    yield aim, f"{faster:.1f} times", faster >= 1.7
    yield "50 schools: at most three schools' memory", f"{larger:.1f} times", larger <= 3
