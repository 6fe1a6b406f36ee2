"""Measure one full term: whole processes, cold and warm, by phase, beside a process that only parses.

    python benchmarks/full_term.py [RUNS] > benchmarks/full-term.md

A cold run finds no compiled Python and an empty cache; a warm one finds both. Each figure is the median of
the runs, and only ratios within one page mean anything: machines differ, and are noisy.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from processes import ROOT, Run, machine, median, run

TERM = ROOT / "fixtures" / "woodlands" / "summer-2021.json"
PHASES = ("start", "reading", "checking", "compiling", "evaluating", "judging", "reporting")

PARSE_ONLY = """
import sys, orjson
with open(sys.argv[1], 'rb') as file: print(sum(map(len, orjson.loads(file.read()).values())))
"""
TYPER_ONLY = "import typer"
START_ONLY = "import policycheck.cli, policycheck.run"
BY_PHASE = """
import gc, json, sys, time
gc.disable()
marks = [("start", float(sys.argv[2]))]
import policycheck.cli, policycheck.run
result = policycheck.run.run(sys.argv[1], progress=lambda s: marks.append((s, time.time())))
marks.append(("reporting", time.time()))
from policycheck.report.json_text import indented
indented(result.as_json())
marks.append(("end", time.time()))
print(json.dumps([(a, later - at) for (a, at), (_, later) in zip(marks, marks[1:])]))
"""


def cold_env() -> dict[str, str]:
    """An environment in which nothing of Python has been compiled yet, and nothing is kept."""
    return {name: tempfile.mkdtemp(prefix="cold-") for name in ("PYTHONPYCACHEPREFIX", "POLICYCHECK_CACHE")}


def measured(runs: int, env: Mapping[str, str], *args: str) -> list[Run]:
    """A Python process some times, after one that does not count."""
    return [run([sys.executable, *args], env) for _ in range(runs + 1)][1:]


def row(name: str, runs: Sequence[Run], floor: float) -> str:
    wall, cpu = median(runs), median(runs, lambda r: r.cpu)
    peak = median(runs, lambda r: r.peak)
    return f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} | {cpu / floor:.1f} |"


def by_phase(runs: Sequence[Run]) -> dict[str, float]:
    """The median seconds of each phase."""
    found = []
    for done in runs:
        spent = dict.fromkeys(PHASES, 0.0)
        for phase, seconds in json.loads(done.out.strip().splitlines()[-1]):
            spent[phase] += seconds
        found.append(spent)
    return {phase: statistics.median(f[phase] for f in found) for phase in PHASES}


def phases(runs: int, warm: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """The seconds of each phase, cold and warm."""

    def one(env: Mapping[str, str]) -> Run:
        return run([sys.executable, "-c", BY_PHASE, str(TERM), str(time.time())], env)

    cold = by_phase([one(cold_env()) for _ in range(runs)])
    again = by_phase([one(warm) for _ in range(runs)])
    return {phase: (cold[phase], again[phase]) for phase in PHASES}


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    command = ["-m", "policycheck", "run", str(TERM), "--format", "json"]
    warm = {"POLICYCHECK_CACHE": tempfile.mkdtemp(prefix="warm-")}
    parse = measured(runs, {}, "-c", PARSE_ONLY, str(TERM))
    floor = median(parse, lambda r: r.cpu)
    table = [
        ("Python that only parses the file, by orjson", parse),
        ("Python that only imports typer", measured(runs, {}, "-c", TYPER_ONLY)),
        ("`policycheck --version`", measured(runs, {}, "-m", "policycheck", "--version")),
        ("`policycheck --help`", measured(runs, {}, "-m", "policycheck", "--help")),
        ("Python that only imports what a run needs", measured(runs, {}, "-c", START_ONLY)),
        ("`policycheck run`, warm", measured(runs, warm, *command)),
        ("`policycheck run`, without a cache", measured(runs, {"POLICYCHECK_CACHE": "off"}, *command)),
        ("`policycheck run`, cold", [run([sys.executable, *command], cold_env()) for _ in range(runs)]),
    ]
    spent = phases(runs, warm)
    print("# One full term\n")
    print(f"`{TERM.relative_to(ROOT)}` ({TERM.stat().st_size / 1e6:.1f} MB), all clauses, judged by")
    print(f"`policycheck run --format json`. Median of {runs} runs. {machine()}")
    print("Made by `python benchmarks/full_term.py`. The last column is processor time.\n")
    print("| whole process | wall s | cpu s | peak MB | times parsing |\n|---|---|---|---|---|")
    for name, done in table:
        print(row(name, done, floor))
    print("\n| phase | cold s | warm s | share |\n|---|---|---|---|")
    whole = sum(warm_s for _, warm_s in spent.values())
    for phase, (cold_s, warm_s) in spent.items():
        print(f"| {phase} | {cold_s:.2f} | {warm_s:.2f} | {warm_s / whole:.0%} |")
    print(NOTES)


NOTES = """
Reading is: finding the policy by the school, and the file by its types. Checking is: keys, references,
values, and the checks of the record model. Compiling is: reading and typing the policy's YAML, and the two
readings of its program; warm, it is fetched. Evaluating is: the rules and the indexes they look up, and cold,
writing the rules as Python. Judging is: the verdict on each case, and the findings.

What is kept from one run to the next is told in
[decision 11](../docs/decisions/0011-what-is-kept-between-runs.md), and how rules become Python in
[decision 15](../docs/decisions/0015-rules-as-python.md)."""


if __name__ == "__main__":
    main()
