"""policycheck schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policycheck.commands.shared import write


def schema(
    name: Annotated[
        str,
        typer.Argument(
            help="term, settings, policy, section, records, scene, scenario, questionnaire, findings, diff, "
            "lint, trust."
        ),
    ],
    policy: Annotated[str | None, typer.Option(help="Whose record model a term file must follow.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
) -> int:
    """Print a JSON Schema: of a term file, of the files of a policy, or of a result."""
    from policycheck.report.json_text import indented
    from policycheck.schemas_for import named_schema

    write(indented(named_schema(name, policy)), output)
    return 0
