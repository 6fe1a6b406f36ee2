"""The command line.

Exit codes of every command: 0 nothing found; 1 breaches at or above --fail-level; 2 bad usage, bad data,
bad rules, or the program failed; 3 something was undecided and --fail-on-incomplete was given.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from policycheck.errors import PolicycheckError, ProblemsError, UsageError

app = typer.Typer(
    name="policycheck",
    help="Checks a school's records against its policy on mentors (teaching assistants).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FOUND, FAILED, INCOMPLETE = 1, 2, 3


class Format(StrEnum):
    """How a result is written."""

    table = "table"
    json = "json"


class Level(StrEnum):
    """How severe a breach must be to count for the exit code."""

    critical = "critical"
    major = "major"
    minor = "minor"


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
    typer.echo(f"policycheck: {count:,} problem{'s' if count != 1 else ''}; nothing was judged", err=True)


def write(text: str, output: Path | None) -> None:
    """The text to a file, whole or not at all, or to standard output."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    if not output.parent.is_dir():
        raise UsageError(f"there is no folder `{output.parent}` to write `{output.name}` to")
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.chmod(name, 0o666 & ~umask())
        os.replace(name, output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def version_wanted(wanted: bool) -> None:
    if wanted:
        from policycheck.report.json_form import program_version

        typer.echo(f"policycheck {program_version()}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=version_wanted, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def settings(given: list[str]) -> dict[str, str]:
    """`name=value` options as a mapping."""
    out = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"`--set {text}`: write --set name=value")
        out[name.strip()] = value.strip()
    return out


@app.command()
@told
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
    engine: Annotated[str, typer.Option(help="What evaluates: memory, duckdb, naive, or auto.")] = "auto",
) -> int:
    """Judge the records of a term and print what was found."""
    from policycheck.progress import shown_progress
    from policycheck.run import run as run_policy

    with shown_progress() as progress:
        result = run_policy(
            records,
            policy,
            as_of=as_of,
            parameters=settings(set_ or []),
            sections=section or [],
            only=only or [],
            keep_going=keep_going,
            engine=engine,
            progress=progress,
        )
        progress("reporting")
        form = result.as_json()
        if format is Format.json:
            text = json.dumps(form, ensure_ascii=False, indent=2) + "\n"
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


@app.command()
@told
def test(
    policy: Annotated[str, typer.Argument(help="Id, id@version or folder of a policy.")],
    section: Annotated[list[str] | None, typer.Option(help="Only the rules of this section.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this rule or clause.")] = None,
) -> int:
    """Run the examples of a policy's rules and the scenarios beside it."""
    from policycheck.policy.compile import check_whole
    from policycheck.policy.find import find_pack
    from policycheck.policy.load import load_policy
    from policycheck.run import chosen_rules
    from policycheck.trials import example_trials, lacking_examples, scenario_trials

    failed = held = 0
    for _, folder in find_pack(policy, None).versions:
        loaded = load_policy(folder)
        check_whole(loaded)
        rules = chosen_rules(loaded, section or [], only or [])
        trials = [lacking_examples(loaded, rules), example_trials(loaded, rules)]
        if not section and not only:
            trials.append(scenario_trials(loaded))
        for trial in (t for some in trials for t in some):
            if not trial.wrong:
                held += 1
                continue
            failed += 1
            typer.echo(f"{trial.place}: {trial.name}")
            for line in trial.wrong:
                typer.echo(f"    {line}")
    typer.echo(f"{held:,} held, {failed:,} did not")
    return FOUND if failed else 0


@app.command()
@told
def schema(
    name: Annotated[str, typer.Argument(help="term, policy, section, records, examples or scenario.")],
    policy: Annotated[str | None, typer.Option(help="Whose record model a term file must follow.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
) -> int:
    """Print a JSON Schema: of a term file, or of the files of a policy, for editors."""
    from policycheck.schemas_for import named_schema

    write(json.dumps(named_schema(name, policy), ensure_ascii=False, indent=2) + "\n", output)
    return 0
