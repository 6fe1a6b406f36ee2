"""The command line.

Exit codes of every command: 0 nothing found; 1 breaches at or above --fail-level; 2 bad usage, bad data,
bad rules, or the program failed; 3 something was undecided and --fail-on-incomplete was given.
"""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from policycheck import __version__
from policycheck.commands.attest import attest
from policycheck.commands.compare import compare
from policycheck.commands.coverage import coverage
from policycheck.commands.diff import diff
from policycheck.commands.lint import lint
from policycheck.commands.run import run
from policycheck.commands.schema import schema
from policycheck.commands.shared import Command, told
from policycheck.commands.test import test
from policycheck.commands.verify import verify

app = typer.Typer(
    name="policycheck",
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


COMMANDS = (
    run,
    attest,
    compare,
    verify,
    coverage,
    test,
    lint,
    diff,
    schema,
)
for command in COMMANDS:
    app.command(cls=Command)(told(command))


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
