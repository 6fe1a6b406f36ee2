"""How the cost grows: ten times the rows, and ten times the rules.

Measured are the stages of one process that ran once before (its cache is warm): evaluating and judging alone,
and all of it. More rules are copies of the six under other names; nothing is shared between them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from processes import ROOT, Figures, stages, table

SIX = ROOT / "benchmarks" / "six-rules"
ROWS = (1_000, 10_000, 100_000)
RULES = (6, 60, 600)


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


def measure(runs: int) -> Figures:
    """Evaluating and judging, and all of it, by how many rows and by how many rules there are."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        for size in ROWS:
            command = [sys.executable, str(SIX / "generate.py"), str(size), str(base / f"of-{size}")]
            subprocess.run(command, check=True)
        terms = {size: base / f"of-{size}" / "term.json" for size in ROWS}
        rows = [spent(f"{n:,} deployments", terms[n], SIX, runs) for n in ROWS]
        rules = []
        for n in RULES:
            policy = SIX if n == RULES[0] else multiplied(base / f"rules-{n}", n // RULES[0])
            rules.append(spent(f"{n} rules", terms[1_000], policy, runs))
    return {"runs": runs, "rows": rows, "rules": rules}


def spent(name: str, term: Path, policy: Path, runs: int) -> Figures:
    """The seconds of one size."""
    found = stages(term, policy, {}, runs)
    evaluating = found["evaluating"] + found["judging"]
    return {"name": name, "evaluating": evaluating, "whole": sum(found.values())}


def lines(found: Figures) -> Iterator[str]:
    """The tables."""
    titles = {
        "rows": "Ten times the rows: the six rules",
        "rules": "Ten times the rules: 1,000 deployments",
    }
    for what, title in titles.items():
        yield f"### {title}"
        yield ""
        heads = ["", "evaluating and judging, s", "times the row above", "whole process, s", "times"]
        rows = []
        for i, f in enumerate(found[what]):
            before = found[what][i - 1] if i else None
            more = [f"{f[k] / before[k]:.1f}" if before else "" for k in ("evaluating", "whole")]
            rows.append([f["name"], f"{f['evaluating']:.3f}", more[0], f"{f['whole']:.2f}", more[1]])
        yield from table(heads, rows)
        yield ""


def targets(found: Figures) -> Iterator[tuple[str, str, bool]]:
    """What was aimed at, what was measured, and whether that is it."""
    for what, most in (("rows", 11), ("rules", 10)):
        for before, after in zip(found[what], found[what][1:], strict=False):
            times = after["evaluating"] / before["evaluating"]
            aim = f"evaluating, {before['name']} to {after['name']}: at most {most} times"
            yield aim, f"{times:.1f} times", times <= most
