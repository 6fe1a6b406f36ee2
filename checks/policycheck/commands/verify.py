"""policycheck verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policycheck.commands.shared import FOUND


def verify(
    result: Annotated[Path, typer.Argument(help="A result that `run --format json` wrote.")],
    records: Annotated[
        Path | None, typer.Option(help="Where the records are, if not where the result says.")
    ] = None,
) -> int:
    """Run again what a result says was run, and say whether it comes out the same."""
    from policycheck.progress import shown_progress
    from policycheck.report.comparison import comparison_as_text
    from policycheck.results import read_result, run_again

    with shown_progress() as progress:
        again = run_again(read_result(result), records, progress)
    if again.same:
        typer.echo("It comes out the same.")
    else:
        typer.echo("It does not come out the same.")
    for sentence in again.inputs:
        typer.echo(f"  Note: {sentence}.")
    if again.comparison is None:
        return 0
    typer.echo("\n" + comparison_as_text(again.comparison), nl=False)
    return FOUND
