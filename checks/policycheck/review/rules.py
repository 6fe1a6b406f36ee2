"""What changed in a rule: its parts one by one, each compared with the part it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from policycheck.policy.compile import given_by
from policycheck.policy.model import RuleText
from policycheck.review.changes import Change
from policycheck.review.edits import body_edits, list_edits, renamed_data, renamed_text, same
from policycheck.review.matching import Renaming
from policycheck.review.phrases import body, term
from policycheck.review.same import Part, Parts, Versions

FIGURES = {
    "holds_for": ("the share of the cases of a subject that have to hold", "all of them"),
    "allow": ("how many cases of a subject may fail", "none"),
    "due": ("due", "at once"),
}
"""What a figure says, and what it is when it is not given."""

TEXTS = ("message", "remedy", "excuse_note", "reading")


def rule_changes(versions: Versions, old: RuleText, new: RuleText) -> tuple[list[Change], list[str]]:
    """What changed in a rule itself, and what does not count as a change."""
    compared = Compared(versions, old, new)
    untouched = old.data == new.data and not versions.relations and not versions.parameters
    changes = [] if untouched else [*compared.parts()]
    return [*changes, *weight_changes(old, new)], compared.remarks


def weight_changes(old: RuleText, new: RuleText) -> Iterator[Change]:
    """What a failure is called, how severe it is and who has to act."""
    if old.outcome != new.outcome:
        says = f"a failure now is {new.outcome}, was {old.outcome}"
        yield Change("outcome", "outcome", says, old.outcome, new.outcome)
    if old.severity != new.severity:
        says = f"now {new.severity}, was {old.severity}"
        yield Change("severity", "severity", says, old.severity, new.severity)
    if old.binds != new.binds and ("binds" in old.data or "binds" in new.data):
        yield Change("bearer", "binds", list_edits(old.binds, new.binds), list(old.binds), list(new.binds))


class Compared(Struct, dict=True):
    """Two rules part by part.

    `known` says which variable is which, as far as that is settled; `in_excuse` also those of the excuse.
    `remarks` are the parts that changed without a change: `examples`, and `ids` of findings.
    """

    versions: Versions
    old: RuleText
    new: RuleText
    known: Renaming = field(default_factory=Renaming)
    remarks: list[str] = field(default_factory=list)
    in_excuse: Renaming = field(default_factory=Renaming)

    def parts(self) -> Iterator[Change]:
        """The changes of all parts but the weight."""
        yield from self.bodies("scope", "for_each", self.scope(self.old), self.scope(self.new), pin=True)
        yield from self.variables("dated", "date")
        yield from self.subject()
        yield from self.unless()
        yield from self.requirement()
        for key in ("holds_for", "allow", "due"):
            yield from self.figure(key)
        yield from self.optional("excuse", "exemption")
        yield from self.explained()
        yield from self.optional("minor_when", "severity")
        yield from self.notes()
        for key in TEXTS:
            names = self.in_excuse if key == "excuse_note" else self.known
            yield from self.text(key, self.old.data.get(key), self.new.data.get(key), names)
        if not same(self.old.data.get("examples"), self.new.data.get("examples")):
            self.remarks.append("examples")

    @staticmethod
    def part(rule: RuleText, key: str) -> Part:
        return rule.data[key], rule.place / key

    def scope(self, rule: RuleText) -> Parts:
        """`for_each` and `measure`, which together give the cases."""
        measures = enumerate(rule.data.get("measure", ()))
        return [self.part(rule, "for_each"), *((m, rule.place / "measure" / i) for i, m in measures)]

    # Bodies

    def bodies(self, kind: str, what: str, old: Parts, new: Parts, pin: bool = False) -> Iterator[Change]:
        """How a body changed. `pin`: its variables can be used elsewhere, so it settles which is which."""
        found = self.versions.match(old, new, self.known)
        if pin:
            self.settle(old, new, found[1] if found else None)
        if what == "excuse":
            self.in_excuse = found[1] if found else self.known
        if found is None or found[0] != "same":
            before, after = [data for data, _ in old], [data for data, _ in new]
            likeness = found[0] if found else kind
            yield Change(likeness, what, self.edits(before, after), bare(before), bare(after))

    def settle(self, old: Parts, new: Parts, found: Renaming | None) -> None:
        """Which variable is which: as the match says, or else by name."""
        given = set(given_by(self.versions.body(self.versions.old, old)))
        if found is not None:
            self.known = found.among(given | set(self.known.there))
            return
        for name in given_by(self.versions.body(self.versions.new, new)):
            if name in given:
                self.known = self.known.plus(name, name) or self.known

    def edits(self, old: Any, new: Any) -> str:
        """What was edited, the old data with the names of today."""
        return "; ".join(body_edits(self.today(old), new)) or "written in another way"

    def today(self, data: Any) -> Any:
        """Data of the old rule with the names that its variables, parameters and definitions have now."""
        names = {**self.versions.parameters, **self.known.there}
        return renamed_data(data, names, self.versions.relations)

    def optional(self, key: str, kind: str) -> Iterator[Change]:
        """A body that a rule may have."""
        has = key in self.old.data, key in self.new.data
        if all(has):
            yield from self.bodies(kind, key, [self.part(self.old, key)], [self.part(self.new, key)])
        elif has[0]:
            yield Change(kind, key, f"no longer: {body(self.today(self.old.data[key]))}", self.old.data[key])
        elif has[1]:
            yield Change(kind, key, f"now: {body(self.new.data[key])}", None, self.new.data[key])

    def unless(self) -> Iterator[Change]:
        """Exemptions: each is one of those there were, or is edited, gone or new."""
        old, new = exemptions(self.old), exemptions(self.new)
        for one in list(old):
            partner = next((n for n in new if self.alike(one, n)), None)
            if partner is not None:
                old.remove(one)
                new.remove(partner)
                yield from self.text("because", one[1], partner[1])
        for one, partner in zip(list(old), list(new), strict=False):
            old.remove(one)
            new.remove(partner)
            yield from self.bodies("exemption", "unless", [one[0]], [partner[0]])
        for (data, _), because in old:
            says = f"no longer left out: {reason(self.today(data), because)}"
            yield Change("exemption", "unless", says, data)
        for (data, _), because in new:
            yield Change("exemption", "unless", f"now left out: {reason(data, because)}", None, data)

    def alike(self, old: tuple[Part, str], new: tuple[Part, str]) -> bool:
        found = self.versions.match([old[0]], [new[0]], self.known)
        return found is not None and found[0] == "same"

    def requirement(self) -> Iterator[Change]:
        """`require` or `forbid`; what is forbidden is evidence, whose variables messages use."""
        key, before = (next(k for k in ("require", "forbid") if k in r.data) for r in (self.new, self.old))
        old, new = self.part(self.old, before), self.part(self.new, key)
        if key == before and "always" not in (old[0], new[0]):
            yield from self.bodies("requirement", key, [old], [new], pin=key == "forbid")
        elif key != before or old[0] != new[0]:
            said = f"now {key}: {body(new[0])}; was {before}: {body(self.today(old[0]))}"
            yield Change("requirement", key, said, {before: old[0]}, {key: new[0]})

    def explained(self) -> Iterator[Change]:
        """The clause that can force a breach, and when."""
        key, kind = "explained_by", "exemption"
        old, new = self.old.data.get(key), self.new.data.get(key)
        if old is not None and new is not None:
            if new["clause"] not in self.versions.clauses.get(old["clause"], ()):
                says = f"now explained by {new['clause']}, was {old['clause']}"
                yield Change(kind, key, says, old["clause"], new["clause"])
            before, after = ((r.data[key]["when"], r.place / key / "when") for r in (self.old, self.new))
            yield from self.bodies(kind, key, [before], [after])
        elif old is not None:
            says = f"no longer explained by {old['clause']}: {body(self.today(old['when']))}"
            yield Change(kind, key, says, old)
        elif new is not None:
            says = f"now explained by {new['clause']}: {body(new['when'])}"
            yield Change(kind, key, says, None, new)

    def notes(self) -> Iterator[Change]:
        """Notes tell more of a finding; they change no outcome."""
        left = list(self.listed_notes(self.new))
        for part, say in self.listed_notes(self.old):
            partner = next((n for n in left if self.same_note(part, say, *n)), None)
            if partner is None:
                yield Change("wording", "notes", f"no longer notes: {say}", say, "")
            else:
                left.remove(partner)
        for _, say in left:
            yield Change("wording", "notes", f"now notes: {say}", "", say)

    @staticmethod
    def listed_notes(rule: RuleText) -> list[tuple[Part, str]]:
        notes = enumerate(rule.data.get("notes", ()))
        return [((note["when"], rule.place / "notes" / i / "when"), note["say"]) for i, note in notes]

    def same_note(self, old: Part, says: str, new: Part, now: str) -> bool:
        """Whether two notes say the same of the same findings."""
        found = self.versions.match([old], [new], self.known)
        return found is not None and found[0] == "same" and not [*self.text("notes", says, now, found[1])]

    # Figures, variables and texts

    def figure(self, key: str) -> Iterator[Change]:
        """A share, a number or a date."""
        old, new = self.old.data.get(key), self.new.data.get(key)
        likeness = None
        if old is not None and new is not None:
            parts = self.part(self.old, key), self.part(self.new, key)
            likeness = self.versions.match_terms(*parts, self.known)
        if likeness != "same" and old is not new:
            label, without = FIGURES[key]
            now = without if new is None else term(new)
            was = without if old is None else term(self.today(old))
            kind = "form" if likeness == "form" else "threshold"
            yield Change(kind, key, f"{label}: now {now}, was {was}", old, new)

    def variables(self, key: str, kind: str) -> Iterator[Change]:
        """A variable that a rule may name."""
        old, new = self.old.data.get(key), self.new.data.get(key)
        if self.today(old) != new:
            yield Change(kind, key, f"`{key}` now {new or 'not given'}, was {old or 'not given'}", old, new)

    def subject(self) -> Iterator[Change]:
        """What one finding is about. Other names alone only change the ids of findings."""
        old, new = self.old.data["subject"], self.new.data["subject"]
        if self.today(old) != new:
            yield Change("subject", "subject", f"a finding is about {list_edits(old, new)}", old, new)
        elif old != new:
            self.remarks.append("ids")

    def text(
        self, what: str, old: str | None, new: str | None, names: Renaming | None = None
    ) -> Iterator[Change]:
        """A sentence, with its variables by the names of today."""
        known = (names or self.known).there
        now = renamed_text(old or "", {**self.versions.parameters, **known})
        if squeezed(now) != squeezed(new or ""):
            yield Change("wording", what, f"{what.replace('_', ' ')} reworded", old, new)


def squeezed(text: str) -> str:
    """A text whatever its line breaks."""
    return " ".join(text.split())


def bare(parts: Sequence[Any]) -> Any:
    """One piece by itself."""
    return parts[0] if len(parts) == 1 else list(parts)


def reason(data: Any, because: str) -> str:
    """What is left out, and why."""
    return body(data) + (f" ({because})" if because else "")


def exemptions(rule: RuleText) -> list[tuple[Part, str]]:
    """What `unless` leaves out: each body with its reason."""
    data, place = rule.data.get("unless"), rule.place / "unless"
    if data is None:
        return []
    if isinstance(data, Mapping) and "when" in data:
        return [((data["when"], place / "when"), data.get("because", ""))]
    if isinstance(data, list) and all("when" in one for one in data):
        return [((d["when"], place / i / "when"), d.get("because", "")) for i, d in enumerate(data)]
    return [((data, place), "")]
