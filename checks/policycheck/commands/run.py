"""policycheck run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from policycheck.commands.shared import FOUND, INCOMPLETE, Format, write
from policycheck.errors import UsageError


class Level(StrEnum):
    """How severe a breach must be to count for the exit code."""

    critical = "critical"
    major = "major"
    minor = "minor"


def run(
    records: Annotated[Path, typer.Argument(help="A term.json, or a folder with a file for each relation.")],
    policy: Annotated[
        str | None, typer.Option(help="Id, id@version or folder; else the one for the records' school.")
    ] = None,
    format: Annotated[Format, typer.Option(help="A table to read, or JSON for programs.")] = Format.table,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Judge up to this day, year-month-day; else to the end of the term.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another value for a parameter.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="The school's own file: values for parameters, and waivers.")
    ] = None,
    section: Annotated[list[str] | None, typer.Option(help="Judge only this section.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Judge only this rule or clause.")] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out rows with something wrong, and say so.")
    ] = False,
    fail_level: Annotated[
        Level, typer.Option(help="Breaches from this severity on give exit code 1.")
    ] = Level.minor,
    fail_on_incomplete: Annotated[
        bool, typer.Option("--fail-on-incomplete", help="Exit code 3 when something is undecided.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="What evaluates: memory, duckdb, durable, naive, or auto.")
    ] = "auto",
    cross_check: Annotated[
        str | None,
        typer.Option(
            metavar="[ENGINE]",
            help="Evaluate with a second engine too, and stop if they disagree.",
        ),
    ] = None,
) -> int:
    """Judge the records of a term and print what was found."""
    from policycheck_engine.memory import no_collection

    from policycheck.progress import shown_progress
    from policycheck.run import run as run_policy

    with shown_progress() as progress, no_collection():
        result = run_policy(
            records,
            policy,
            as_of=as_of,
            parameters=values_set(set_ or []),
            settings=settings,
            sections=section or [],
            only=only or [],
            keep_going=keep_going,
            engine=engine,
            cross_check=cross_check,
            progress=progress,
        )
        progress("reporting")
        form = result.as_json()
        if format is Format.json:
            from policycheck.report.json_text import indented

            text = indented(form)
        else:
            from policycheck.report.table import result_as_table

            text = result_as_table(form)
    write(text, output)
    return exit_code(form, fail_level, fail_on_incomplete)


def exit_code(form: dict[str, Any], level: Level, on_incomplete: bool) -> int:
    """1 for breaches that are severe enough, else 3 for what is undecided, where that is asked."""
    levels = list(Level)
    loud = form["summary"]["severities"]
    if any(loud[name.value] for name in levels[: levels.index(level) + 1]):
        return FOUND
    return INCOMPLETE if on_incomplete and form["summary"]["outcomes"]["undecided"] else 0


def values_set(given: list[str]) -> dict[str, str]:
    """`name=value` options as a mapping."""
    out = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"`--set {text}`: write --set name=value")
        out[name.strip()] = value.strip()
    return out
