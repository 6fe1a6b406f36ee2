"""A school's own settings: other values for parameters, and waivers, in one YAML file.

    policy: woodlands-progress-mentor
    parameters: {supervision_max_gap_weeks: 10}
    waivers:
      - {waiver: W1, rule: expectations.slt.6.c, subject: {mentor: M03}, reason: ..., approved_by: ...,
         starts: 2021-04-19, expires: 2021-07-21}

What is wrong in the file stops a run, but for a waiver that gives no reason, approval or date that counts:
such a one changes nothing, and the report says why.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from policycheck_engine import canonical, nearest

from policycheck.errors import Problem, SettingsError, UsageError, shown_path
from policycheck.policy.model import Policy, RuleText
from policycheck.structure import structure_problems
from policycheck.waivers import Claim, Flaw, Status
from policycheck.yamlfile import Document, Place, load


class Settings(Struct, frozen=True):
    """What a school has set: values of parameters, each of its parameter's kind, and waivers."""

    parameters: Mapping[str, Any]
    waivers: tuple[Claim, ...]


NOTHING_SET = Settings({}, ())


class SettingsFile(Struct, frozen=True):
    """A settings file as it was read, what is wrong with its shape, and a hash of its content."""

    document: Document
    problems: tuple[Problem, ...]
    sha256: str


def read_settings(file: Path) -> SettingsFile:
    """A settings file, which may be empty; SettingsError when it cannot be read at all."""
    problems: list[Problem] = []
    document = load(file, problems)
    if problems:
        raise SettingsError(problems)
    if document.data is None:
        document.data = {}
    problems = structure_problems(document, "settings")
    if not isinstance(document.data, Mapping):
        raise SettingsError(problems)
    return SettingsFile(document, tuple(problems), hashlib.sha256(file.read_bytes()).hexdigest())


def settings_for(file: SettingsFile, policies: Sequence[Policy]) -> Settings:
    """The settings in a file for these versions of a policy, of which the last one judges. What only another
    has can be named, and changes nothing.

    Raises SettingsError with all that is wrong in the file.
    """
    problems = list(file.problems)
    reader = _Reader(file.document, policies, problems)
    found = Settings(reader.parameters(), tuple(reader.waivers()))
    reader.policy()
    if problems:
        raise SettingsError(sorted(problems, key=lambda p: [int(n) for n in p.where.split(":")]))
    return found


class _Reader:
    """Reads what has the right shape; what has not was told already."""

    def __init__(self, document: Document, policies: Sequence[Policy], problems: list[Problem]) -> None:
        self.document, self.data, self.root = document, document.data, document.root
        self.current, self.problems = policies[-1], problems
        self.rules: dict[str, RuleText] = {r.id: r for p in policies for r in p.rules.values()}
        self.clauses = {c.id for p in policies for c in p.clauses()}
        self.parameters_of_all = {name for p in policies for name in p.parameters}
        self.ids: set[str] = set()

    def policy(self) -> None:
        name = self.data.get("policy")
        if isinstance(name, str) and name != self.current.id:
            message = f"these settings are for `{name}`, and the records are judged by `{self.current.id}`"
            help_ = "give the settings of this policy, or correct the id"
            self.problems.append((self.root / "policy").problem("other-policy", message, help_))

    def parameters(self) -> dict[str, Any]:
        given = self.data.get("parameters")
        found = {}
        for name, value in given.items() if isinstance(given, Mapping) else ():
            place = self.root / "parameters" / name
            if value is None or isinstance(value, Mapping):
                continue
            if name not in self.parameters_of_all:
                message = f"`{self.current.id}` has no parameter `{name}`"
                hint = nearest(name, self.parameters_of_all)
                self.problems.append(place.problem("no-parameter", message, hint, key=True))
                continue
            if name not in self.current.parameters:
                continue
            try:
                found[name] = fitting(self.current, name, value)
            except ValueError as error:
                self.problems.append(place.problem("wrong-parameter", f"this value does not fit: {error}"))
        return found

    def waivers(self) -> Iterator[Claim]:
        given = self.data.get("waivers")
        for i, data in enumerate(given if isinstance(given, list) else ()):
            if isinstance(data, Mapping) and isinstance(data.get("waiver"), str):
                yield self.waiver(data, self.root / "waivers" / i)

    def waiver(self, data: Mapping[str, Any], place: Place) -> Claim:
        if data["waiver"] in self.ids:
            message = f"there are two waivers `{data['waiver']}`"
            self.problems.append((place / "waiver").problem("waiver-twice", message, "give one another id"))
        self.ids.add(data["waiver"])
        to, rules = self.named(data, place)
        subject = data.get("subject") if isinstance(data.get("subject"), Mapping) else {}
        assert subject is not None
        rules = self.about(subject, rules, place / "subject")
        flaws = list(flaws_of(data))
        at = place / flaws[0][0] if flaws else place
        line, column = self.document.find(at.path)
        return Claim(
            kind="waiver",
            id=data["waiver"],
            to=to,
            rules=frozenset(r.id for r in rules),
            subject=subject,
            reason=text_in(data.get("reason")),
            approved_by=text_in(data.get("approved_by")),
            starts=date_in(data.get("starts")),
            expires=date_in(data.get("expires")),
            source=shown_path(self.document.file),
            at=f"{line}:{column}",
            flaws=tuple(flaw for _, flaw in flaws),
        )

    def named(self, data: Mapping[str, Any], place: Place) -> tuple[str, list[RuleText]]:
        """The rule or clause that a waiver names, and the rules that are meant."""
        for what, known in (("rule", set(self.rules)), ("clause", self.clauses)):
            name = data.get(what)
            if not isinstance(name, str):
                continue
            found = [
                r for r in self.rules.values() if name == r.id or (what == "clause" and name in r.clauses)
            ]
            if name not in known:
                message = f"`{self.current.id}` has no {what} `{name}`"
                self.problems.append(
                    (place / what).problem("nothing-to-waive", message, nearest(name, known))
                )
            elif not found:
                message = f"no rule judges clause `{name}`, so there is nothing to waive"
                self.problems.append((place / what).problem("nothing-to-waive", message))
            return name, found
        return "", []

    def about(self, subject: Mapping[str, Any], rules: list[RuleText], place: Place) -> list[RuleText]:
        """Those of the rules whose findings are about all that a waiver's subject names."""
        keys = {r.id: [v.removeprefix("$") for v in r.data["subject"]] for r in rules}
        known = {key for names in keys.values() for key in names}
        for key in subject:
            if rules and key not in known:
                said = " or ".join(f"`{r}`" for r in keys)
                message = f"no finding of {said} is about a `{key}`"
                hint = nearest(key, known)
                self.problems.append((place / key).problem("not-the-subject", message, hint, key=True))
        return [r for r in rules if all(key in keys[r.id] for key in subject)]


def flaws_of(data: Mapping[str, Any]) -> Iterator[tuple[str, Flaw]]:
    """Why a waiver changes nothing, with the key where it is wrong; what weighs most comes first."""
    if not text_in(data.get("reason")).strip():
        yield "reason", Flaw("not valid", "it gives no reason")
    if not text_in(data.get("approved_by")).strip():
        yield "approved_by", Flaw("not valid", "nobody approved it")
    starts, expires = date_in(data.get("starts")), date_in(data.get("expires"))
    if starts and expires and expires < starts:
        yield "expires", Flaw("not valid", "it ends before it starts")
    for key, date, status, counts in (
        ("expires", expires, "expired", "so it counts as expired"),
        ("starts", starts, "not started", "so it never starts"),
    ):
        if date is None:
            given = data.get(key)
            what = (
                f"`{key}` is `{given}`, which is no date"
                if given not in (None, "")
                else f"`{key}` is missing"
            )
            word: Status = status  # type: ignore[assignment]
            yield key, Flaw(word, f"{what}, {counts}; write {key}: year-month-day")


def text_in(value: Any) -> str:
    """A text as it was given; anything else counts as not given."""
    return value if isinstance(value, str) else ""


def date_in(value: Any) -> str | None:
    """A date as an ISO text, or None where none can be read."""
    try:
        return str(canonical(value, "date"))
    except ValueError:
        return None


def checked_parameters(policy: Policy, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values given for parameters on the command line or by a call, or UsageError."""
    out: dict[str, Any] = {}
    for name, value in given.items():
        if name not in policy.parameters:
            hint = nearest(name, policy.parameters)
            raise UsageError(f"`{policy.id}` has no parameter `{name}`; {hint}".rstrip("; "))
        try:
            out[name] = fitting(policy, name, value)
        except ValueError as error:
            raise UsageError(str(error)) from None
    return out


def fitting(policy: Policy, name: str, value: Any) -> Any:
    """A value given for a parameter, as a value of the same kind as its usual one; ValueError with what
    would be right."""
    usual, choices = policy.parameters[name].value, policy.parameters[name].one_of
    if isinstance(usual, list):
        return value if isinstance(value, list) else [v.strip() for v in str(value).split(",")]
    if not fits(value, usual):
        given = str(value).lower() if isinstance(value, bool) else value
        raise ValueError(f"the parameter `{name}` is a value such as `{usual}`, not `{given}`")
    if isinstance(usual, bool):
        value = str(value).lower() == "true"
    elif isinstance(usual, int | float):
        number = float(value)
        value = int(number) if number.is_integer() and isinstance(usual, int) else number
    else:
        value = str(value)
    if choices and value not in choices:
        raise ValueError(f"the parameter `{name}` is one of {', '.join(map(str, choices))}, not `{value}`")
    return value


def fits(value: Any, usual: Any) -> bool:
    """Whether a value, or the text of one, is of the kind of a parameter's usual value."""
    if isinstance(usual, bool):
        return str(value).lower() in ("true", "false")
    if not isinstance(usual, int | float):
        return isinstance(value, str | int | float | bool)
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
