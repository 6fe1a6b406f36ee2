"""What can go wrong, told so that it can be mended.

    PolicycheckError          whatever a user can cause; every command turns it into exit code 2
    ├── UsageError            a command or a call asks for what cannot be
    ├── DisagreementError     two evaluators do not derive the same
    ├── PolicyError           a policy folder or record model is wrong; holds all its problems
    ├── SettingsError         a school's settings file is wrong; holds all its problems
    ├── RecordsError          the records are wrong; holds all their problems
    └── AnswersError          a questionnaire that came back is wrong; holds all its problems

A problem names the file, the place in it, what is wrong in the user's own words, and how to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One thing that is wrong.

    `where` is line and column in a text file ("12:5"), or row and field in records ("row 3", "/lessons/2").
    """

    file: str
    where: str
    code: str
    message: str
    help: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.where}" if self.where else self.file
        hint = f"\n    {self.help}" if self.help else ""
        return f"{place}: {self.message} [{self.code}]{hint}"


class PolicycheckError(Exception):
    """Something a user can mend."""


class UsageError(PolicycheckError):
    """A command or a call asks for what cannot be."""


class DisagreementError(PolicycheckError):
    """Two evaluators do not derive the same from these records, so that nothing can be said of them."""


class ProblemsError(PolicycheckError):
    """All the problems that were found in some input, and what came of it."""

    upshot = "nothing was judged"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PolicyError(ProblemsError):
    """A policy folder or a record model is wrong."""


class SettingsError(ProblemsError):
    """A school's settings file is wrong."""


class RecordsError(ProblemsError):
    """The records are wrong."""


class AnswersError(ProblemsError):
    """A questionnaire that came back is wrong."""

    upshot = "no answer was taken"


def shown_path(path: Path) -> str:
    """A path as a user would write it: relative to where they are, when it lies below."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
