"""docs/errors.md: every problem code. Its messages come from the sources; the rest is written by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNWRITTEN = "(to be written)"
HEADING = re.compile(r"### `(.+)`")


def page(old: str, problems: Mapping[str, list[str]]) -> str:
    """The page with the messages as they are now.

    A part that begins with a code keeps its text; quoted lines are its messages. Codes that are gone lose
    their part, new ones get an empty one at the end.
    """
    first, *parts = re.split(r"(?m)^(?=##)", old)
    out = [first.rstrip() + "\n"]
    seen = set()
    for part in parts:
        heading, _, rest = part.partition("\n")
        match = HEADING.match(heading)
        if match is None:
            out.append(part.rstrip() + "\n")
        elif match[1] in problems:
            seen.add(match[1])
            hand = "\n".join(line for line in rest.splitlines() if not line.startswith(">")).strip()
            out.append(entry(match[1], problems[match[1]], hand))
    out += [entry(code, messages, UNWRITTEN) for code, messages in problems.items() if code not in seen]
    return "\n".join(out)


def entry(code: str, messages: list[str], hand: str) -> str:
    """The part of one code."""
    quoted = "\n>\n".join(f"> {message}" for message in messages)
    return f"### `{code}`\n\n{quoted}\n\n{hand}\n"
