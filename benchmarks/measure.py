"""Measure policycheck, and write what was found.

    python benchmarks/measure.py                        measure everything, which takes about an hour
    python benchmarks/measure.py six-rules schools      measure these parts again
    python benchmarks/measure.py --pages                write the pages from the figures that are there
    python benchmarks/measure.py --check                exit code 1 when a page is not what the figures give

The figures are in benchmarks/results.json; marked parts of benchmarks/README.md and docs/scale.md show them.
Let nothing else run meanwhile: figures of one part can be compared, those of two machines or two days cannot.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import growth
import reviews
import six_rules
import terms
import trust
from processes import ROOT, Figures, machine, table
from scale import reckoned

FIGURES = ROOT / "benchmarks" / "results.json"
PAGES = (ROOT / "benchmarks" / "README.md", ROOT / "docs" / "scale.md")
MARKED = re.compile(r"(<!-- measured: ([a-z-]+) -->\n)(.*?)(<!-- end of measured -->)", re.DOTALL)

Keep = Callable[[Figures], None]
PARTS: dict[str, tuple[ModuleType, Callable[[argparse.Namespace, Keep], Figures]]] = {
    "six-rules": (six_rules, lambda a, keep: six_rules.measure(sizes(a.sizes), a.runs, a.limit, keep)),
    "terms": (terms, lambda asked, keep: terms.measure(asked.runs)),
    "growth": (growth, lambda asked, keep: growth.measure(asked.runs)),
    "reviews": (reviews, lambda asked, keep: reviews.measure()),
    "schools": (trust, lambda asked, keep: trust.measure(min(asked.runs, 3), asked.spark)),
}
"""Each part with how it is measured; what it found so far can be kept before it is over."""


def sizes(text: str) -> list[int]:
    """Numbers of deployments, written with commas between."""
    return [int(size) for size in text.split(",")]


def made(figures: Figures) -> Figures:
    """The marked parts of pages, by name."""
    found = {name: part_of_page(name, figures[name]) for name in PARTS if name in figures}
    if "schools" in figures:
        found["scale"] = reckoned(figures["schools"])
    return {"aims": "\n".join(table(["aimed at", "measured", ""], aims(figures))) + "\n", **found}


def part_of_page(name: str, found: Figures) -> str:
    """How a part was measured, and its tables."""
    lines = [f"Measured on {found['day']} by `python benchmarks/measure.py {name}`: {found['machine']}."]
    if "runs" in found:
        lines += [f"Medians of {found['runs']} runs."]
    return "\n".join([*lines, "", *PARTS[name][0].lines(found)]).rstrip() + "\n"


def aims(figures: Figures) -> Iterator[list[str]]:
    """What was aimed at, and whether it was reached."""
    for name, (part, _) in PARTS.items():
        for aim, measured, reached in part.targets(figures[name]) if name in figures else ():
            yield [aim, measured, "reached" if reached else "**not reached**"]


def pages(figures: Figures) -> dict[Path, str]:
    """The pages as the figures give them."""
    parts = made(figures)

    def part(found: re.Match[str]) -> str:
        return f"{found[1]}{parts.get(found[2], found[3])}{found[4]}"

    return {page: MARKED.sub(part, page.read_text(encoding="utf-8")) for page in PAGES}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure policycheck.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; else all")
    parser.add_argument("--runs", type=int, default=5, help="so many runs of each")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000", help="deployments of the six rules")
    parser.add_argument("--limit", type=float, default=120, help="seconds that a contender may take")
    parser.add_argument("--spark", action="store_true", help="measure Spark as well")
    parser.add_argument("--pages", action="store_true", help="only write the pages")
    parser.add_argument("--check", action="store_true", help="only compare the pages")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    figures: Figures = json.loads(FIGURES.read_bytes()) if FIGURES.exists() else {}

    def keep(name: str, found: Figures) -> None:
        figures[name] = {"machine": machine(), "day": time.strftime("%Y-%m-%d"), **found}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")

    for name in () if asked.pages or asked.check else asked.parts or PARTS:
        keep(name, PARTS[name][1](asked, partial(keep, name)))
    stale = []
    for file, text in pages(figures).items():
        if file.read_text(encoding="utf-8") != text:
            stale.append(file)
            if not asked.check:
                file.write_text(text, encoding="utf-8")
    for file in stale:
        print(f"{file.relative_to(ROOT)} {'is not current' if asked.check else 'written'}", file=sys.stderr)
    return int(bool(stale) and asked.check)


if __name__ == "__main__":
    sys.exit(main())
