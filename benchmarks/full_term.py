"""Measure one full term: whole processes, cold and again, by phase, beside a process that only parses.

    python benchmarks/full_term.py [RUNS]

prints a page in Markdown; `benchmarks/full-term.md` is one such page. Each figure is the median of the
runs, and only ratios within one page mean anything: machines differ, and are noisy.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TERM = ROOT / "fixtures" / "woodlands" / "summer-2021.json"
PHASES = ("start", "reading", "checking", "compiling", "evaluating", "judging", "reporting")

PARSE_ONLY = "import json, sys; print(sum(map(len, json.load(open(sys.argv[1], 'rb')).values())))"
START_ONLY = "import policycheck.run, policycheck.cli"
BY_PHASE = """
import json, sys, time
marks = [("start", float(sys.argv[2]))]
import policycheck.run
result = policycheck.run.run(sys.argv[1], progress=lambda s: marks.append((s, time.time())))
marks.append(("reporting", time.time()))
from policycheck.report.table import result_as_table
result_as_table(result.as_json())
marks.append(("end", time.time()))
print(json.dumps({a: later - at for (a, at), (_, later) in zip(marks, marks[1:])}))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds on the wall, seconds of processor time, megabytes at its peak, its output."""

    wall: float
    cpu: float
    peak: float
    out: str


def run(args: list[str], env: Mapping[str, str] | None = None) -> Run:
    """Run a process and let the operating system account for it."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        child = subprocess.Popen(args, stdout=output, cwd=ROOT, env={**os.environ, **(env or {})})
        _, _, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = 0
        output.seek(0)
        out = output.read().decode()
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out)


def cold_env() -> dict[str, str]:
    """An environment in which nothing of Python has been compiled yet."""
    return {"PYTHONPYCACHEPREFIX": tempfile.mkdtemp(prefix="cold-")}


def median(runs: list[Run], figure: Callable[[Run], float]) -> float:
    return statistics.median(figure(r) for r in runs)


def row(name: str, runs: list[Run], floor: float) -> str:
    wall = median(runs, lambda r: r.wall)
    return (
        f"| {name} | {wall:.2f} | {median(runs, lambda r: r.cpu):.2f} |"
        f" {median(runs, lambda r: r.peak):.0f} | {wall / floor:.1f} |"
    )


def by_phase(runs: int) -> dict[str, float]:
    """The median seconds of each phase, in one process."""
    found = []
    for _ in range(runs):
        done = run([sys.executable, "-c", BY_PHASE, str(TERM), str(time.time())])
        found.append(json.loads(done.out.strip().splitlines()[-1]))
    return {phase: statistics.median(f.get(phase, 0.0) for f in found) for phase in PHASES}


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    python = sys.executable
    command = [python, "-m", "policycheck", "run", str(TERM)]
    parse = [run([python, "-c", PARSE_ONLY, str(TERM)]) for _ in range(runs + 1)][1:]
    start = [run([python, "-c", START_ONLY]) for _ in range(runs + 1)][1:]
    again = [run(command) for _ in range(runs + 1)][1:]
    cold = [run(command, cold_env()) for _ in range(runs)]
    floor = median(parse, lambda r: r.wall)
    phases = by_phase(runs)
    total = sum(phases.values())
    print("# One full term\n")
    print(f"`{TERM.relative_to(ROOT)}` ({TERM.stat().st_size / 1e6:.1f} MB), judged by `policycheck run`.")
    print(f"Median of {runs} runs on {os.cpu_count()} cores, {platform.system()} {platform.machine()},")
    print(f"Python {platform.python_version()}. Made by `python benchmarks/full_term.py`.\n")
    print("| whole process | wall s | cpu s | peak MB | times parsing |\n|---|---|---|---|---|")
    print(row("Python that only parses the file", parse, floor))
    print(row("Python that only imports what a run needs", start, floor))
    print(row("`policycheck run`, again", again, floor))
    print(row("`policycheck run`, cold (no compiled Python)", cold, floor))
    print("\n| phase | s | share |\n|---|---|---|")
    for phase, seconds in phases.items():
        print(f"| {phase} | {seconds:.2f} | {seconds / total:.0%} |")
    print("\nEvaluating is: the two readings of the program, each rule written as Python, the indexes that")
    print("rules look up, the rules, and the verdict on each case. Compiling is: reading, checking")
    print("and typing the policy's YAML, its examples included. Nothing is kept from one run to the next.")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\nLargest process of all: {peak:.0f} MB.")


if __name__ == "__main__":
    main()
