"""Whole processes, measured by the operating system."""

from __future__ import annotations

import os
import platform
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds on the wall, seconds of processor time, megabytes at its peak, its exit code (None
    when it was stopped for taking too long) and its output."""

    wall: float
    cpu: float
    peak: float
    code: int | None
    out: str


def run(args: Sequence[str], env: Mapping[str, str] | None = None, limit: float = 600) -> Run:
    """Run a process, `limit` seconds at most."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            args, stdout=output, stderr=errors, cwd=ROOT, env={**os.environ, **(env or {})}
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
        out = output.read().decode()
    stopped = child.returncode == -signal.SIGKILL and wall >= limit
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss / 1024, None if stopped else child.returncode, out)


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
