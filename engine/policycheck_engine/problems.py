"""What can be wrong with a program, told in the words of whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a code for machines, a message, how to mend it, and where it is.

    `origin` is what the program's author put into the node.
    """

    code: str
    message: str
    help: str = ""
    origin: object = field(default=None, compare=False)


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint with the most similar of the right names, or a list of them when they are few."""
    from difflib import get_close_matches

    right = sorted(set(names))
    plain = "_".join(name.lower().replace("-", " ").split())
    close = next((c for n in (name, plain) if (c := get_close_matches(n, right, n=1, cutoff=0.6))), [])
    if close:
        return f"did you mean `{close[0]}`?"
    if 0 < len(right) <= 12:
        return "it can be " + ", ".join(f"`{n}`" for n in right)
    return ""


class EvaluatorError(Exception):
    """An evaluator cannot do what is asked of it, or has seen itself fail; says what to do about it."""
