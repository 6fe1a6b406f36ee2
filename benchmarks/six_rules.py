"""The six rules by policycheck and by what people would use instead: same records, same findings.

Each contender is a whole process that reads the records of six-rules/generate.py and prints or writes
its findings. Contenders take turns, so that a noisy machine is noisy for all of them. One that is not
installed, or takes longer than the limit, is said to be so, and not tried with more; one whose findings
differ is said to be wrong.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import Figures, Run, figures, run, stages, table

HERE = Path(__file__).resolve().parent
SIX = HERE / "six-rules"
PARSE = "Python that only parses"
SCRIPT = "Python by hand"
SAME = "Python by hand, whole findings"
OURS = "**policycheck**"
SQL = "DuckDB SQL by hand"
PEERS = (
    (SQL, "duckdb", "NDJSON"),
    ("Polars by hand", "polars", "NDJSON"),
    ("pandas by hand", "pandas", "NDJSON"),
    ("CLIPS (clipspy)", "clips", "JSON"),
    ("clingo", "clingo", "JSON"),
    ("durable-rules", "durable", "JSON"),
    ("Rego (rego-cpp)", "rego", "JSON"),
)
PACKAGES = {"rego": "regopy"}
BEATEN = ("CLIPS (clipspy)", "clingo", "durable-rules", "Rego (rego-cpp)", "pandas by hand")
"""Those that policycheck is to be ahead of at every size."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to evaluate the six rules: its name, what it reads, its command, and the package it needs."""

    name: str
    reads: str
    command: tuple[str, ...]
    needs: str = ""

    @property
    def installed(self) -> bool:
        return not self.needs or importlib.util.find_spec(self.needs) is not None

    @property
    def writes(self) -> bool:
        """Whether it writes a result instead of printing findings."""
        return self.name in (OURS, SAME)


def contenders(folder: Path) -> Iterator[Contender]:
    python, judge = sys.executable, ("-m", "policycheck", "run")
    options = ("--policy", str(SIX), "--format", "json", "-o", str(folder / "result.json"))
    term, here = str(folder / "term.json"), str(folder / "rows")
    floor = "import json, sys; print(sum(map(len, json.load(open(sys.argv[1], 'rb')).values())))"
    yield Contender(PARSE, "JSON", (python, "-c", floor, term))
    yield Contender(SCRIPT, "JSON", (python, str(SIX / "reference.py"), str(folder)))
    same = (python, str(HERE / "peers" / "with_python.py"), str(folder), str(folder / "result.json"))
    yield Contender(SAME, "JSON", same)
    yield Contender(OURS, "JSON", (python, *judge, term, *options))
    yield Contender(OURS, "NDJSON", (python, *judge, here, *options))
    for name, module, reads in PEERS:
        script = str(HERE / "peers" / f"with_{module}.py")
        where = here if reads == "NDJSON" else str(folder)
        yield Contender(name, reads, (python, script, where), PACKAGES.get(module, module))


def findings(contender: Contender, done: Run, folder: Path) -> str:
    """The findings of a run in the form of the reference: rule TAB key, sorted."""
    if not contender.writes:
        return done.out
    return run([sys.executable, "-c", FINDINGS, str(folder / "result.json")]).out


FINDINGS = """
import json, sys
with open(sys.argv[1], "rb") as file: found = json.load(file)["findings"]
lines = (f"{f['rule']}\\t{'|'.join(map(str, f['subject'].values()))}\\n" for f in found)
sys.stdout.write("".join(sorted(lines)))
"""
"""In a process of its own, since the peak of a process counts what its parent held when it began."""


def generated(size: int, folder: Path) -> str:
    """Make the records, term.json in the folder and NDJSON in `rows`: the findings of the reference."""
    subprocess.run([sys.executable, str(SIX / "generate.py"), str(size), str(folder)], check=True)
    (folder / "rows").mkdir()
    for file in folder.glob("*.ndjson"):
        file.rename(folder / "rows" / file.name)
    return run([sys.executable, str(SIX / "reference.py"), str(folder)], limit=3600).out


def measure(
    sizes: Sequence[int], runs: int, limit: float, keep: Callable[[Figures], None] = lambda found: None
) -> Figures:
    """What each contender takes at each size; at a million rows and more, one run of each is enough. What is
    found is kept after each size."""
    found: Figures = {}
    out: dict[str, str] = {}
    for size in sorted(sizes):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            expected = generated(size, folder)
            turns = runs if size < 1_000_000 else 1
            found[str(size)] = {
                "runs": turns,
                "findings": expected.count("\n"),
                "rows": at_size(folder, turns, limit, expected, out),
            }
        print(f"{size:,} deployments are measured", file=sys.stderr, flush=True)
        keep({"limit": limit, "sizes": found})
    return {"limit": limit, "sizes": found}


def at_size(folder: Path, runs: int, limit: float, expected: str, out: dict[str, str]) -> list[Figures]:
    """What each contender takes; those that are `out`, and why, take no part."""
    done: dict[Contender, list[Run]] = {c: [] for c in contenders(folder)}
    for turn in range(runs + 1):
        for c in done:
            if not c.installed:
                out[c.name] = "not installed"
            if c.name in out:
                continue
            one = run(c.command, {"PYTHONWARNINGS": "ignore"}, limit)
            if one.code is None:
                out[c.name] = f"over {limit:.0f} s"
            elif one.code not in ((0, 1) if c.writes else (0,)):
                out[c.name] = f"failed with exit code {one.code}"
            elif c.name != PARSE and findings(c, one, folder) != expected:
                out[c.name] = "findings differ"
            elif turn:
                done[c].append(one)
    rows = []
    for c, all_runs in done.items():
        row: Figures = {"name": c.name, "reads": c.reads}
        if c.name in out:
            rows.append(row | {"out": out[c.name]})
        else:
            rows.append(row | figures(all_runs) | alone(c, all_runs, folder))
    return rows


def alone(contender: Contender, runs: Sequence[Run], folder: Path) -> Figures:
    """The seconds of evaluating alone, where it can be told from reading."""
    if contender.name == OURS:
        where = folder / ("term.json" if contender.reads == "JSON" else "rows")
        spent = stages(where, SIX, {}, len(runs))
        return {"alone": spent["evaluating"] + spent["judging"]}
    said = [float(r.err.split()[-1]) for r in runs if r.err.strip()]
    return {"alone": sorted(said)[len(said) // 2]} if said else {}


def of(rows: Sequence[Figures], name: str, reads: str = "") -> Figures:
    """The figures of a contender."""
    return next(r for r in rows if r["name"] == name and reads in ("", r["reads"]))


def lines(found: Figures) -> Iterator[str]:
    """The tables."""
    for size, at in found["sizes"].items():
        yield f"### {int(size):,} deployments, {at['findings']:,} findings, medians of {at['runs']} runs"
        yield ""
        script = of(at["rows"], SCRIPT)
        heads = ["", "reads", "s", "from, to", "CPU s", "peak MB", "times the script", "evaluating alone"]
        yield from table(heads, [one_row(r, script) for r in at["rows"]])
        yield ""


def one_row(r: Figures, script: Figures) -> list[str]:
    if "out" in r:
        return [r["name"], r["reads"], r["out"], "", "", "", "", ""]
    return [
        r["name"],
        r["reads"],
        f"{r['wall']:.2f}",
        f"{r['least']:.2f} to {r['most']:.2f}",
        f"{r['cpu']:.2f}",
        f"{r['peak']:.0f}",
        f"{r['wall'] / script['wall']:.1f}" if "wall" in script else "",
        f"{r['alone']:.2f}" if "alone" in r else "",
    ]


def targets(found: Figures) -> Iterator[tuple[str, str, bool]]:
    """What was aimed at, what was measured, and whether that is it."""
    for size, at in found["sizes"].items():
        rows, n = at["rows"], f"{int(size):,} deployments"
        ours, script = of(rows, OURS, "JSON")["wall"], of(rows, SCRIPT)["wall"]
        if int(size) <= 10_000:
            aim, most = "at most 2 times the script", 2.0
        else:
            aim, most = "faster than the script", 1.0
        yield f"six rules, {n}: {aim}", f"{ours / script:.1f} times", ours / script <= most
        sql = of(rows, SQL)
        if int(size) >= 100_000 and "wall" in sql:
            times = of(rows, OURS, "NDJSON")["wall"] / sql["wall"]
            yield f"six rules, {n}: at most 1.3 times DuckDB SQL", f"{times:.1f} times", times <= 1.3
        behind = [r["name"] for r in rows if r["name"] in BEATEN and r.get("wall", ours) < ours]
        missing = [r["name"] for r in rows if r.get("out") == "not installed" and r["name"] in BEATEN]
        said = f"behind {', '.join(behind)}" if behind else "ahead"
        if missing:
            said += f" (not there: {', '.join(missing)})"
        yield f"six rules, {n}: ahead of {', '.join(BEATEN)}", said, not behind
