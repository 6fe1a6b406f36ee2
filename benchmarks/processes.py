"""Whole processes, measured by the operating system."""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds on the wall, seconds of processor time, megabytes at its peak, its exit code (None
    when it was stopped for taking too long), its output and what it said of errors."""

    wall: float
    cpu: float
    peak: float
    code: int | None
    out: str
    err: str


def run(args: Sequence[str], env: Mapping[str, str] | None = None, limit: float = 600) -> Run:
    """Run a process, `limit` seconds at most. Python keeps what it compiles, as it usually does."""
    usual = {"PYTHONDONTWRITEBYTECODE": ""}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            args, stdout=output, stderr=errors, cwd=ROOT, env={**os.environ, **usual, **(env or {})}
        )
        signal.signal(signal.SIGALRM, lambda *_: child.kill())
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        out, err = output.read().decode(), errors.read().decode()
    stopped = child.returncode == -signal.SIGKILL and wall >= limit
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss / 1024, None if stopped else child.returncode, out, err)


Figures = dict[str, Any]
"""What was measured, as JSON."""


def figures(runs: Sequence[Run]) -> Figures:
    """Medians of a command: seconds on the wall, the least and the most of them, seconds of processors, and
    megabytes at the peak."""
    return {
        "wall": median(runs),
        "least": min(r.wall for r in runs),
        "most": max(r.wall for r in runs),
        "cpu": median(runs, lambda r: r.cpu),
        "peak": median(runs, lambda r: r.peak),
    }


def stages(term: Path, policy: Path | None, env: Mapping[str, str], runs: int) -> Figures:
    """Median seconds of each stage of judging a term in a process of its own. A run before them fills the
    cache, unless `env` says that nothing is kept."""
    found: list[Figures] = []
    for turn in range(runs + 1):
        asked = [sys.executable, "-c", STAGES, str(term), str(policy or ""), str(time.time())]
        done = run(asked, env)
        if done.code:
            raise SystemExit(f"a run failed with exit code {done.code}: {done.err}")
        if turn:
            found.append(json.loads(done.out.splitlines()[-1]))
    return {name: statistics.median(f[name] for f in found) for name in found[0]}


STAGES = """
import gc, json, sys, time
gc.disable()
term, policy, began = sys.argv[1:]
marks = [("start", float(began))]
from policycheck.run import run
result = run(term, policy or None, progress=lambda stage: marks.append((stage, time.time())))
marks.append(("reporting", time.time()))
from policycheck.report.json_form import form_of
from policycheck.report.json_text import indented
indented(form_of(result))
marks.append(("end", time.time()))
spent = {}
for (stage, at), (_, later) in zip(marks, marks[1:]):
    spent[stage] = spent.get(stage, 0) + later - at
print(json.dumps(spent))
"""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]


def median(runs: Sequence[Run], figure: Callable[[Run], float] = lambda r: r.wall) -> float:
    """The median of a figure; of the seconds on the wall when none is named."""
    return statistics.median(figure(r) for r in runs)


def machine() -> str:
    """The machine in a line."""
    name = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({name}), {memory:.0f} GiB, {platform.system()}, {python}"
