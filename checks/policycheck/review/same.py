"""Two versions side by side: which of their bodies ask the same, and under which names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct
from policycheck_engine import Body, Term

from policycheck.policy.bodies import BodyWriter, Vocabulary
from policycheck.policy.model import Policy
from policycheck.review.matching import Matcher, Renaming
from policycheck.review.pairs import Ids, Pairs, followers
from policycheck.yamlfile import Place

Part = tuple[Any, Place]
"""A piece of a policy: its data, and where it stands."""

Parts = Sequence[Part]

Likeness = Literal["same", "form", "threshold"]
"""Bodies ask the same; they do with a parameter where a figure stood; they do but for figures and dates."""

MARK = "\0"
"""Before the name of a parameter where its value would stand, so that bodies keep it."""


class Versions(Struct, frozen=True, dict=True):
    """The old version and the new one."""

    old: Policy
    new: Policy
    pairs: Pairs

    def match(self, old: Parts, new: Parts, known: Renaming) -> tuple[Likeness, Renaming] | None:
        """How two bodies are alike, and by which renaming of variables; or None."""
        before, after = self.body(self.old, old), self.body(self.new, new)
        for likeness, constant in self.likenesses:
            found = Matcher(self.relations, constant).match(before, after, known)
            if found is not None:
                return likeness, found
        return None

    def match_terms(self, old: Part, new: Part, known: Renaming) -> Likeness | None:
        """How two terms are alike."""
        before, after = self.term(self.old, *old), self.term(self.new, *new)
        for likeness, constant in self.likenesses:
            if Matcher(self.relations, constant).term(before, after, known) is not None:
                return likeness
        return None

    @property
    def likenesses(self) -> tuple[tuple[Likeness, Callable[[Any, Any], bool]], ...]:
        return ("same", self.equal), ("form", self.in_value), ("threshold", self.loosely)

    def body(self, policy: Policy, parts: Parts) -> Body:
        """The pieces as one body, with parameters by name."""
        writer = BodyWriter(self.words[policy is self.new], [])
        return tuple(literal for data, place in parts for literal in writer.body(data, place))

    def term(self, policy: Policy, data: Any, place: Place) -> Term:
        return BodyWriter(self.words[policy is self.new], []).term(data, place)

    @cached_property
    def words(self) -> tuple[Vocabulary, Vocabulary]:
        return vocabulary(self.old), vocabulary(self.new)

    @cached_property
    def relations(self) -> Mapping[str, str]:
        """What the definitions of the old version are called now."""
        return now_called(self.pairs.definitions)

    @cached_property
    def clauses(self) -> Mapping[str, tuple[str, ...]]:
        """What became of each clause of the old version."""
        return followers(self.pairs.clauses)

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """What the parameters of the old version are called now."""
        return now_called(self.pairs.parameters)

    def equal(self, old: Any, new: Any) -> bool:
        """Whether a value stands for the same in both."""
        if isinstance(old, str) and old.startswith(MARK):
            old = MARK + self.parameters.get(old[1:], old[1:])
        return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)

    def in_value(self, old: Any, new: Any) -> bool:
        """The same, or a figure in one and a parameter with this value in the other."""
        return self.equal(old, new) or self.equal(value_of(old, self.old), value_of(new, self.new))

    def loosely(self, old: Any, new: Any) -> bool:
        """The same, but for figures and dates."""
        return self.equal(old, new) or (measured(old) and measured(new))


def value_of(value: Any, policy: Policy) -> Any:
    """The value of a constant that may stand for a parameter."""
    name = value[1:] if isinstance(value, str) and value.startswith(MARK) else ""
    return policy.parameters[name].value if name in policy.parameters else value


def measured(value: Any) -> bool:
    """Whether a value says how much or when: a number, a date, or a parameter."""
    if isinstance(value, str):
        return value.startswith(MARK) or (value[:4].isdigit() and value[4:5] == "-")
    return isinstance(value, int | float) and not isinstance(value, bool)


def vocabulary(policy: Policy) -> Vocabulary:
    """The names of a policy; each parameter stands for itself."""
    relations = {name: tuple(r.fields) for name, r in policy.model.relations.items()}
    relations |= {d.name: d.gives for d in policy.definitions.values()}
    values: dict[str, Any] = {
        p.name: [MARK + p.name] if isinstance(p.value, list) else MARK + p.name
        for p in policy.parameters.values()
    }
    return Vocabulary(relations, values | {"as_of": MARK + "as_of"}, tuple(policy.model.calendars))


def now_called(ids: Ids) -> dict[str, str]:
    """The new name of each old one that has another; the first that claims it."""
    names: dict[str, str] = {}
    for new, was in ids.items():
        for old in was:
            if old not in ids or old not in ids[old]:
                names.setdefault(old, new)
    return names
