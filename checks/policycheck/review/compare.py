"""Compare two versions of a policy: everything that changed, clause by clause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from msgspec import Struct, field

from policycheck.errors import UsageError
from policycheck.policy.annotations import annotations_of
from policycheck.policy.model import Policy, RuleText
from policycheck.review.changes import (
    JUDGED,
    STATUSES,
    WORDED,
    Change,
    Changes,
    ClauseChange,
    NamedChange,
    RuleChange,
)
from policycheck.review.clauses import GONE, clause_changes
from policycheck.review.edits import list_edits, same
from policycheck.review.named import Found, definition_changes, parameter_changes, record_changes, renamings
from policycheck.review.pairs import as_signed_before, paired
from policycheck.review.rules import rule_changes, squeezed
from policycheck.review.same import Versions
from policycheck.review.signed import signed_changes
from policycheck.review.uses import Use, Uses

UsesByRule = Mapping[str, Mapping[Use, tuple[str, ...]]]
RECORDS = ("field", "relation", "calendar")


def compared(old: Policy, new: Policy) -> Changes:
    """What changed from the old version to the new one; UsageError when they are of two policies."""
    if old.id != new.id:
        raise UsageError(f"`{old.id}` and `{new.id}` are two policies; give two versions of the same one")
    pairs = paired(old, new)
    return _Comparison(Versions(old, as_signed_before(new, pairs.clauses), pairs)).changes()


class _Comparison(Struct, dict=True):
    versions: Versions
    remarks: dict[str, list[str]] = field(default_factory=dict)

    def changes(self) -> Changes:
        versions, uses = self.versions, self.uses
        rules = [*map(self.rule, versions.new.rules.values()), *self.removed_rules()]
        clauses = list(clause_changes(versions, told_under(versions, rules)))
        counts = Counter(clause.status for clause in clauses)
        return Changes(
            old=versions.old,
            new=versions.new,
            pairs=versions.pairs,
            policy=tuple(head_changes(versions)),
            records=tuple(resting(self.records, RECORDS, uses)),
            parameters=tuple(resting(self.parameters, ("parameter",), uses)),
            definitions=tuple(resting(self.definitions, ("definition",), uses)),
            clauses=tuple(c for c in clauses if c.status != "unchanged"),
            rules=tuple(rules),
            statuses={status: counts[status] for status in STATUSES},
            remarks=(*self.beside(), *alike_clauses(clauses), *self.alike_rules(rules)),
        )

    # What rules rest on

    @cached_property
    def parameters(self) -> Found:
        return parameter_changes(self.versions)

    @cached_property
    def definitions(self) -> Found:
        return definition_changes(self.versions)

    @cached_property
    def records(self) -> Found:
        return record_changes(self.versions)

    @cached_property
    def uses(self) -> UsesByRule:
        uses = Uses(self.versions.new)
        return {rule.id: uses.of_rule(rule) for rule in self.versions.new.rules.values()}

    # Rules

    def rule(self, new: RuleText) -> RuleChange:
        """A rule of the new version, and what it was."""
        was, uses = self.versions.pairs.rules[new.id], self.uses[new.id]
        if not was:
            return RuleChange(None, new.id, new.clauses, (Change("added", new.id, "the rule is new"),))
        changes = [
            *renamings(new.id, was),
            *self.edited(self.versions.old.rules[was[0]], new),
            *through("parameter", self.parameters, uses),
            *through("definition", self.definitions, uses),
            *(change for kind in RECORDS for change in through(kind, self.records, uses)),
        ]
        return RuleChange(was[0], new.id, new.clauses, tuple(changes))

    def edited(self, old: RuleText, new: RuleText) -> list[Change]:
        """What changed in the rule itself."""
        if old.attested != new.attested:
            return []
        if old.attested:
            clauses = ({c.id: c for c in p.clauses()} for p in (self.versions.old, self.versions.new))
            before, after = ((found[r.clauses[0]], r) for found, r in zip(clauses, (old, new), strict=True))
            changes, remarks = signed_changes(self.versions, before, after)
        else:
            changes, remarks = rule_changes(self.versions, old, new)
        for remark in remarks:
            self.remarks.setdefault(remark, []).append(new.id)
        return changes

    def removed_rules(self) -> Iterator[RuleChange]:
        followed = {w for was in self.versions.pairs.rules.values() for w in was}
        for rule in self.versions.old.rules.values():
            if rule.id not in followed:
                change = Change("removed", rule.id, "the rule is no longer there")
                yield RuleChange(rule.id, None, rule.clauses, (change,))

    # What does not count as a change

    def beside(self) -> Iterator[str]:
        """Examples, their scene and scenarios, and what the subjects of findings are called."""
        if "examples" in self.remarks:
            yield f"examples of {', '.join(self.remarks['examples'])}"
        if "ids" in self.remarks:
            yield f"what the ids of findings call their subjects: {', '.join(self.remarks['ids'])}"
        if not same(self.versions.old.scene, self.versions.new.scene):
            yield "the scene of the examples"
        if scenarios(self.versions.old.folder) != scenarios(self.versions.new.folder):
            yield "scenarios"
        if accepted(self.versions.old) != accepted(self.versions.new):
            yield "what lint accepts"

    def alike_rules(self, rules: Sequence[RuleChange]) -> Iterator[str]:
        """Rules that seem to have another id now, when nothing says so."""
        old, new = self.versions.old.rules, self.versions.new.rules
        left = [old[r.old] for r in rules if r.new is None and r.old]
        for added in [new[r.new] for r in rules if r.old is None and r.new]:
            for rule in left:
                if rule.attested or added.attested:
                    continue
                if all(c.kind in WORDED for c in rule_changes(self.versions, rule, added)[0]):
                    yield f"rule {added.id} asks what {rule.id} did; `was: {rule.id}` on it would follow it"
                    left.remove(rule)
                    break


def alike_clauses(clauses: Sequence[ClauseChange]) -> Iterator[str]:
    """Clauses that seem to have another id now, when nothing says so."""
    gone = {c.old_says: c.id for c in clauses if c.status == "removed"}
    for clause in clauses:
        if clause.status == "added" and clause.new_says in gone:
            was = gone[clause.new_says]
            yield f"clause {clause.id} says what {was} did; `was: {was}` on it would follow it"


def accepted(policy: Policy) -> set[tuple[str, str, str | None, str]]:
    """The findings of lint that a policy accepts, with the reasons."""
    return {(note.about, note.code, note.other, note.why) for note in annotations_of(policy)}


def scenarios(folder: Path) -> dict[str, str]:
    """The scenario files beside a policy."""
    return {f.name: f.read_text(encoding="utf-8") for f in sorted((folder / "scenarios").glob("*.yaml"))}


def through(kind: str, found: Found, uses: Mapping[Use, tuple[str, ...]]) -> Iterator[Change]:
    """What changed in what a rule rests on, with the definitions that lead there."""
    for used, way in uses.items():
        if used[0] != kind:
            continue
        for change in touching(found, used[1]):
            lead = f" (through {' and '.join(f'`{d}`' for d in way)})" if way else ""
            says = change.says if kind in RECORDS else f"`{used[1]}` {change.says}"
            if kind == "definition":
                says = f"`{used[1]}` is defined otherwise"
            yield Change(change.kind, used[1], f"{says}{lead}", change.old, change.new)


def touching(found: Found, name: str) -> Iterator[Change]:
    """The changes of a thing by which rules judge otherwise."""
    for status, changes in found.values():
        if status == "changed":
            yield from (c for c in changes if c.what == name and c.kind in JUDGED)


def resting(found: Found, kinds: Iterable[str], uses: UsesByRule) -> Iterator[NamedChange]:
    """What changed, with the rules that rest on it."""
    for name, (status, changes) in found.items():
        places = {c.what for c in changes} if kinds is RECORDS else {name}
        wanted = {(kind, place) for kind in kinds for place in places}
        rules = tuple(rule for rule, used in uses.items() if wanted & set(used))
        yield NamedChange(name, status, tuple(changes), rules)


def told_under(versions: Versions, rules: Sequence[RuleChange]) -> dict[str, list[RuleChange]]:
    """The rules that changed, by the clause under which that is told."""
    out: dict[str, list[RuleChange]] = {}
    for rule in rules:
        clause = rule.clauses[0]
        if rule.new is None:
            clause = next(iter(versions.clauses.get(clause, ())), GONE + clause)
        if rule.changes:
            out.setdefault(clause, []).append(rule)
    return out


def head_changes(versions: Versions) -> Iterator[Change]:
    """The policy as a whole: its title, its school, its sections, and who yields to whom."""
    old, new = versions.old, versions.new
    for key in ("title", "summary"):
        was, now = getattr(old, key), getattr(new, key)
        if squeezed(was) != squeezed(now):
            yield Change("wording", key, f"{key} reworded", was, now)
    if old.school != new.school:
        was, now = old.school or "any", new.school or "any"
        yield Change("school", "school", f"judges the records of {now}, was {was}", old.school, new.school)
    if today(versions, old.ranks) != list(new.ranks):
        yield Change("rank", "ranks", list_edits(old.ranks, new.ranks), list(old.ranks), list(new.ranks))
    yield from defect_changes(versions)
    if versions.relations.get(old.flaws or "", old.flaws) != new.flaws:
        says = f"what is wrong with an exception: now {new.flaws or 'nothing'}, was {old.flaws or 'nothing'}"
        yield Change("definition", "flaws", says, old.flaws, new.flaws)
    before, after = ({s.id: s.heading for s in p.sections} for p in (old, new))
    for name in [s for s in after if s not in before]:
        yield Change("added", name, f"section {name} is new", None, after[name])
    for name in [s for s in before if s not in after]:
        yield Change("removed", name, f"section {name} is no longer there", before[name])
    for name in [s for s in after if squeezed(before.get(s, after[s])) != squeezed(after[s])]:
        yield Change("wording", name, f"heading of section {name} reworded", before[name], after[name])
    if [s for s in before if s in after] != [s for s in after if s in before]:
        yield Change("moved", "sections", "the sections stand in another order", list(before), list(after))


def defect_changes(versions: Versions) -> Iterator[Change]:
    """What is wrong with the document itself, and how it is read all the same."""
    before, after = ({d.id: d for d in p.defects} for p in (versions.old, versions.new))
    for name in dict.fromkeys([*before, *after]):
        old, new, what = before.get(name), after.get(name), f"defect {name}"
        if old is None or new is None:
            says = "is on file now" if old is None else "is no longer on file"
            yield Change("wording", what, f"defect {name} {says}")
            continue
        for key in ("says", "settled"):
            was, now = squeezed(getattr(old, key)), squeezed(getattr(new, key))
            if was != now:
                yield Change("wording", what, f"defect {name} is put otherwise", was, now)
        if sorted(today(versions, old.clauses)) != sorted(new.clauses):
            yield Change("wording", what, f"defect {name} touches: {list_edits(old.clauses, new.clauses)}")


def today(versions: Versions, clauses: Sequence[str]) -> list[str]:
    """The ids that clauses of the old version have now."""
    return [next(iter(versions.clauses.get(clause, ())), clause) for clause in clauses]
