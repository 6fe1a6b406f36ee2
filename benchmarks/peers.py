"""The six rules by policycheck and by what people would use instead: same records, same findings.

    python benchmarks/peers.py [--sizes 1000,10000] [--runs 5] [--limit 120] > benchmarks/peers.md

Each contender is a whole process that reads the records of benchmarks/six-rules/generate.py and prints or
writes its findings. Contenders take turns, so that a noisy machine is noisy for all of them. One that is not
installed, or takes longer than the limit, is said to be so; one whose findings differ is said to be wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT, Run, machine, median, run

HERE = Path(__file__).resolve().parent
SIX = HERE / "six-rules"
SUMMED = {"R1": 2, "R2": 2, "R3": 2, "R4": 1, "R5": 1, "R6": 1}
"""How many keys the subject of a rule has."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to evaluate the six rules: its name, its command, and the package that it needs."""

    name: str
    command: tuple[str, ...]
    needs: str = ""
    writes: bool = False

    @property
    def installed(self) -> bool:
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def contenders(folder: Path) -> Iterator[Contender]:
    python, judge = sys.executable, ("-m", "policycheck", "run")
    options = ("--policy", str(SIX), "--format", "json", "-o", str(folder / "result.json"))
    term, here = str(folder / "term.json"), str(folder)
    floor = "import json, sys; print(sum(map(len, json.load(open(sys.argv[1], 'rb')).values())))"
    yield Contender("Python that only parses term.json", (python, "-c", floor, term))
    yield Contender("Python by hand", (python, str(SIX / "reference.py"), here))
    yield Contender("**policycheck**, term.json", (python, *judge, term, *options), writes=True)
    yield Contender("**policycheck**, NDJSON", (python, *judge, here, *options), writes=True)
    for name, module in (
        ("DuckDB SQL by hand, NDJSON", "duckdb"),
        ("Polars by hand, NDJSON", "polars"),
        ("pandas by hand, NDJSON", "pandas"),
        ("CLIPS (clipspy)", "clips"),
        ("clingo", "clingo"),
        ("durable-rules", "durable"),
        ("Rego (rego-cpp)", "rego"),
    ):
        package = {"rego": "regopy"}.get(module, module)
        yield Contender(name, (python, str(HERE / "peers" / f"with_{module}.py"), here), package)


def findings(contender: Contender, done: Run, folder: Path) -> str:
    """The findings of a run in the form of the reference: rule TAB key, sorted."""
    if not contender.writes:
        return done.out
    form = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    lines = (f"{f['rule']}\t{'|'.join(map(str, f['subject'].values()))}\n" for f in form["findings"])
    return "".join(sorted(lines))


def measured(size: int, runs: int, limit: float) -> Iterator[str]:
    """The rows of the table for one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(SIX / "generate.py"), str(size), name], check=True)
        expected = run([sys.executable, str(SIX / "reference.py"), name], limit=3600).out
        here = [c for c in contenders(folder) if c.installed]
        found: dict[str, list[Run]] = {c.name: [] for c in here}
        wrong: dict[str, str] = {}
        for turn in range(runs + 1):
            for c in here:
                if c.name in wrong:
                    continue
                done = run(c.command, {"PYTHONWARNINGS": "ignore"}, limit)
                if done.code is None:
                    wrong[c.name] = f"over {limit:.0f} s"
                elif done.code not in ((0, 1) if c.writes else (0,)):
                    wrong[c.name] = f"failed with exit code {done.code}"
                elif "only parses" not in c.name and findings(c, done, folder) != expected:
                    wrong[c.name] = "findings differ"
                elif turn:
                    found[c.name].append(done)
        script = median(found["Python by hand"])
        for c in contenders(folder):
            if not c.installed:
                yield f"| {c.name} | not installed | | | |"
            elif c.name in wrong:
                yield f"| {c.name} | {wrong[c.name]} | | | |"
            else:
                yield one_row(c.name, found[c.name], script)


def one_row(name: str, runs: list[Run], script: float) -> str:
    wall, least, most = median(runs), min(r.wall for r in runs), max(r.wall for r in runs)
    peak = median(runs, lambda r: r.peak)
    return f"| {name} | {wall:.2f} | {least:.2f} to {most:.2f} | {peak:.0f} | {wall / script:.1f} |"


def page(sizes: list[int], runs: int, limit: float) -> Iterator[str]:
    yield "# The six rules, beside what people would use instead"
    yield ""
    yield f"{machine()}. Whole processes, medians of {runs} runs after one that warms up; the contenders take"
    yield "turns. `times` is against the Python script by hand. All findings were compared with the script's."
    asked = f"--sizes {','.join(map(str, sizes))} --runs {runs} --limit {limit:.0f}"
    yield f"Made by `python benchmarks/peers.py {asked}`."
    for size in sizes:
        yield ""
        yield f"## {size:,} deployments"
        yield ""
        yield "| | s | from, to | peak MB | times |"
        yield "|---|---|---|---|---|"
        yield from measured(size, runs, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", default="1000,10000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=120)
    given = parser.parse_args()
    os.chdir(ROOT)
    for line in page([int(s) for s in given.sizes.split(",")], given.runs, given.limit):
        print(line, flush=True)


if __name__ == "__main__":
    main()
