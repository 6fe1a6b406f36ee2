"""policycheck compare."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from policycheck.commands.shared import FOUND, Format, write


class Difference(StrEnum):
    """Which difference between two results counts."""

    any = "any"
    new = "new"


def compare(
    old: Annotated[Path, typer.Argument(help="A result that `run --format json` wrote.")],
    new: Annotated[Path, typer.Argument(help="A later one of the same school.")],
    format: Annotated[Format, typer.Option(help="A text to read, or JSON for programs.")] = Format.table,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    fail_on: Annotated[
        Difference, typer.Option(help="Exit code 1 for any difference, or for new findings alone.")
    ] = Difference.any,
) -> int:
    """Compare two results: which findings are new, resolved or changed, and which waivers are."""
    from policycheck.report.comparison import comparison_as_text
    from policycheck.report.json_text import indented
    from policycheck.results import compared, read_result

    form = compared(read_result(old), read_result(new))
    json_text = indented(form)
    write(json_text if format is Format.json else comparison_as_text(form), output)
    counts = form["summary"]
    counted = ("new",) if fail_on is Difference.new else ("new", "resolved", "changed", "waivers")
    return FOUND if any(counts[name] for name in counted) else 0
