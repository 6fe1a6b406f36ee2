"""Whether what is valid for a while is so on a day. Nothing else in the checker decides that."""

from __future__ import annotations

from typing import Literal

Standing = Literal["holds", "not started", "expired"]


def standing(starts: str | None, ends: str | None, day: str) -> Standing:
    """What a span is on a day, all of them ISO dates; its first and its last day belong to it.

    One whose last day nobody can tell is over, and one without a first day has not begun, so that what is
    not written down never lets anything pass.
    """
    if ends is None or day > ends:
        return "expired"
    if starts is None or day < starts:
        return "not started"
    return "holds"
