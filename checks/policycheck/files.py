"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_whole(files: Mapping[Path, str | bytes]) -> None:
    """Each text to its file: all of them are written down before the first takes its place."""
    made: list[tuple[str, Path]] = []
    try:
        for file, text in files.items():
            handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
            made.append((name, file))
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode("utf-8") if isinstance(text, str) else text)
            os.chmod(name, 0o666 & ~umask())
        for name, file in made:
            os.replace(name, file)
    except BaseException:
        for name, _ in made:
            Path(name).unlink(missing_ok=True)
        raise


def umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
