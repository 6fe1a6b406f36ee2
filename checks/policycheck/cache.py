"""What depends on a policy, a record model and this program alone, kept from one run to the next.

Never a result, and nothing of any records. An entry is a file named by a hash of all that it was made of:
the texts it was read from, this program's own modules, and the Python that runs it; so an old entry is
never wrong, only useless. What is damaged, or is not the user's own, counts as not there. Where nothing can
be written, everything works as if there were no cache.

The place is `$POLICYCHECK_CACHE`, or `policycheck` in the user's folder for caches; `POLICYCHECK_CACHE=off`
does without.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

MOST_BYTES = 64_000_000
"""So much is kept; what was not used for the longest time goes first."""
DAY = 86_400
SUFFIX = ".kept"


class Packed(Mapping[str, Any]):
    """A mapping as it is kept: its texts and numbers as they are, the rest unpacked when it is looked at."""

    __slots__ = ("parts",)

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.parts = {k: v if isinstance(v, str | int | float) else pickle.dumps(v) for k, v in data.items()}

    def __getitem__(self, key: str) -> Any:
        part = self.parts[key]
        if isinstance(part, bytes):
            part = self.parts[key] = pickle.loads(part)
        return part

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return repr(dict(self))


def kept(key: str, make: Callable[[], T]) -> T:
    """What `make` makes; from the cache when it was made of the same parts before (see `key_of`).

    It must be a matter of those parts alone, and be made of plain data and of structs of this program.
    """
    found: T | None = read(key)
    if found is None:
        found = make()
        write(key, found)
    return found


def key_of(kind: str, parts: Iterable[str]) -> str:
    """The name of the entry for something made of these parts; "" when they cannot be had."""
    total = hashlib.sha256(program().encode())
    try:
        for part in (kind, *parts):
            data = part.encode()
            total.update(b"%d:" % len(data) + data)
    except OSError:
        return ""
    return f"{kind}-{total.hexdigest()}"


def text_of(files: Iterable[Path]) -> Iterator[str]:
    """Files as parts of a key: where they are, as asked for and in truth, and what is in them."""
    for file in files:
        yield str(file)
        yield str(file.resolve())
        yield hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def program() -> str:
    """This program and the Python that runs it: every module by its size and the time it was written."""
    import policycheck_engine

    marks = [sys.version, str(sys.implementation.cache_tag)]
    for package in (Path(__file__).parent, Path(policycheck_engine.__file__).parent):
        for folder, below, files in os.walk(package):
            below[:] = sorted(b for b in below if b not in ("__pycache__", "policies"))
            for name in sorted(files):
                about = os.stat(os.path.join(folder, name))
                marks.append(f"{folder}/{name} {about.st_size} {about.st_mtime_ns}")
    return "\n".join(marks)


def folder() -> Path | None:
    """The folder of the cache, made if need be; None when there is to be none, or it is not the user's."""
    place = os.environ.get("POLICYCHECK_CACHE", "")
    if place == "off":
        return None
    try:
        path = Path(place) if place else usual_folder()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path if own(path.stat()) else None
    except (OSError, RuntimeError):
        return None


def usual_folder() -> Path:
    """Where programs keep what they can make again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "policycheck" / "cache"
    place = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(place) if os.path.isabs(place) else Path.home() / ".cache") / "policycheck"


def own(about: os.stat_result) -> bool:
    """Whether only this user can have written something: what is read back can run code."""
    if sys.platform == "win32":
        return True
    return about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def read(key: str) -> Any:
    """What is kept under a key, or None."""
    place = folder() if key else None
    if place is None:
        return None
    file = place / (key + SUFFIX)
    try:
        with file.open("rb") as stream:
            about = os.fstat(stream.fileno())
            data = stream.read() if own(about) and stat.S_ISREG(about.st_mode) else b""
        digest, data = data[:32], data[32:]
        if not data or hashlib.sha256(data).digest() != digest:
            return None
        found = pickle.loads(data)
    except Exception:  # whatever is wrong with an entry, it counts as not there
        return None
    with suppress(OSError):
        if time.time() - about.st_mtime > DAY:
            os.utime(file)
    return found


def write(key: str, value: object) -> None:
    """Keep something, whole or not at all."""
    place = folder() if key else None
    if place is None:
        return
    import tempfile

    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    with suppress(OSError):
        handle, name = tempfile.mkstemp(dir=place, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(hashlib.sha256(data).digest() + data)
            os.replace(name, place / (key + SUFFIX))
        except BaseException:
            os.unlink(name)
            raise
        tidy(place)


def tidy(place: Path) -> None:
    """Remove what was not used for the longest time, until the rest is small enough; and leftovers."""
    found = []
    for entry in os.scandir(place):
        about = entry.stat(follow_symlinks=False)
        if entry.name.endswith(SUFFIX):
            found.append((about.st_mtime, about.st_size, entry.path))
        elif entry.name.endswith(".new") and time.time() - about.st_mtime > DAY:
            os.unlink(entry.path)
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= MOST_BYTES:
            break
        os.unlink(path)
        total -= size
