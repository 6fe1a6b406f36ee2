"""policycheck lint."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from policycheck.commands.shared import FOUND, write
from policycheck.errors import UsageError


class LintFormat(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"


def lint(
    policy: Annotated[str, typer.Argument(help="Id@version, folder, or git REVISION:folder.")],
    since: Annotated[
        str | None, typer.Option(help="An earlier version: which clauses changed in words alone?")
    ] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Ask the solver about pairs of rules too; takes minutes.")
    ] = False,
    witnesses: Annotated[
        Path | None, typer.Option(help="Write the records that show a finding into this folder.")
    ] = None,
    format: Annotated[
        LintFormat, typer.Option(help="A text to read, or JSON for programs.")
    ] = LintFormat.text,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
) -> int:
    """Look for rules that are of no use or contradict each other, and for names that nothing uses.

    Exit code 1 for a finding that the policy does not accept.
    """
    from policycheck.progress import shown_progress
    from policycheck.report.json_text import indented
    from policycheck.report.lint import lints_as_json, lints_as_text
    from policycheck.review.lint import lint as lint_policy
    from policycheck.review.versions import opened

    if witnesses is not None and not witnesses.is_dir():
        raise UsageError(f"there is no folder `{witnesses}` to write witnesses to")
    with ExitStack() as stack:
        tell = stack.enter_context(shown_progress())
        tell("reading")
        now = stack.enter_context(opened(policy)).policy
        before = stack.enter_context(opened(since)).policy if since else None
        found = lint_policy(now, since=before, thorough=thorough, tell=tell)
        form = lints_as_json(now, found)
    for one in found if witnesses is not None else ():
        if one.records is not None and witnesses is not None:
            name = re.sub(r"[^A-Za-z0-9._-]", "_", "+".join(one.about))
            text = json.dumps(one.records, ensure_ascii=False, indent=1) + "\n"
            write(text, witnesses / f"{name}.{one.code}.json")
    write(indented(form) if format is LintFormat.json else lints_as_text(form), output)
    return FOUND if form["summary"]["found"] else 0
