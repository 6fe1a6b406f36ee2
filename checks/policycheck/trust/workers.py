"""Work spread over processes, each of which may die without the others.

A process is given one item at a time, and is replaced by a new one after some items, so that what it has
gathered is freed, and when it has died.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from msgspec import Struct

Item = TypeVar("Item")
Made = TypeVar("Made")

ITEMS = 25
"""So many items are given to one process."""

SPAWN = multiprocessing.get_context("spawn")


class Died(Struct, frozen=True):
    """A process ended before it was done with its item: its exit code, or minus the signal that killed it."""

    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"the process that judged it ended with exit code {self.code}"
        name = signal.Signals(-self.code).name if -self.code in set(signal.Signals) else str(-self.code)
        hint = "; there may be too little memory, so try --jobs 1" if name == "SIGKILL" else ""
        return f"the process that judged it was ended by {name}{hint}"


class Worker(Generic[Item, Made]):
    """A process that applies a function to one item after the other."""

    def __init__(self, function: Callable[[Item], Made]) -> None:
        self.given = 0
        self.item: Item | None = None
        self.connection, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(theirs, function), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, item: Item) -> bool:
        """Start on an item; False when the process is no longer there."""
        self.given += 1
        self.item = item
        try:
            self.connection.send(item)
        except OSError:
            return False
        return True

    def take(self) -> Made | Died:
        """What was made of the item; waits for it."""
        try:
            made: Made = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Died(self.process.exitcode or 0)
        return made

    def stop(self) -> None:
        """End the process, whatever it is at."""
        self.connection.close()
        self.process.terminate()
        self.process.join()


def serve(connection: Connection[Any, Any], function: Callable[[Any], Any]) -> None:
    """The life of a process: until there is nobody to give it items."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            connection.send(function(connection.recv()))
    except (EOFError, OSError):
        pass


def spread(
    function: Callable[[Item], Made], items: Iterable[Item], jobs: int
) -> Iterator[tuple[Item, Made | Died]]:
    """Each item with what the function made of it, as they are done.

    `function` and the items must be such that pickle can take them to another process.
    """
    waiting = iter(items)
    busy: list[Worker[Item, Made]] = []
    idle: list[Worker[Item, Made]] = []
    try:
        while True:
            for item in islice(waiting, jobs - len(busy)):
                busy.append(started(item, idle, function))
            if not busy:
                return
            ready = wait([w.connection for w in busy])
            for worker in [w for w in busy if w.connection in ready]:
                busy.remove(worker)
                made = worker.take()
                assert worker.item is not None
                if isinstance(made, Died) or worker.given >= ITEMS:
                    worker.stop()
                else:
                    idle.append(worker)
                yield worker.item, made
    finally:
        for worker in [*busy, *idle]:
            worker.stop()


def started(
    item: Item, idle: list[Worker[Item, Made]], function: Callable[[Item], Made]
) -> Worker[Item, Made]:
    """A process that has begun with an item: an idle one, or a new one."""
    while idle:
        worker = idle.pop()
        if worker.give(item):
            return worker
        worker.stop()
    worker = Worker(function)
    worker.give(item)
    return worker
