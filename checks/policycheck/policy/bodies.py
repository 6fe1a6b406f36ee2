"""Bodies, patterns and terms of the rule language, as literals of the engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from policycheck_engine import (
    NOTHING,
    Aggregate,
    Atom,
    Bind,
    Body,
    Call,
    Compare,
    Const,
    Either,
    Literal,
    Member,
    Not,
    Term,
    Var,
    nearest,
)

from policycheck.errors import Problem
from policycheck.policy.model import AS_OF
from policycheck.yamlfile import Place

ORDER = {
    "before": "<",
    "less_than": "<",
    "on_or_before": "<=",
    "at_most": "<=",
    "after": ">",
    "more_than": ">",
    "on_or_after": ">=",
    "at_least": ">=",
}
DATES = ("before", "on_or_before", "after", "on_or_after")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}.*")
TESTS = ("is", "not", "one_of", "none_of", "blank", *ORDER)
AGGREGATES = {
    "count": "count",
    "sum": "sum",
    "share": "share",
    "latest": "max",
    "largest": "max",
    "earliest": "min",
    "smallest": "min",
    "largest_gap": "gap",
}
AGGREGATE_KEYS = ("where", "each", "of", "have", "weight", "from", "to", "in", "as", *ORDER, "is", "not")
SPECIAL = ("not", "any", "every", *AGGREGATES)
SHIFTS = ("days", "weeks", "months", "years", "minutes")
PARTS = ("date_of", "time_of", "week_of", "month_of", "weekday_of")
PAIRS = ("plus", "minus", "times", "over", "earlier", "later")


class Vocabulary(Struct, dict=True):
    """What names mean: relations and definitions, parameters and $as_of, calendars."""

    relations: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Any]
    calendars: tuple[str, ...]


class BodyWriter(Struct, dict=True):
    """Writes the bodies of one rule or definition, and counts where each variable stands."""

    words: Vocabulary
    problems: list[Problem]
    places: dict[str, list[Place]] = field(default_factory=dict)
    fresh: int = 0

    def problem(self, place: Place, code: str, message: str, help_: str = "", key: bool = False) -> None:
        self.problems.append(place.problem(code, message, help_, key))

    # Bodies

    def body(self, data: Any, place: Place) -> Body:
        """All that must be true together."""
        if isinstance(data, list):
            return tuple(x for i, item in enumerate(data) for x in self.body(item, place / i))
        if not isinstance(data, Mapping):
            message = f"`{data}` stands where a body must be"
            self.problem(place, "no-body", message, "write `relation: {field: pattern}`")
            return ()
        if any(key in data for key in AGGREGATES):
            return tuple(self.aggregate(data, place))
        return tuple(x for key in data for x in self.part(key, data, place))

    def part(self, key: str, data: Mapping[str, Any], place: Place) -> Iterator[Literal]:
        value, here = data[key], place / key
        if key.startswith("$"):
            term = self.variable(key, here)
            yield from self.tests(term, value, here)
        elif key == "not":
            yield Not(self.body(value, here), origin=here)
        elif key == "any":
            if not isinstance(value, list) or not value:
                self.problem(
                    here, "no-alternatives", "`any` needs a list of bodies", "write `any: [body, body]`"
                )
                return
            yield Either(tuple(self.body(v, here / i) for i, v in enumerate(value)), origin=here)
        elif key == "every":
            if "has" not in data:
                self.problem(here, "every-without-has", "`every` needs `has` beside it", "add `has: body`")
                return
            every = self.body(value, here)
            yield Not((*every, Not(self.body(data["has"], place / "has"), origin=here)), origin=here)
        elif key == "has":
            if "every" not in data:
                self.problem(here, "has-without-every", "`has` needs `every` beside it", "add `every: body`")
        else:
            yield from self.atom(key, value, here)

    def atom(self, relation: str, data: Any, place: Place) -> Iterator[Literal]:
        if relation not in self.words.relations:
            hint = nearest(relation, [*self.words.relations, *SPECIAL])
            self.problem(place, "unknown-relation", f"there is no relation `{relation}`", hint, key=True)
            self.touch(data, place)
            return
        if not isinstance(data, Mapping):
            message = f"`{relation}` needs the patterns of its fields, not `{data}`"
            self.problem(place, "no-patterns", message, "write `{field: pattern, ...}`")
            return
        args: list[tuple[str, Term]] = []
        extra: list[Literal] = []
        known = self.words.relations[relation]
        for name, pattern in data.items():
            here = place / name
            if name not in known:
                message = f"`{relation}` has no field `{name}`"
                self.problem(here, "unknown-field", message, nearest(name, known), key=True)
                self.touch(pattern, here)
                continue
            term, tests = self.pattern(pattern, here)
            args.append((name, term))
            extra += tests
        yield Atom(relation, tuple(args), origin=place)
        yield from extra

    def touch(self, data: Any, place: Place) -> None:
        """Count the variables of what cannot be read, so that they do not seem to be used too seldom."""
        if isinstance(data, str) and data.startswith("$"):
            self.variable(data, place)
        elif isinstance(data, Mapping):
            for key, value in data.items():
                self.touch(value, place / key)

    # Patterns

    def pattern(self, data: Any, place: Place) -> tuple[Term, list[Literal]]:
        """The term a field must have, and what else is asked of it."""
        data = self.listed(data)
        if isinstance(data, list):
            var = self.fresh_variable(place)
            return var, list(self.tests(var, {"one_of": data}, place))
        if not isinstance(data, Mapping):
            return self.term(data, place), []
        if any(key not in TESTS for key in data):
            if all(key not in TESTS for key in data):
                return self.term(data, place), []
            for key in data:
                if key not in TESTS:
                    hint = nearest(key, TESTS)
                    self.problem(place / key, "unknown-test", f"there is no test `{key}`", hint, key=True)
            return self.fresh_variable(place), []
        rest = dict(data)
        if "is" in data and isinstance(data["is"], str) and data["is"].startswith("$"):
            term = self.term(rest.pop("is"), place / "is")
        else:
            term = self.fresh_variable(place)
        return term, list(self.tests(term, rest, place))

    def tests(self, term: Term, data: Any, place: Place) -> Iterator[Literal]:
        """What is asked of a value."""
        data = self.listed(data)
        if isinstance(data, list):
            data = {"one_of": data}
        if not isinstance(data, Mapping) or (
            any(key not in TESTS for key in data) and not any(key in TESTS for key in data)
        ):
            data = {"is": data}
        for key, value in data.items():
            here = place / key
            if key == "is":
                yield from self.equal(term, value, here if isinstance(place, Place) else place)
            elif key in ("one_of", "none_of"):
                value = self.listed(value)
                if not isinstance(value, list):
                    self.problem(here, "no-list", f"`{key}` needs a list", f"write `{key}: [...]`")
                    continue
                values = tuple(self.constant(v, here / i) for i, v in enumerate(value))
                member = Member(term, values, origin=here)
                yield member if key == "one_of" else Not((member,), origin=here)
            elif key == "not":
                yield Compare("!=", term, self.term(value, here), origin=here)
            elif key == "blank":
                if not isinstance(value, bool):
                    self.problem(here, "not-true-or-false", "`blank` is true or false", "")
                    continue
                yield Compare("=", Call("is_blank", (term,), origin=here), Const(value), origin=here)
            elif key in ORDER:
                self.right_kind(key, value, here)
                yield Compare(ORDER[key], term, self.term(value, here), origin=here)  # type: ignore[arg-type]
            else:
                self.problem(here, "unknown-test", f"there is no test `{key}`", nearest(key, TESTS), key=True)

    def listed(self, data: Any) -> Any:
        """The list that a parameter stands for, or what there is."""
        value = self.words.values.get(data[1:]) if isinstance(data, str) and data[:1] == "$" else None
        return list(value) if isinstance(value, list | tuple) else data

    def right_kind(self, key: str, value: Any, place: Place) -> None:
        """Dates are before or after each other; numbers are less or more."""
        if isinstance(value, str) and value.startswith("$"):
            value = self.words.values.get(value[1:], "")
        number = isinstance(value, int | float)
        if number and key in DATES:
            right = next(k for k in ORDER if k not in DATES and ORDER[k] == ORDER[key])
            message = f"`{key}` compares dates and times, and `{value}` is a number"
            self.problem(place, "wrong-test", message, f"write `{right}: {value}`", key=True)
        elif isinstance(value, str) and DATE.fullmatch(value) and key not in DATES:
            right = next(k for k in DATES if ORDER[k] == ORDER[key])
            message = f"`{key}` compares numbers, and `{value}` is a date"
            self.problem(place, "wrong-test", message, f"write `{right}: {value}`", key=True)

    def equal(self, term: Term, data: Any, place: Place) -> Iterator[Literal]:
        other = self.term(data, place)
        if isinstance(term, Var):
            yield Bind(term, other, origin=place)
        else:
            yield Compare("=", term, other, origin=place)

    def constant(self, data: Any, place: Place) -> Const:
        term = self.term(data, place)
        if isinstance(term, Const):
            return term
        self.problem(place, "not-a-value", f"`{data}` is no value", "a list here has values only")
        return Const("", origin=place)

    # Terms

    def term(self, data: Any, place: Place) -> Term:
        """A value, a variable, or something computed."""
        if data is None:
            return Const(NOTHING, origin=place)
        if isinstance(data, str) and data.startswith("$"):
            return self.variable(data, place)
        if isinstance(data, str | int | float | bool):
            return Const(data, origin=place)
        if isinstance(data, Mapping):
            return self.computed(data, place)
        self.problem(
            place, "no-term", f"`{data}` is no value here", "write a value, a variable or a computation"
        )
        return Const("", origin=place)

    def computed(self, data: Mapping[str, Any], place: Place) -> Term:
        keys = set(data)
        units = (*SHIFTS, *self.words.calendars)
        for unit in units:
            if unit in data and keys in ({unit, "after"}, {unit, "before"}):
                return self.shift(unit, data, place)
            if keys == {f"{unit}_from", "to"}:
                ends = (
                    self.term(data[f"{unit}_from"], place / f"{unit}_from"),
                    self.term(data["to"], place / "to"),
                )
                if unit in self.words.calendars:
                    return Call("between", ends, unit, origin=place)
                if unit in ("days", "weeks", "minutes"):
                    return Call(f"{unit}_between", ends, origin=place)
        if len(keys) == 1:
            (name,) = keys
            if name in PARTS:
                return Call(name, (self.term(data[name], place / name),), origin=place)
            if name in PAIRS and isinstance(data[name], list) and len(data[name]) >= 2:
                made = [self.term(v, place / name / i) for i, v in enumerate(data[name])]
                result: Term = made[0]
                for other in made[1:]:
                    result = Call(name, (result, other), origin=place)
                return result
        known = [*PARTS, *PAIRS, *units, *(f"{u}_from" for u in units)]
        wrong = next((k for k in data if k not in (*known, "after", "before", "to")), None)
        hint = nearest(wrong, known) if wrong else "see `Terms` in docs/language.md"
        if wrong and not hint:
            names = ", ".join(f"`{n}`" for n in self.words.calendars) or "none"
            hint = f"the calendars of the record model: {names}"
        self.problem(place, "unknown-term", f"`{', '.join(data)}` computes nothing", hint)
        return Const("", origin=place)

    def shift(self, unit: str, data: Mapping[str, Any], place: Place) -> Term:
        number = self.term(data[unit], place / unit)
        if "before" in data:
            number = Call("times", (number, Const(-1)), origin=place)
            if isinstance(number.args[0], Const) and isinstance(number.args[0].value, int):
                number = Const(-number.args[0].value)
        side = "after" if "after" in data else "before"
        start = self.term(data[side], place / side)
        if unit in self.words.calendars:
            return Call("add", (start, number), unit, origin=place)
        return Call(f"add_{unit}", (start, number), origin=place)

    def variable(self, text: str, place: Place) -> Term:
        name = text.removeprefix("$")
        if name in self.words.values:
            return Const(self.words.values[name], origin=place, name=AS_OF if name == AS_OF else None)
        self.places.setdefault(name, []).append(place)
        return Var(name, origin=place)

    def fresh_variable(self, place: Place) -> Var:
        self.fresh += 1
        name = next((key for key in reversed(place.path) if isinstance(key, str)), "")
        return Var(f"_{name}~{self.fresh}", origin=place)

    # Aggregates

    def aggregate(self, data: Mapping[str, Any], place: Place) -> Iterator[Literal]:
        word = next(key for key in data if key in AGGREGATES)
        for key in data:
            if key != word and key not in AGGREGATE_KEYS:
                hint = (
                    "write it as a list item of its own"
                    if key in self.words.relations
                    else nearest(key, AGGREGATE_KEYS)
                )
                self.problem(
                    place / key, "unknown-key", f"`{key}` cannot stand beside `{word}`", hint, key=True
                )
                return
        needed = {
            "share": ("of", "have"),
            "sum": ("each", "where"),
            "largest_gap": ("where", "from", "to", "in"),
        }
        missing = [key for key in needed.get(word, ("where",)) if key not in data]
        if missing:
            self.problem(
                place / word, "missing-key", f"`{word}` needs `{missing[0]}` beside it", "", key=True
            )
            return
        into = self.result(data, place)
        yield WRITERS[word](self, word, data, place, into)
        tests = {key: value for key, value in data.items() if key in ORDER or key in ("is", "not")}
        yield from self.tests(into, tests, place) if tests else ()

    def result(self, data: Mapping[str, Any], place: Place) -> Var:
        if "as" not in data:
            return self.fresh_variable(place)
        term = self.term(data["as"], place / "as")
        if isinstance(term, Var):
            return term
        self.problem(place / "as", "not-a-variable", f"`{data['as']}` is no variable", "write `as: $name`")
        return self.fresh_variable(place)

    def of(self, data: Any, place: Place) -> tuple[Term, ...]:
        listed = data if isinstance(data, list) else [data]
        return tuple(self.term(v, place) for v in listed)


def _count(self: BodyWriter, word: str, data: Mapping[str, Any], place: Place, into: Var) -> Aggregate:
    body = self.body(data["where"], place / "where")
    return Aggregate("count", into, body, of=self.of(data[word], place / word), origin=place)


def _sum(self: BodyWriter, word: str, data: Mapping[str, Any], place: Place, into: Var) -> Aggregate:
    body = self.body(data["where"], place / "where")
    weight = self.term(data[word], place / word)
    return Aggregate("sum", into, body, of=self.of(data["each"], place / "each"), weight=weight, origin=place)


def _share(self: BodyWriter, word: str, data: Mapping[str, Any], place: Place, into: Var) -> Aggregate:
    whole = self.body(data["of"], place / "of")
    have = self.body(data["have"], place / "have")
    weight = self.term(data["weight"], place / "weight") if "weight" in data else None
    return Aggregate(
        "share",
        into,
        (*whole, *have),
        of=self.of(data[word], place / word),
        weight=weight,
        against=(*whole, Not(have, origin=place / "have")),
        origin=place,
    )


def _extreme(self: BodyWriter, word: str, data: Mapping[str, Any], place: Place, into: Var) -> Aggregate:
    body = self.body(data["where"], place / "where")
    kind = AGGREGATES[word]
    return Aggregate(kind, into, body, weight=self.term(data[word], place / word), origin=place)  # type: ignore[arg-type]


def _gap(self: BodyWriter, word: str, data: Mapping[str, Any], place: Place, into: Var) -> Aggregate:
    body = self.body(data["where"], place / "where")
    unit = str(data["in"])
    if unit not in ("days", "weeks", *self.words.calendars):
        hint = nearest(unit, ["days", "weeks", *self.words.calendars])
        self.problem(place / "in", "unknown-unit", f"gaps are not measured in `{unit}`", hint)
    window = (self.term(data["from"], place / "from"), self.term(data["to"], place / "to"))
    weight = self.term(data[word], place / word)
    return Aggregate("gap", into, body, weight=weight, window=window, unit=unit, origin=place)


WRITERS: dict[str, Callable[[BodyWriter, str, Mapping[str, Any], Place, Var], Aggregate]] = {
    "count": _count,
    "sum": _sum,
    "share": _share,
    "latest": _extreme,
    "largest": _extreme,
    "earliest": _extreme,
    "smallest": _extreme,
    "largest_gap": _gap,
}
