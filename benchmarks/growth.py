"""How the cost grows: ten times the rows, and ten times the rules.

    python benchmarks/growth.py [--runs 3] > benchmarks/growth.md

Measured are the stages of one process that ran once before (its cache is warm): evaluating and judging alone,
and all of it. More rules are copies of the six under other names; nothing is shared between them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from processes import ROOT, machine, run

SIX = ROOT / "benchmarks" / "six-rules"
STAGES = """
import json, sys, time
import policycheck.run
marks = []
said = lambda stage: marks.append((stage, time.perf_counter()))
policycheck.run.run(sys.argv[1], sys.argv[2], progress=said)
marks.append(("end", time.perf_counter()))
spent = {}
for (stage, at), (_, later) in zip(marks, marks[1:]):
    spent[stage] = spent.get(stage, 0) + later - at
print(json.dumps(spent))
"""


def evaluation(term: Path, policy: Path, runs: int) -> tuple[float, float]:
    """Median seconds of evaluating and judging, and of the whole process."""
    alone, whole = [], []
    for turn in range(runs + 1):
        done = run([sys.executable, "-c", STAGES, str(term), str(policy)])
        if done.code:
            raise SystemExit(f"a run failed with exit code {done.code}")
        spent = json.loads(done.out)
        if turn:
            alone.append(spent["evaluating"] + spent["judging"])
            whole.append(done.wall)
    return statistics.median(alone), statistics.median(whole)


def multiplied(folder: Path, times: int) -> Path:
    """The policy of the six rules with so many copies of each rule."""
    folder.mkdir()
    for name in ("policy.yaml", "records.yaml", "scene.yaml"):
        (folder / name).write_bytes((SIX / name).read_bytes())
    head = yaml.safe_load((SIX / "policy.yaml").read_text(encoding="utf-8"))
    for section in head["sections"]:
        data = yaml.safe_load((SIX / f"{section}.yaml").read_text(encoding="utf-8"))
        data["clauses"] = [copy_of(c, n) for c in data["clauses"] for n in range(times)]
        (folder / f"{section}.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return folder


def copy_of(clause: dict[str, object], number: int) -> dict[str, object]:
    """A clause and its rules under another name."""
    text = json.dumps(clause, default=str)
    name = str(clause["clause"])
    return dict(json.loads(text.replace(f'"{name}"', f'"{name}-{number}"'))) if number else dict(clause)


def page(runs: int) -> Iterator[str]:
    yield "# How the cost grows"
    yield ""
    yield f"{machine()}. Medians of {runs} runs after one that warms up the cache; seconds."
    yield f"Made by `python benchmarks/growth.py --runs {runs}`."
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        terms = {}
        for size in (1_000, 10_000, 100_000):
            terms[size] = base / f"{size}"
            subprocess.run(
                [sys.executable, str(SIX / "generate.py"), str(size), str(terms[size])], check=True
            )
        yield from table(
            "Ten times the rows: the six rules",
            [(f"{n:,} deployments", *evaluation(t / "term.json", SIX, runs)) for n, t in terms.items()],
        )
        policies = {6: SIX, 60: multiplied(base / "ten", 10), 600: multiplied(base / "hundred", 100)}
        yield from table(
            "Ten times the rules: 1,000 deployments",
            [(f"{n} rules", *evaluation(terms[1_000] / "term.json", p, runs)) for n, p in policies.items()],
        )


def table(title: str, rows: list[tuple[str, float, float]]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield "| | evaluating and judging | times the row above | whole process | times |"
    yield "|---|---|---|---|---|"
    before: tuple[str, float, float] | None = None
    for row in rows:
        name, alone, whole = row
        more = (f"{alone / before[1]:.1f}", f"{whole / before[2]:.1f}") if before else ("", "")
        yield f"| {name} | {alone:.3f} | {more[0]} | {whole:.2f} | {more[1]} |"
        before = row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    for line in page(parser.parse_args().runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
