"""policycheck attest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policycheck.commands.run import values_set
from policycheck.commands.shared import write, write_all
from policycheck.errors import AnswersError, Problem, UsageError

if TYPE_CHECKING:
    from policycheck.attest.answers import Answers
    from policycheck.attest.questions import Questions
    from policycheck.prepare import Prepared


def attest(
    records: Annotated[Path, typer.Argument(help="A term.json, or a folder with a file for each relation.")],
    policy: Annotated[
        str | None, typer.Option(help="Id, id@version or folder; else the one for the records' school.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="Only what is signed in this role, question by question.")
    ] = None,
    read: Annotated[
        Path | None, typer.Option(help="Read a filled-in questionnaire (.xlsx or .yaml) back.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write the questionnaire (.xlsx or .yaml); with --read, the records with the answers: "
            "a new term file, or the sheets of signatures into a folder.",
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Judge up to this day, year-month-day; else to the end of the term.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="The school's own file, whose values for parameters count.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another value for a parameter.")
    ] = None,
) -> int:
    """Say what is still to be signed, write it as a questionnaire, and read the answers back."""
    from policycheck.attest.questionnaire import SUFFIXES
    from policycheck.attest.questions import questions_of
    from policycheck.prepare import prepared
    from policycheck.progress import shown_progress
    from policycheck.settings import NOTHING_SET, checked_parameters, read_settings, settings_for

    if read is None and output is not None and output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"`{output}`: a questionnaire ends in {' or '.join(SUFFIXES)}")
    if read is not None and role is not None:
        raise UsageError("--role chooses what is asked; with --read leave it out")
    if read is not None and not read.is_file():
        raise UsageError(f"there is no file `{read}`")
    with shown_progress() as progress:
        own = read_settings(settings) if settings else None
        ready = prepared(records, policy, as_of=as_of, progress=progress)
        school = settings_for(own, [p for p, _, _ in ready.policies]) if own else NOTHING_SET
        given = checked_parameters(ready.current, values_set(set_ or []))
        progress("evaluating")
        questions = questions_of(ready, {**school.parameters, **given})
    if read is None:
        ask(ready, questions, role, output)
    else:
        take(ready, questions, read, output)
    return 0


def ask(ready: Prepared, questions: Questions, role: str | None, output: Path | None) -> None:
    """Write the questionnaire, or print what is open."""
    from policycheck.attest.questionnaire import as_text, as_workbook, as_yaml, questionnaire_of

    form = questionnaire_of(ready, questions, role)
    if output is None:
        write(as_text(form, listed=role is not None), None)
        return
    if not form.wanted:
        typer.echo("Nothing is open, so nothing was written.")
        return
    write(as_workbook(form) if output.suffix.lower() == ".xlsx" else as_yaml(form), output)
    typer.echo(f"{form.upshot}; {output} asks for {'it' if form.wanted == 1 else 'them'}.")


def take(ready: Prepared, questions: Questions, read: Path, output: Path | None) -> None:
    """Read a questionnaire back; AnswersError when an answer in it does not count."""
    from policycheck.attest.answers import answers_of
    from policycheck.attest.filled import read_questionnaire
    from policycheck.errors import shown_path

    problems: list[Problem] = []
    heading, lines = read_questionnaire(read, problems)
    answers = answers_of(ready, questions, heading, lines, shown_path(read), problems)
    if problems:
        raise AnswersError(problems)
    if output is not None and answers.rows:
        write_all(with_answers(ready, answers, output))
    typer.echo(answers.upshot)
    if answers.rows:
        typer.echo(f"Written to {output}." if output else "Nothing was written: -o says where to.")


def with_answers(ready: Prepared, answers: Answers, output: Path) -> dict[Path, str | bytes]:
    """The records with the answers in them, as the files to be written."""
    from policycheck.records.add import sheets_with, term_with

    model, source = ready.current.model, ready.source
    if source.path.is_dir():
        if not output.is_dir():
            raise UsageError(
                f"the records are a folder, so -o is the folder for their sheets, not `{output}`"
            )
        sheets = sheets_with(source.path, model, "attestations", answers.rows)
        return {output / name: text for name, text in sheets.items()}
    if output.suffix.lower() != ".json":
        raise UsageError(
            f"the records are a term file, so -o is a new one that ends in .json, not `{output}`"
        )
    return {output: term_with(source, model, "attestations", answers.rows)}
