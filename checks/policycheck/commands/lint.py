"""policycheck lint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policycheck.commands.shared import FOUND, write
from policycheck.errors import UsageError

if TYPE_CHECKING:
    from policycheck.review.lint import Linted


class LintFormat(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"


def lint(
    policy: Annotated[str, typer.Argument(help="Id@version, folder, or git REVISION:folder.")],
    since: Annotated[
        str | None, typer.Option(help="An earlier version, named alike: which clauses changed in words only?")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Spend at most so long on each question.")] = 10.0,
    witnesses: Annotated[
        Path | None, typer.Option(help="Write the records that show a finding into this folder.")
    ] = None,
    annotated: Annotated[
        bool, typer.Option("--annotated", help="List what the policy accepts, too; JSON always does.")
    ] = False,
    format: Annotated[
        LintFormat, typer.Option(help="A text to read, or JSON for programs.")
    ] = LintFormat.text,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
) -> int:
    """Lint a policy: rules without effect, rules that contradict each other, names that nothing uses."""
    from policycheck.progress import shown_progress
    from policycheck.report.json_text import indented
    from policycheck.report.lint import lint_as_json, lint_as_text
    from policycheck.review.lint import lint as lint_policy
    from policycheck.review.versions import opened

    if witnesses is not None and not witnesses.is_dir():
        raise UsageError(f"there is no folder `{witnesses}` to write witnesses to")
    with ExitStack() as stack:
        tell = stack.enter_context(shown_progress())
        tell("reading")
        now = stack.enter_context(opened(policy))
        before = stack.enter_context(opened(since)) if since else None
        found = lint_policy(now, before, seconds=seconds, tell=tell)
        form = lint_as_json(found)
    for name, text in witness_files(found) if witnesses is not None else ():
        assert witnesses is not None, "there is a folder for them"
        write(text, witnesses / name)
    write(indented(form) if format is LintFormat.json else lint_as_text(form, annotated), output)
    return FOUND if form["summary"]["found"] else 0


def witness_files(found: Linted) -> Iterator[tuple[str, str]]:
    """The name and the text of a term file for each witness: RULE.CODE.json, RULE+OTHER.CODE.json."""
    for one in found.lints:
        if one.witness is not None:
            name = re.sub(r"[^A-Za-z0-9._+-]", "_", "+".join(one.ids))
            text = json.dumps(one.witness.shown.records, ensure_ascii=False, indent=1) + "\n"
            yield f"{name}.{one.code}.json", text
