"""A progress bar on a terminal, for work that takes more than a second; nothing in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

STAGES = ("reading", "checking", "compiling", "evaluating", "judging", "reporting")
PATIENCE = 1.0
"""Seconds before anything is shown."""


@contextmanager
def shown_progress() -> Iterator[Callable[..., None]]:
    """A function that is told the stage that begins, and may be told how many of how many steps of it are
    done; it draws on standard error when that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda stage, done=0, total=0: None
        return
    state: dict[str, Any] = {"stage": "starting", "done": 0, "total": 0}
    done = Event()
    drawer = Thread(target=_draw, args=(state, done), daemon=True)
    drawer.start()
    try:
        yield lambda stage, done=0, total=0: state.update(stage=stage, done=done, total=total)
    finally:
        done.set()
        drawer.join()


@contextmanager
def shown_count(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function that is told how many are done, of how many; it draws them and the time that is left."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=600) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _draw(state: dict[str, Any], done: Event) -> None:
    start = time.monotonic()
    if done.wait(PATIENCE):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<11}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=len(STAGES))
        bar._tasks[task].start_time = start
        while not done.wait(0.1):
            stage, total = state["stage"], state["total"]
            usual = STAGES.index(stage) if stage in STAGES else 0
            completed = state["done"] if total else usual
            bar.update(task, description=stage, completed=completed, total=total or len(STAGES))
