"""What commands share: how a user is told what is wrong, how output is written, and the exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from policycheck.errors import PolicycheckError, ProblemsError, UsageError
from policycheck.files import write_whole

FOUND, FAILED, INCOMPLETE = 1, 2, 3


class Format(StrEnum):
    """How a result is written."""

    table = "table"
    json = "json"


ENGINES = frozenset({"auto", "memory", "duckdb", "durable", "naive"})


class Command(TyperCommand):
    """A command whose `--cross-check` may come without the name of an engine."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, with `auto` where no engine is named. A word that is no path is meant as one."""
        for i, arg in enumerate(args):
            if arg != "--cross-check":
                continue
            word = args[i + 1] if i + 1 < len(args) else ""
            if word not in ENGINES and (not word.isalpha() or Path(word).exists()):
                args = [*args[:i], "--cross-check=auto", *args[i + 1 :]]
        return super().parse_args(ctx, args)


def told(command: Callable[..., int]) -> Callable[..., None]:
    """Run a command so that its user is told what is wrong, and no traceback ever reaches them."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except ProblemsError as error:
            tell_problems(error)
            code = FAILED
        except PolicycheckError as error:
            typer.echo(f"policycheck: {error}", err=True)
            code = FAILED
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = FAILED
        except MemoryError:
            typer.echo("policycheck: not enough memory for these records", err=True)
            code = FAILED
        except OSError as error:
            typer.echo(f"policycheck: {error.filename or ''}: {error.strerror or error}", err=True)
            code = FAILED
        except Exception as error:  # the last resort: the user is told, not shown a traceback
            if os.environ.get("POLICYCHECK_TRACEBACK"):
                raise
            typer.echo(
                f"policycheck: this is a fault of policycheck itself: {type(error).__name__}: {error}\n"
                "    run again with POLICYCHECK_TRACEBACK=1 and report what it prints",
                err=True,
            )
            code = FAILED
        raise typer.Exit(code)

    return wrapper


def tell_problems(error: ProblemsError) -> None:
    """All problems, then how many there are."""
    for problem in error.problems:
        typer.echo(str(problem), err=True)
    count = len(error.problems)
    typer.echo(f"policycheck: {count:,} problem{'s' if count != 1 else ''}; {error.upshot}", err=True)


def write(text: str | bytes, output: Path | None) -> None:
    """The text to a file, whole or not at all, or to standard output."""
    if output is not None:
        write_all({output: text})
    else:
        if isinstance(text, str):
            sys.stdout.write(text)
        else:
            sys.stdout.buffer.write(text)
        sys.stdout.flush()


def write_all(files: Mapping[Path, str | bytes]) -> None:
    """Each text to its file: all of them are written down before the first takes its place."""
    for output in files:
        if not output.parent.is_dir():
            raise UsageError(f"there is no folder `{output.parent}` to write `{output.name}` to")
    write_whole(files)
