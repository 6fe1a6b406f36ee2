"""A policy as it was read: its sections, clauses, rules, parameters and definitions, each with its place.

Bodies stay the YAML data that they are; `bodies` turns them into literals of the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field
from policycheck_engine import Value

from policycheck.errors import Problem
from policycheck.records.model import RecordModel
from policycheck.yamlfile import Place

Outcome = Literal[
    "met",
    "breach",
    "advice",
    "missed",
    "excused",
    "explained",
    "pending",
    "undecided",
    "not_applicable",
]
Severity = Literal["critical", "major", "minor"]

SEVERITY: dict[str, Severity] = {"must": "critical", "ideal": "minor", "may": "minor"}
"""How loud a clause's findings are by its force; major where it is not named here."""


AS_OF = "as_of"
"""The name of the day up to which records are judged: a constant that differs from run to run."""


def earlier_ids(data: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What `was` names: one id or a list; () says that it is new, None that nothing is said."""
    was = data.get("was")
    return None if was is None else (was,) if isinstance(was, str) else tuple(was)


class Parameter(Struct, frozen=True):
    """A figure or choice that the text leaves open, or gives."""

    name: str
    value: Any
    why: str
    source: str
    unit: str
    one_of: tuple[Any, ...]
    place: Place
    was: tuple[str, ...] | None = None


class Definition(Struct, frozen=True):
    """A relation that is derived: its fields, and the body that says when."""

    name: str
    means: str
    gives: tuple[str, ...]
    when: Any
    place: Place
    was: tuple[str, ...] | None = None


class Defect(Struct, frozen=True):
    """Something wrong with the document itself, and how the policy reads it all the same."""

    id: str
    clauses: tuple[str, ...]
    says: str
    settled: str


class RuleText(Struct, frozen=True):
    """A rule as it was written."""

    id: str
    data: Mapping[str, Any]
    place: Place
    clauses: tuple[str, ...]
    outcome: Outcome
    severity: Severity
    binds: tuple[str, ...]
    attested: bool = False

    @property
    def was(self) -> tuple[str, ...] | None:
        """The ids it had in earlier versions."""
        return earlier_ids(self.data)


class Clause(Struct, frozen=True):
    """One clause: what it asks, of whom, how strongly, and how it is decided."""

    id: str
    data: Mapping[str, Any]
    place: Place

    @property
    def was(self) -> tuple[str, ...] | None:
        """The ids it had in earlier versions."""
        return earlier_ids(self.data)

    @property
    def decided_by(self) -> Literal["rule", "attestation", "definition", "nothing"]:
        for key, word in (("rules", "rule"), ("attested", "attestation"), ("defines", "definition")):
            if key in self.data:
                return word  # type: ignore[return-value]
        return "nothing"


class Section(Struct, frozen=True):
    """One section of the document, its clauses in order."""

    id: str
    heading: str
    clauses: tuple[Clause, ...]


class Policy(Struct, frozen=True):
    """One version of a policy, whole.

    `flaws` names the definition that says what is wrong with an exception. `open` is what an unfinished one
    still lacks; `uses_as_of` says that its files speak of `$as_of`; `key` stands for all that it was read
    from.
    """

    id: str
    version: str
    title: str
    school: str | None
    folder: Path
    model: RecordModel
    sections: tuple[Section, ...]
    parameters: Mapping[str, Parameter]
    definitions: Mapping[str, Definition]
    rules: Mapping[str, RuleText]
    ranks: tuple[str, ...]
    summary: str = ""
    scene: Mapping[str, Any] = field(default_factory=dict)
    defects: tuple[Defect, ...] = ()
    flaws: str | None = None
    open: tuple[Problem, ...] = ()
    uses_as_of: bool = False
    key: str = ""

    def clauses(self) -> Iterator[Clause]:
        """All clauses in the document's order."""
        for section in self.sections:
            yield from section.clauses

    def definable(self) -> set[str]:
        """What a clause can say it defines: definitions, parameters and fields of the records."""
        fields = (f"{r.name}.{f}" for r in self.model.relations.values() for f in r.fields)
        return {*self.definitions, *self.parameters, *fields}

    @property
    def name(self) -> str:
        """Id and version, as the command line takes it."""
        return f"{self.id}@{self.version}" if self.version else self.id


class Setting(Struct, frozen=True):
    """What a policy is compiled for: the as-of date, the parameters, and the days it is in force."""

    as_of: str | None
    parameters: Mapping[str, Value]
    first_day: str | None = None
    next_version: str | None = None
