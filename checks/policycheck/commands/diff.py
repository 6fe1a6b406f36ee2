"""policycheck diff."""

from __future__ import annotations

import json
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from policycheck.commands.shared import FOUND, write
from policycheck.errors import UsageError

if TYPE_CHECKING:
    from policycheck.review.review import Review


class DiffFormat(StrEnum):
    """How a review is written."""

    text = "text"
    json = "json"
    markdown = "markdown"


class Change(StrEnum):
    """Which change counts for the exit code."""

    any = "any"
    judged = "judged"
    stricter = "stricter"
    looser = "looser"


def diff(
    old: Annotated[str, typer.Argument(help="Id@version, folder, or git REVISION:folder.")],
    new: Annotated[str, typer.Argument(help="The later version, named in the same way.")],
    replay: Annotated[
        list[Path] | None, typer.Option(help="A past term, to be judged by both versions.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="Judge the past terms up to this day only.")] = None,
    settings: Annotated[
        Path | None, typer.Option(help="The school's own file, with its parameters and waivers, for replays.")
    ] = None,
    verdicts: Annotated[
        bool | None,
        typer.Option(
            "--verdicts/--no-verdicts",
            help="Whether each rule that changed is stricter or looser. Default: when z3 is installed.",
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Spend at most so long on each verdict.")] = 10.0,
    witnesses: Annotated[
        Path | None, typer.Option(help="Write the records that show a verdict into this folder.")
    ] = None,
    format: Annotated[
        DiffFormat, typer.Option(help="A text to read, JSON for programs, or Markdown for minutes.")
    ] = DiffFormat.text,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Show so many findings that a rule gained or lost; in text only.")
    ] = 3,
    fail_on: Annotated[
        Change, typer.Option(help="Exit code 1 for any change, or only for these.")
    ] = Change.any,
) -> int:
    """Review a policy: what changed between two versions, and what that would have found."""
    from policycheck.progress import shown_progress
    from policycheck.report.diff_form import review_as_json
    from policycheck.review.review import review
    from policycheck.review.versions import opened
    from policycheck.review.witnesses import witness_files

    if as_of is not None and not replay:
        raise UsageError("`--as-of` says up to which day a past term is judged; give one with --replay")
    if settings is not None and not replay:
        raise UsageError("`--settings` says how past terms are judged; give one with --replay")
    if witnesses is not None and verdicts is False:
        raise UsageError("witnesses show verdicts; leave out --no-verdicts")
    if witnesses is not None and not witnesses.is_dir():
        raise UsageError(f"there is no folder `{witnesses}` to write witnesses to")
    with ExitStack() as stack:
        tell = stack.enter_context(shown_progress())
        tell("reading")
        versions = [stack.enter_context(opened(given)) for given in (old, new)]
        found = review(
            *versions,
            terms=replay or [],
            as_of=as_of,
            settings=settings,
            verdicts=verdicts,
            seconds=seconds,
            tell=tell,
        )
        form = review_as_json(found)
    if witnesses is not None:
        for name, text in witness_files(found.opinions):
            write(text, witnesses / name)
    write(written(form, format, examples), output)
    return FOUND if counts(found, form, fail_on) else 0


def written(form: dict[str, Any], format: DiffFormat, examples: int) -> str:
    """The review in the form that is asked for."""
    if format is DiffFormat.json:
        return json.dumps(form, ensure_ascii=False, indent=2) + "\n"
    if format is DiffFormat.markdown:
        from policycheck.report.diff_markdown import review_as_markdown

        return review_as_markdown(form)
    from policycheck.report.diff_text import review_as_text

    return review_as_text(form, examples)


def counts(found: Review, form: dict[str, Any], which: Change) -> bool:
    """Whether there is a change of the kind that gives exit code 1."""
    from policycheck.review.changes import WEIGHED

    if which is Change.any:
        return found.different
    if which is Change.judged:
        kinds = {*form["summary"]["kinds"], *(change["kind"] for change in form["changes"])}
        return bool(form["summary"]["rules"]["judging_otherwise"] or kinds & {*WEIGHED})
    return bool(form["summary"][which.value])
