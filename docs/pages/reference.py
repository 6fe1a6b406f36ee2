"""docs/reference.md: every command with its arguments and options, as the program itself has them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer
from policycheck.cli import app

from pages.markdown import MADE, code, codes, table, text, whole

INTRODUCTION = """\
Every command and option, as the program itself has them. [using.md](using.md) says what they are for.

Exit codes of every command:

| code | meaning |
| --- | --- |
| 0 | nothing found |
| 1 | breaches at or above `--fail-level`, or examples and scenarios that did not hold |
| 2 | bad usage, bad data, bad rules, or the program failed |
| 3 | something was undecided, and `--fail-on-incomplete` was given |

2 wins over 1, and 1 over 3.
"""


def page() -> str:
    """The whole page."""
    lines = ["# Commands", "", MADE, "", *INTRODUCTION.splitlines(), ""]
    group = command()
    lines += table(["option", "what it does"], (option_row(p)[::2] for p in options(group)))
    for name, sub in group.commands.items():
        lines += command_lines(name, sub)
    return whole(lines)


def command() -> Any:
    """The command line as a tree of commands."""
    return typer.main.get_command(app)


def command_lines(name: str, sub: Any) -> Iterator[str]:
    """The section of one command."""
    arguments = [p for p in sub.params if not is_option(p)]
    shown = " ".join(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)
    yield from (
        f"## policycheck {name}",
        "",
        text(sub.help),
        "",
        f"    policycheck {name} {shown}".rstrip(),
        "",
    )
    yield from table(
        ["argument", "what it is"], ([code(p.name.upper()), text(p.help or "")] for p in arguments)
    )
    if list(options(sub)):
        yield from table(["option", "default", "what it does"], map(option_row, options(sub)))


def options(sub: Any) -> Iterator[Any]:
    """The options of a command, without help."""
    return (p for p in sub.params if is_option(p) and not p.hidden)


def is_option(parameter: Any) -> bool:
    return str(parameter.opts[0]).startswith("-")


def option_row(option: Any) -> list[str]:
    """One option: how it is written, what it is by default, what it does."""
    what = [text(option.help or "")]
    if option.multiple:
        what.append("Can be given several times.")
    default = ""
    if isinstance(option.default, Enum):
        what.append("One of " + codes(member.value for member in type(option.default)) + ".")
        default = code(option.default.value)
    elif option.default not in (None, False):
        default = code(option.default)
    return [codes(option.opts), default, " ".join(what)]
