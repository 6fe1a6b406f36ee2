"""policycheck run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from policycheck.commands.shared import FAILED, FOUND, INCOMPLETE, Format, write
from policycheck.errors import UsageError

if TYPE_CHECKING:
    from policycheck.trust.folder import Trust
    from policycheck.trust.school import Options


class Where(StrEnum):
    """Where the schools of a trust are judged."""

    here = "here"
    spark = "spark"


class Level(StrEnum):
    """How severe a breach must be to count for the exit code."""

    critical = "critical"
    major = "major"
    minor = "minor"


def run(
    records: Annotated[
        Path,
        typer.Argument(help="A term.json, a folder with a file for each relation, or a folder of schools."),
    ],
    policy: Annotated[
        str | None,
        typer.Option(help="Id, id@version, folder, or folder of policies; else the one for the school."),
    ] = None,
    school: Annotated[
        str | None, typer.Option(help="Only this school of a folder whose files hold several.")
    ] = None,
    format: Annotated[Format, typer.Option(help="A table to read, or JSON for programs.")] = Format.table,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write to this file; results of schools to this folder."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Judge up to this day, year-month-day; else to the end of the term.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another value for a parameter.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="The school's own file: values for parameters, and waivers; or a folder of them."),
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
    jobs: Annotated[
        int | None, typer.Option(min=1, help="So many schools at a time; else one for each core.")
    ] = None,
    on: Annotated[Where, typer.Option(help="Where several schools are judged.")] = Where.here,
    master: Annotated[
        str | None, typer.Option(metavar="URL", help="Spark's master; else what Spark is set up with.")
    ] = None,
) -> int:
    """Judge the records of a term, or of several schools, and print what was found."""
    import gc

    from policycheck.progress import shown_progress
    from policycheck.run import run as run_policy

    if master is not None and on is Where.here:
        raise UsageError("--master is for Spark: give --on spark as well")
    if jobs is not None and on is Where.spark:
        raise UsageError("--jobs is for this machine; how much is done at a time on Spark, Spark is told")
    trust = trust_in(records, policy) if school is None else None
    if trust is not None:
        from policycheck.trust.school import Options

        options = Options(
            policy=policy,
            as_of=as_of,
            parameters=values_set(set_ or []),
            settings=settings,
            sections=tuple(section or ()),
            only=tuple(only or ()),
            keep_going=keep_going,
            engine=engine,
            cross_check=cross_check,
        )
        form = trust_judged(trust, options, output, jobs, on, master)
        tell_trust(form, format)
        return FAILED if form["failed"] else exit_code(form, fail_level, fail_on_incomplete)
    if on is Where.spark:
        raise UsageError(f"Spark is for several schools, and `{records}` is one; leave out --on spark")
    gc.disable()  # for good: to look for garbage takes a fifth of the time, and this is all the process does
    with shown_progress() as progress:
        result = run_policy(
            records,
            policy,
            school=school,
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
        text: str | bytes
        if format is Format.json:
            from policycheck.report.json_form import form_of
            from policycheck.report.json_text import indented

            form = form_of(result)
            text = indented(form)
        else:
            from policycheck.report.table import result_as_table

            form = result.as_json()
            text = result_as_table(form)
    write(text, output)
    return exit_code(form, fail_level, fail_on_incomplete)


def trust_in(records: Path, policy: str | None) -> Trust | None:
    """The trust in a folder, or None when it is the records of one school."""
    if not records.is_dir():
        return None
    from policycheck.prepare import frame_model
    from policycheck.trust.folder import trust_at

    return trust_at(records, frame_model(policy))


def trust_judged(
    trust: Trust, options: Options, output: Path | None, jobs: int | None, on: Where, master: str | None
) -> dict[str, Any]:
    """Judge all schools of a trust: the summary."""
    if output is None:
        name = "findings.parquet" if on is Where.spark else "results"
        raise UsageError(
            f"`{trust.path}` is a folder of schools; say where their results go, such as -o {name}"
        )
    from policycheck.progress import shown_count

    try:
        with shown_count("schools") as progress:
            if on is Where.spark:
                from policycheck.trust.spark import judge_on_spark

                return judge_on_spark(trust, options, output, master, progress)
            from policycheck.trust.here import judge_here

            return judge_here(trust, options, output, jobs, progress)
    except KeyboardInterrupt:
        goes_on = ", and it goes on where it was" if on is Where.here else ""
        raise UsageError(f"interrupted; run the same again{goes_on}") from None


def tell_trust(form: dict[str, Any], format: Format) -> None:
    """Print the summary of a trust."""
    if format is Format.json:
        from policycheck.report.json_text import indented

        write(indented(form), None)
        return
    from policycheck.report.trust_table import trust_as_table

    write(trust_as_table(form), None)


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
