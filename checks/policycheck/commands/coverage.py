"""policycheck coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policycheck.commands.shared import FOUND, Format, write


def coverage(
    policy: Annotated[str, typer.Argument(help="Id, id@version or folder of a policy.")],
    records: Annotated[
        Path | None, typer.Option(help="Records of a term: which rules do they never exercise?")
    ] = None,
    format: Annotated[Format, typer.Option(help="A table to read, or JSON for programs.")] = Format.table,
    clauses: Annotated[
        bool, typer.Option("--clauses", help="A line for each clause too, and every rule by name.")
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
) -> int:
    """Show how each clause of a policy is decided, and what is open or of no use.

    Exit code 1 when a clause is not accounted for.
    """
    from policycheck.coverage import coverage_of
    from policycheck.policy.find import find_pack
    from policycheck.policy.load import load_policy
    from policycheck.report.coverage import coverage_as_json, coverage_as_table
    from policycheck.report.json_text import indented

    if records is None:
        result = None
        loaded = load_policy(find_pack(policy, None).versions[-1][1], unfinished=True)
    else:
        from policycheck.progress import shown_progress
        from policycheck.run import run

        with shown_progress() as progress:
            result = run(records, policy, unfinished=True, progress=progress)
        loaded = result.policy
    form = coverage_as_json(coverage_of(loaded, result))
    text = indented(form) if format is Format.json else coverage_as_table(form, clauses)
    write(text, output)
    return FOUND if form["unaccounted"] or form["open"] else 0
