"""The two full packs on the terms that come with them: whole processes, cold and warm, and by stage.

A cold run finds no compiled Python and an empty cache; a warm one finds both.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from processes import ROOT, Figures, figures, run, stages, table

TERMS = {
    "Woodlands": ROOT / "fixtures" / "woodlands" / "summer-2021.json",
    "Holy Cross": ROOT / "fixtures" / "holy-cross" / "summer-2021.json",
}
PARSE_ONLY = """
import sys, orjson
with open(sys.argv[1], 'rb') as file: print(sum(map(len, orjson.loads(file.read()).values())))
"""
PARSE, TYPER, HELP, VERSION = "parse", "import typer", "--help", "--version"
WARM, OFF, COLD = "warm", "nothing kept", "cold"
NAMES = {
    PARSE: "Python that only parses the file, by orjson",
    WARM: "`policycheck run`, warm",
    OFF: "`policycheck run`, nothing kept",
    COLD: "`policycheck run`, cold",
    TYPER: "Python that only imports typer",
    HELP: "`policycheck --help`",
    VERSION: "`policycheck --version`",
}
STAGES = ("start", "reading", "checking", "compiling", "evaluating", "judging", "reporting")


def cold_env() -> dict[str, str]:
    """An environment in which nothing of Python has been compiled yet, and nothing is kept."""
    return {name: tempfile.mkdtemp(prefix="cold-") for name in ("PYTHONPYCACHEPREFIX", "POLICYCHECK_CACHE")}


def python(runs: int, env: Mapping[str, str], *args: str) -> Figures:
    """A Python process some times, after one that does not count."""
    return figures([run([sys.executable, *args], env) for _ in range(runs + 1)][1:])


def measure(runs: int) -> Figures:
    """The terms, and starting alone."""
    start = {
        TYPER: python(runs, {}, "-c", "import typer"),
        HELP: python(runs, {}, "-m", "policycheck", "--help"),
        VERSION: python(runs, {}, "-m", "policycheck", "--version"),
    }
    return {"runs": runs, "start": start, "terms": {name: of_term(t, runs) for name, t in TERMS.items()}}


def of_term(term: Path, runs: int) -> Figures:
    """Whole processes that judge a term, and the stages of one."""
    command = ["-m", "policycheck", "run", str(term), "--format", "json"]
    warm = {"POLICYCHECK_CACHE": tempfile.mkdtemp(prefix="warm-")}
    off = {"POLICYCHECK_CACHE": "off"}
    return {
        "file": str(term.relative_to(ROOT)),
        "megabytes": term.stat().st_size / 1e6,
        PARSE: python(runs, {}, "-c", PARSE_ONLY, str(term)),
        WARM: python(runs, warm, *command),
        OFF: python(runs, off, *command),
        COLD: figures([run([sys.executable, *command], cold_env()) for _ in range(runs)]),
        "stages": {WARM: stages(term, None, warm, runs), OFF: stages(term, None, off, runs)},
    }


def lines(found: Figures) -> Iterator[str]:
    """The tables."""
    heads = ["", "s", "from, to", "CPU s", "peak MB", "times"]
    for name, term in found["terms"].items():
        yield f"### {name}: `{term['file']}`, {term['megabytes']:.1f} MB"
        yield ""
        yield from table(heads, [one_row(what, term[what], term[PARSE]) for what in (PARSE, WARM, OFF, COLD)])
        yield ""
        warm, off = term["stages"][WARM], term["stages"][OFF]
        whole = sum(warm.values())
        yield from table(
            ["stage", "warm s", "share", "nothing kept s"],
            [[s, f"{warm[s]:.3f}", f"{warm[s] / whole:.0%}", f"{off[s]:.3f}"] for s in STAGES],
        )
        yield ""
    yield "### Starting"
    yield ""
    start = found["start"]
    yield from table(heads, [one_row(what, start[what], start[TYPER]) for what in (TYPER, VERSION, HELP)])
    yield ""


def one_row(what: str, f: Figures, floor: Figures) -> list[str]:
    span = f"{f['least']:.2f} to {f['most']:.2f}"
    times = f"{f['wall'] / floor['wall']:.1f}"
    return [NAMES[what], f"{f['wall']:.2f}", span, f"{f['cpu']:.2f}", f"{f['peak']:.0f}", times]


def targets(found: Figures) -> Iterator[tuple[str, str, bool]]:
    """What was aimed at, what was measured, and whether that is it."""
    for name, term in found["terms"].items():
        times = term[WARM]["wall"] / term[PARSE]["wall"]
        yield f"{name}, warm: at most 4 times only parsing", f"{times:.1f} times", times <= 4
        times = term[OFF]["wall"] / term[WARM]["wall"]
        yield f"{name}, nothing kept: at most 3 times warm", f"{times:.1f} times", times <= 3
    for what in (VERSION, HELP):
        times = found["start"][what]["wall"] / found["start"][TYPER]["wall"]
        yield f"`policycheck {what}`: at most 3 times importing typer", f"{times:.1f} times", times <= 3
