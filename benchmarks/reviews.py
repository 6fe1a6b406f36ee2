"""A review of the draft with all its verdicts, and lint of both packs: how long they take, on what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from policycheck.review.lint import lint
from policycheck.review.review import review
from policycheck.review.versions import opened
from processes import ROOT, Figures, table

SHIPPED = "woodlands-progress-mentor@2021-03-19"
DRAFT = str(ROOT / "fixtures" / "drafts" / "woodlands-progress-mentor")
PACKS = {"Woodlands": "woodlands-progress-mentor", "Holy Cross": "holy-cross-learning-mentor"}
MOST = 12
"""So many of the slowest are shown."""


class Watch:
    """Seconds between what a job says that it begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []

    def tell(self, stage: str, *_: Any) -> None:
        self.begun.append((stage, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """How long each stage took in all; what was not told is not in it."""
        ends = [at for _, at in self.begun[1:]] + [time.perf_counter()]
        out: dict[str, float] = {}
        for (stage, at), end in zip(self.begun, ends, strict=True):
            out[stage] = out.get(stage, 0.0) + end - at
        return out


def measure() -> Figures:
    """One review, and lint of each pack."""
    watch, start = Watch(), time.perf_counter()
    with opened(SHIPPED) as old, opened(DRAFT) as new:
        found = review(old, new, verdicts=True, tell=watch.tell)
    whole = time.perf_counter() - start
    words = {f"verdict on {new or old}": opinion.verdict for (old, new), opinion in found.opinions.items()}
    verdicts = {stage: s for stage, s in watch.seconds().items() if stage.startswith("verdict")}
    out: Figures = {
        "diff": {"wall": whole, "slowest": [[s, n, words[s]] for s, n in slowest(verdicts)]},
        "asked": len(verdicts),
        "lint": {},
    }
    for name, policy in PACKS.items():
        watch, start = Watch(), time.perf_counter()
        with opened(policy) as version:
            linted = lint(version, tell=watch.tell)
        out["lint"][name] = {
            "wall": time.perf_counter() - start,
            "rules": len(version.policy.rules),
            "found": len(linted.lints),
            "slowest": slowest(watch.seconds()),
        }
    return out


def slowest(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])[:MOST]


def lines(found: Figures) -> Iterator[str]:
    """The tables."""
    diff = found["diff"]
    yield f"### The draft's review: {diff['wall']:.1f} s for {found['asked']} verdicts"
    yield ""
    yield from table(["slowest", "s", "came out"], [[s, f"{n:.1f}", word] for s, n, word in diff["slowest"]])
    yield ""
    for name, one in found["lint"].items():
        yield f"### Lint of {name}: {one['wall']:.1f} s for {one['rules']} rules"
        yield ""
        yield from table(["slowest", "s"], [[stage, f"{n:.1f}"] for stage, n in one["slowest"]])
        yield ""


def targets(found: Figures) -> Iterator[tuple[str, str, bool]]:
    """What was aimed at, what was measured, and whether that is it."""
    whole = found["diff"]["wall"]
    yield "the draft's review with all its verdicts: at most 60 s", f"{whole:.0f} s", whole <= 60
    seconds = max(one["wall"] for one in found["lint"].values())
    yield "lint of both packs, each on a core of its own: at most 90 s", f"{seconds:.0f} s", seconds <= 90
