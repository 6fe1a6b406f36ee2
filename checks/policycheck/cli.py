"""The command line.

Exit codes of every command: 0 nothing found; 1 breaches at or above --fail-level; 2 bad usage, bad data,
bad rules, or the program failed; 3 something was undecided and --fail-on-incomplete was given.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from policycheck import __version__
from policycheck.commands.shared import Command, told

COMMANDS = ("run", "attest", "compare", "verify", "coverage", "test", "lint", "diff", "schema")
"""The commands in the order of the help; each is a function in a module of its name."""


class Commands(Mapping[str, Any]):
    """The commands by name. One is imported, and its options are read, only when it is looked at."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self.made:
            function = getattr(import_module(f"policycheck.commands.{name}"), name)
            alone = typer.Typer(add_completion=False)
            alone.command(name, cls=Command)(told(function))
            self.made[name] = typer.main.get_command(alone)
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Group(TyperGroup):
    """policycheck itself: its commands come when they are asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)


app = typer.Typer(
    name="policycheck",
    cls=Group,
    help="Checks a school's records against its policy on mentors (teaching assistants).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def version_wanted(wanted: bool) -> None:
    if wanted:
        typer.echo(f"policycheck {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=version_wanted, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def start() -> None:
    """Run a command as a process of its own, which ends at once: its memory is not taken apart first."""
    try:
        app(prog_name="policycheck")
    except SystemExit as end:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        atexit._run_exitfuncs()
        os._exit(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
