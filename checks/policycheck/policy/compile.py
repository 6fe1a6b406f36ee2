"""From a policy to a program: definitions and rules as Datalog, and a norm for each rule.

A rule becomes `case:ID` (its scope, one fact a case), `fails:ID` (the cases that do not hold, with the
evidence), and where it has them `pending:`, `excused:`, `explained:`, `minor:`, `unanswered:` and
`note:`.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from policycheck_engine import (
    Aggregate,
    Atom,
    Bind,
    Body,
    Calendar,
    Compare,
    Const,
    Not,
    Program,
    Relation,
    Rule,
    Value,
    Var,
    check,
    nearest,
)
from policycheck_engine.norms import Norm
from policycheck_engine.program import variables
from policycheck_engine.strata import reads

from policycheck.errors import PolicyError, Problem
from policycheck.policy.bodies import BodyWriter, Vocabulary
from policycheck.policy.model import AS_OF, Definition, Policy, RuleText
from policycheck.policy.model import Setting as Setting
from policycheck.yamlfile import Place


class Compiled(Struct, frozen=True):
    """A checked program and its norms, in the order of the document, and the values of its parameters.

    `flaws` is the relation with what is wrong with exceptions, where any of the rules knows exceptions.
    """

    policy: Policy
    program: Program
    norms: tuple[Norm, ...]
    values: Mapping[str, Any]
    flaws: str | None = None

    def column_of(self, relation: str, domain: str) -> str | None:
        """The column of a relation that holds the key of rows of another, if it has one."""
        columns = self.program.relations[relation].columns
        return next((c.name for c in columns if c.domain == domain), None)


def compile_policy(
    policy: Policy, base: Mapping[str, Relation], setting: Setting, only: Iterable[str] | None = None
) -> Compiled:
    """The program of a policy over these base relations, or PolicyError with all that is wrong.

    `only` leaves out all other rules.
    """
    problems: list[Problem] = []
    words = vocabulary(policy, base, setting)
    rules: list[Rule] = []
    norms = []
    spoilt: set[str] = set()

    def add(made: list[Rule], before: int) -> None:
        rules.extend(made)
        if len(problems) > before:
            spoilt.update(r.head for r in made)

    wanted = set(policy.rules if only is None else only)
    for rule in policy.rules.values():
        if rule.id in wanted:
            before = len(problems)
            made, norm = _RuleWriter(rule, words, problems, setting).rule()
            add(made, before)
            norms.append(norm)
    names = list(policy.definitions) if only is None else reached(rules, policy)
    for name in names:
        before = len(problems)
        add(compile_definition(policy.definitions[name], words, problems), before)
    calendars = {
        name: Calendar(name, c.relation, c.field, c.by_week) for name, c in policy.model.calendars.items()
    }
    program, found = check(Program(dict(base), tuple(without(rules, spoilt)), calendars))
    problems += [_placed(p.code, p.message, p.help, p.origin, policy) for p in found]
    flaws = policy.flaws if policy.flaws in names else None
    compiled = Compiled(policy, program, tuple(norms), words.values, flaws)
    if not problems:
        problems += [*unnamed_exceptions(compiled), *misplaced_flaws(compiled)]
    if problems:
        raise PolicyError(dict.fromkeys(problems))
    return compiled


def unnamed_exceptions(compiled: Compiled) -> Iterator[Problem]:
    """Rules that let exceptions on file excuse a breach, and do not say which of them did."""
    policy = compiled.policy
    marked = [r.name for r in policy.model.relations.values() if r.exception]
    for norm in compiled.norms:
        if norm.excused is None:
            continue
        rule = policy.rules[norm.rule]
        read = relations_in(rule.data["excuse"], policy)
        for name in marked:
            if name in read and compiled.column_of(norm.excused, name) is None:
                key = policy.model.relations[name].key[0]
                message = f"a row of `{name}` excuses here, and nothing says which"
                help_ = f"give its `{key}` a variable in `excuse`, and name it in `excuse_note`"
                yield (rule.place / "excuse").problem("exception-unnamed", message, help_)


def misplaced_flaws(compiled: Compiled) -> Iterator[Problem]:
    """Flaws of something else than exceptions on file."""
    policy, name = compiled.policy, compiled.flaws
    if name is None:
        return
    first = compiled.program.relations[name].columns[0]
    marked = [r.name for r in policy.model.relations.values() if r.exception]
    if first.domain not in marked:
        message = f"`${first.name}` is no exception, and `{name}` is to say what is wrong with them"
        help_ = "give the key of a relation first whose rows claim exceptions"
        yield (policy.definitions[name].place / "gives").problem("wrong-flaws", message, help_)


def relations_in(data: Any, policy: Policy) -> set[str]:
    """The relations that a body reads, through definitions as well."""
    found: set[str] = set()
    queue = list(mentioned(data))
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            if name in policy.definitions:
                queue += mentioned(policy.definitions[name].when)
    return found


def without(rules: list[Rule], spoilt: set[str]) -> list[Rule]:
    """The rules that do not build on those relations, so that one mistake is told once."""
    while True:
        more = {r.head for r in rules if any(name in spoilt for name, _, _ in reads(r.body))} - spoilt
        if not more:
            return [r for r in rules if r.head not in spoilt]
        spoilt = spoilt | more


def _placed(code: str, message: str, help_: str, origin: object, policy: Policy) -> Problem:
    place = origin if isinstance(origin, Place) else Place(policy.model.document)
    return place.problem(code, message, help_)


def vocabulary(policy: Policy, base: Mapping[str, Relation], setting: Setting) -> Vocabulary:
    """The names that the policy's bodies can use."""
    relations = {name: relation.names for name, relation in base.items()}
    relations |= {d.name: d.gives for d in policy.definitions.values()}
    values: dict[str, Value] = {p.name: p.value for p in policy.parameters.values()}
    values |= setting.parameters
    if setting.as_of is not None:
        values[AS_OF] = setting.as_of
    return Vocabulary(relations, values, tuple(policy.model.calendars))


def reached(rules: Iterable[Rule], policy: Policy) -> list[str]:
    """The definitions that rules build on, directly or through others."""
    found: dict[str, None] = {}
    queue = [name for rule in rules for name, _, _ in reads(rule.body)]
    while queue:
        name = queue.pop()
        if name in policy.definitions and name not in found:
            found[name] = None
            queue += mentioned(policy.definitions[name].when)
    return list(found)


def mentioned(data: Any) -> Iterator[str]:
    """All keys in a body: among them the relations it reads."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield key
            yield from mentioned(value)
    elif isinstance(data, list):
        for value in data:
            yield from mentioned(value)


def compile_definition(definition: Definition, words: Vocabulary, problems: list[Problem]) -> list[Rule]:
    """One rule for each alternative of a definition."""
    data, place = definition.when, definition.place / "when"
    rules = []
    for body_data, body_place in alternatives(data, place):
        writer = BodyWriter(words, problems)
        body = tuple(x for d, p in zip(body_data, body_place, strict=True) for x in writer.body(d, p))
        given = place_of_gives = definition.place / "gives"
        args = []
        for name in definition.gives:
            term = writer.variable("$" + name, place_of_gives)
            args.append((name, term))
        lonely_variables(writer, problems)
        rules.append(Rule(definition.name, tuple(args), body, origin=given))
    return rules


def alternatives(data: Any, place: Place) -> list[tuple[list[Any], list[Place]]]:
    """The alternatives of a definition: those of the `any` right under its `when`, or the one there is."""
    if not isinstance(data, Mapping) or not isinstance(data.get("any"), list):
        return [([data], [place])]
    rest = {key: value for key, value in data.items() if key != "any"}
    around: list[Any] = [rest] if rest else []
    return [
        ([*around, body], [*([place] if rest else []), place / "any" / i])
        for i, body in enumerate(data["any"])
    ]


def lonely_variables(writer: BodyWriter, problems: list[Problem]) -> None:
    """A variable that stands in one place only is a slip: it asks for nothing."""
    for name, places in writer.places.items():
        if len(places) == 1:
            others = [n for n in (*writer.places, *writer.words.values) if n != name]
            hint = nearest(name, others) if nearest(name, others).startswith("did") else ""
            problems.append(
                places[0].problem(
                    "variable-once",
                    f"`${name}` is used only here",
                    hint or "leave it out, or use it in `subject` or the message",
                )
            )


def given_by(body: Body) -> list[str]:
    """The variables that a body itself gives a value, in order, without those the writer made."""
    names: dict[str, None] = {}
    for literal in body:
        match literal:
            case Atom():
                for _, term in literal.args:
                    names |= dict.fromkeys(v.name for v in variables(term) if isinstance(term, Var))
            case Bind():
                names[literal.var.name] = None
            case Aggregate():
                names[literal.into.name] = None
    return [name for name in names if not name.startswith("_")]


class _RuleWriter:
    """Writes one rule: its case, its failures, and what else is known of them."""

    def __init__(self, rule: RuleText, words: Vocabulary, problems: list[Problem], setting: Setting) -> None:
        self.text, self.data, self.place = rule, rule.data, rule.place
        self.words, self.problems, self.setting = words, problems, setting
        self.writer = BodyWriter(words, problems)
        self.rules: list[Rule] = []

    def body(self, key: str) -> Body:
        return self.writer.body(self.data[key], self.place / key)

    def derive(self, kind: str, names: Iterable[str], body: Body) -> str:
        head = f"{kind}:{self.text.id}"
        args = tuple((name, Var(name, origin=self.place)) for name in dict.fromkeys(names))
        self.rules.append(Rule(head, args, body, origin=self.place))
        return head

    def rule(self) -> tuple[list[Rule], Norm]:
        scope = self.scope()
        cases = given_by(scope)
        case = self.derive("case", cases, scope)
        every_case = Atom(case, tuple((n, Var(n)) for n in cases), origin=self.place)
        evidence, failing = self.failure()
        fails = self.derive("fails", [*cases, *evidence], (every_case, *failing))
        every_failure = Atom(fails, tuple((n, Var(n)) for n in dict.fromkeys([*cases, *evidence])))
        norm = Norm(
            rule=self.text.id,
            case=case,
            fails=fails,
            columns=tuple(cases),
            subject=self.subject(cases),
            share=self.number("holds_for"),
            allow=int(self.number("allow") or 0),
            pending=self.pending(cases, every_failure),
            excused=self.about("excuse", "excused", every_failure),
            explained=self.explained(every_failure),
            unanswered=self.about("unanswered", "unanswered", every_failure),
            minor=self.about("minor_when", "minor", every_failure),
            notes=self.notes(every_failure),
        )
        self.messages([*cases, *evidence])
        if not self.text.attested:
            lonely_variables(self.writer, self.problems)
        return self.rules, norm

    def scope(self) -> Body:
        out = list(self.body("for_each"))
        for i, item in enumerate(self.data.get("measure", ())):
            out += self.writer.body(item, self.place / "measure" / i)
        unless, place = self.data.get("unless"), self.place / "unless"
        if isinstance(unless, Mapping) and "when" in unless:
            unless, place = unless["when"], place / "when"
        if isinstance(unless, list) and all(isinstance(u, Mapping) and "when" in u for u in unless):
            for i, u in enumerate(unless):
                out.append(Not(self.writer.body(u["when"], place / i / "when"), origin=place / i))
        elif unless is not None:
            out.append(Not(self.writer.body(unless, place), origin=place))
        if "dated" in self.data:
            date = self.writer.variable(self.data["dated"], self.place / "dated")
            place = self.place / "dated"
            for op, day, name in (
                (">=", self.setting.first_day, None),
                ("<", self.setting.next_version, None),
                ("<=", self.setting.as_of, AS_OF),
            ):
                if day is not None:
                    out.append(Compare(op, date, Const(day, name=name), origin=place))  # type: ignore[arg-type]
        return tuple(out)

    def failure(self) -> tuple[list[str], Body]:
        """What it is to fail, and the variables that show it."""
        if ("require" in self.data) == ("forbid" in self.data):
            message = f"rule `{self.text.id}` needs either `require` or `forbid`"
            self.problems.append(
                self.place.problem("no-requirement", message, "say what a case must or must not be")
            )
            return [], ()
        if "require" in self.data:
            return [], (Not(self.body("require"), origin=self.place / "require"),)
        if self.data["forbid"] == "always":
            return [], ()
        body = self.body("forbid")
        return given_by(body), body

    def subject(self, cases: list[str]) -> tuple[str, ...]:
        names = []
        for i, text in enumerate(self.data["subject"]):
            name = text.removeprefix("$")
            if name in cases:
                self.writer.variable(text, self.place / "subject" / i)
            else:
                message = f"`{text}` is not a variable of `for_each`"
                hint = nearest(name, cases)
                self.problems.append((self.place / "subject" / i).problem("unbound-variable", message, hint))
            names.append(name)
        return tuple(names)

    def number(self, key: str) -> float | None:
        if key not in self.data:
            return None
        term = self.writer.term(self.data[key], self.place / key)
        if isinstance(term, Const) and isinstance(term.value, int | float):
            return float(term.value)
        message = f"`{self.data[key]}` is no number"
        self.problems.append(
            (self.place / key).problem("not-a-number", message, "write a number or a parameter")
        )
        return None

    def pending(self, cases: list[str], failure: Atom) -> str | None:
        if "due" not in self.data:
            return None
        if self.setting.as_of is None:
            message = "`due` needs an as-of date, and these records have no term"
            self.problems.append((self.place / "due").problem("no-as-of", message, "give one with --as-of"))
            return None
        due = self.writer.term(self.data["due"], self.place / "due")
        origin = self.place / "due"
        return self.derive(
            "pending",
            cases,
            (failure, Compare(">=", due, Const(self.setting.as_of, name=AS_OF), origin=origin)),
        )

    def about(self, key: str, kind: str, failure: Atom) -> str | None:
        """The failures that match a body, with the variables it gives."""
        if key not in self.data:
            return None
        return self.more(kind, self.data[key], self.place / key, failure)

    def more(self, kind: str, data: Any, place: Place, failure: Atom) -> str:
        body = self.writer.body(data, place)
        names = [name for name, _ in failure.args] + given_by(body)
        return self.derive(kind, names, (failure, *body))

    def explained(self, failure: Atom) -> str | None:
        if "explained_by" not in self.data:
            return None
        place = self.place / "explained_by" / "when"
        return self.more("explained", self.data["explained_by"]["when"], place, failure)

    def notes(self, failure: Atom) -> tuple[str, ...]:
        return tuple(
            self.more(f"note{i}", note["when"], self.place / "notes" / i / "when", failure)
            for i, note in enumerate(self.data.get("notes", ()))
        )

    def messages(self, names: list[str]) -> None:
        """Names in messages count as uses of a variable; unknown ones are errors."""
        for key in ("message", "remedy"):
            self.message(self.data.get(key, ""), self.place / key, names)
        for key, kind in (("excuse_note", "excused"),):
            if key in self.data:
                self.message(self.data[key], self.place / key, self.columns(kind) or names)
        for i, note in enumerate(self.data.get("notes", ())):
            self.message(note["say"], self.place / "notes" / i / "say", self.columns(f"note{i}"))

    def columns(self, kind: str) -> list[str]:
        head = f"{kind}:{self.text.id}"
        return next(([name for name, _ in r.args] for r in self.rules if r.head == head), [])

    def message(self, text: str, place: Place, names: list[str]) -> None:
        try:
            used = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError as error:
            self.problems.append(place.problem("bad-message", f"the message cannot be read: {error}", ""))
            return
        for name in used:
            if name in self.words.values or name in ("failed", "cases"):
                continue
            if name == "signatures" and self.text.attested:
                continue
            if name not in names:
                hint = nearest(name, [*names, "failed", "cases"])
                message = f"the message uses `{{{name}}}`, which nothing gives a value"
                self.problems.append(place.problem("unbound-variable", message, hint))
            else:
                self.writer.places.setdefault(name, []).append(place)


def compile_whole(policy: Policy) -> Compiled:
    """All of a policy, over every relation of its record model; PolicyError holds every mistake in it."""
    model = policy.model
    base = {
        name: Relation(
            name, tuple(model.column(name, f, m.missing == "unknown") for f, m in r.fields.items())
        )
        for name, r in model.relations.items()
    }
    return compile_policy(policy, base, Setting(policy.scene.get("as_of", "2000-01-01"), {}))


def check_whole(policy: Policy) -> None:
    """Compile all of a policy, so that every mistake in it is found; PolicyError holds them all."""
    compile_whole(policy)
