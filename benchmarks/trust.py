"""Measure many schools beside one, and reckon from that what a trust, an authority and a country need.

    python benchmarks/trust.py [--runs 3] [--spark]     measure, and write figures and pages
    python benchmarks/trust.py --pages                  write the pages from the figures that are there
    python benchmarks/trust.py --check                  exit code 1 when a page is not what the figures give

The figures are in benchmarks/trust.json, the pages benchmarks/trust.md and the marked part of docs/scale.md.
Every figure is the median of the runs; only ratios within one page mean anything. Memory is that of all
processes together, looked at every 20 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from processes import ROOT, machine, run
from trust_pages import MARK, page, reckoned

sys.path.insert(0, str(ROOT / "fixtures"))

FIGURES = ROOT / "benchmarks" / "trust.json"
PAGE = ROOT / "benchmarks" / "trust.md"
SCALE = ROOT / "docs" / "scale.md"
SIZES = (2, 10, 50)
COMMAND = [sys.executable, "-m", "policycheck", "run"]
Figures = dict[str, Any]


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
        "machine": machine(),
        "day": time.strftime("%Y-%m-%d"),
        "runs": runs,
        "one": ones,
        "many": many,
        "cold": cold,
        "one_process": alone,
        "again": again,
        "mixed": mixed,
        "spark": on_spark,
    }


def pages(figures: Figures) -> dict[Path, str]:
    """The pages as the figures give them."""
    before, _, rest = SCALE.read_text(encoding="utf-8").partition(f"<!-- {MARK} -->\n")
    _, _, after = rest.partition(f"<!-- end of {MARK} -->\n")
    marked = f"<!-- {MARK} -->\n{reckoned(figures)}<!-- end of {MARK} -->\n"
    return {PAGE: page(figures), SCALE: before + marked + after}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--spark", action="store_true", help="measure Spark as well")
    parser.add_argument("--pages", action="store_true", help="only write the pages")
    parser.add_argument("--check", action="store_true", help="only compare the pages")
    asked = parser.parse_args()
    if not asked.pages and not asked.check:
        figures = measure(asked.runs, asked.spark)
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    stale = []
    for file, text in pages(json.loads(FIGURES.read_bytes())).items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(file)
            if not asked.check:
                file.write_text(text, encoding="utf-8")
    for file in stale:
        print(f"{file.relative_to(ROOT)} {'is not current' if asked.check else 'written'}", file=sys.stderr)
    return int(bool(stale) and asked.check)


if __name__ == "__main__":
    sys.exit(main())
