"""What can be wrong with a program, told in the words of whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class Origin:
    """Where its author wrote a part of a program. That makes no difference to what it is: all are equal."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin)

    def __hash__(self) -> int:
        return hash(Origin)

    def __bool__(self) -> bool:
        return type(self) is not Origin


NOWHERE = Origin()
"""The origin of what nobody wrote, which is false."""


class Problem(Struct, frozen=True):
    """One thing that is wrong: a code for machines, a message, how to mend it, and where it is.

    `origin` is that of the part of the program.
    """

    code: str
    message: str
    help: str = ""
    origin: Origin = NOWHERE


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
