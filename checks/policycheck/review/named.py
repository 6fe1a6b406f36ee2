"""What changed in what rules rest on: parameters, definitions, and the records themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import fields

from policycheck.policy.compile import alternatives
from policycheck.policy.model import Definition, Parameter
from policycheck.records.model import RelationModel
from policycheck.review.changes import JUDGED, WEIGHED, Change, Status
from policycheck.review.edits import body_edits, joined, list_edits, renamed_data, same
from policycheck.review.matching import Renaming
from policycheck.review.pairs import Ids
from policycheck.review.phrases import plain
from policycheck.review.rules import squeezed
from policycheck.review.same import Part, Versions

Found = dict[str, tuple[Status, list[Change]]]
"""What became of each thing that changed, by the name it has now or had last."""

DOCUMENTED = ("name", "says", "unit", "missing_says", "personal", "special")
"""What records.yaml says of a field for its readers; no rule is judged by it."""


def parameter_changes(versions: Versions) -> Found:
    """The parameters that are not what they were."""
    old, new = versions.old.parameters, versions.new.parameters
    out: Found = {}
    for name, parameter in new.items():
        was = versions.pairs.parameters[name]
        if not was:
            out[name] = (
                "added",
                [Change("parameter", name, f"new: {valued(parameter)}", None, parameter.value)],
            )
            continue
        changes = [*renamings(name, was), *edited_parameter(old[was[0]], parameter)]
        if changes:
            out[name] = status_of(changes), changes
    for name in gone(old, versions.pairs.parameters):
        said = f"no longer there: {valued(old[name])}"
        out[name] = "removed", [Change("parameter", name, said, old[name].value)]
    return out


def edited_parameter(old: Parameter, new: Parameter) -> Iterator[Change]:
    """What changed in a parameter: its value, or what is said about it."""
    if not same(old.value, new.value):
        was = valued(old) if old.unit != new.unit else plain(old.value)
        yield Change("parameter", new.name, f"{valued(new)}, was {was}", old.value, new.value)
    elif old.unit != new.unit:
        yield Change("wording", "unit", f"unit: {new.unit}, was {old.unit}", old.unit, new.unit)
    if not same(list(old.one_of), list(new.one_of)):
        yield Change("wording", "one_of", f"can be: {list_edits(old.one_of, new.one_of)}")
    if squeezed(old.why) != squeezed(new.why):
        yield Change("wording", "why", "its reason is reworded", old.why, new.why)
    if old.source != new.source:
        yield Change("wording", "source", f"set by: {new.source}, was {old.source}", old.source, new.source)


def valued(parameter: Parameter) -> str:
    """A parameter's value with its unit: `3 school days before the lesson`."""
    unit = "" if parameter.unit in ("", "rule", "roles") else f" {parameter.unit}"
    return f"{plain(parameter.value)}{unit}"


def definition_changes(versions: Versions) -> Found:
    """The definitions that are not what they were."""
    old, new = versions.old.definitions, versions.new.definitions
    out: Found = {}
    for name, definition in new.items():
        was = versions.pairs.definitions[name]
        if not was:
            out[name] = "added", [Change("definition", name, squeezed(definition.means))]
            continue
        changes = [*renamings(name, was), *edited_definition(versions, old[was[0]], definition)]
        if changes:
            out[name] = status_of(changes), changes
    for name in gone(old, versions.pairs.definitions):
        out[name] = "removed", [Change("definition", name, f"no longer there: {squeezed(old[name].means)}")]
    return out


def edited_definition(versions: Versions, old: Definition, new: Definition) -> Iterator[Change]:
    """What changed in a definition: what it gives, when, or how its meaning is put."""
    if set(old.gives) != set(new.gives):
        yield Change("definition", new.name, f"it gives: {list_edits(old.gives, new.gives)}")
    elif old.when != new.when or versions.relations or versions.parameters:
        likeness = alike(versions, old, new)
        if likeness != "same":
            today = renamed_data(old.when, versions.parameters, versions.relations)
            said = "; ".join(body_edits(today, new.when)) or "written in another way"
            yield Change("form" if likeness == "form" else "definition", new.name, said, old.when, new.when)
    if squeezed(old.means) != squeezed(new.means):
        yield Change("wording", "means", "its meaning is put in other words", old.means, new.means)


def alike(versions: Versions, old: Definition, new: Definition) -> str:
    """`same` when each alternative of the old one is one of the new ones; `form` when a parameter stands
    where a figure with its value was; else `different`."""
    names = {name: name for name in old.gives}
    left, worst = parts_of(new), "same"
    for parts in parts_of(old):
        found = [versions.match(parts, other, Renaming(names, names)) for other in left]
        likenesses = [m[0] if m else "different" for m in found]
        best = next((one for one in ("same", "form") if one in likenesses), None)
        if best is None:
            return "different"
        left.pop(likenesses.index(best))
        worst = best if best == "form" else worst
    return "different" if left else worst


def parts_of(definition: Definition) -> list[list[Part]]:
    """The pieces of each alternative, with their places."""
    made = alternatives(definition.when, definition.place / "when")
    return [list(zip(bodies, places, strict=True)) for bodies, places in made]


def record_changes(versions: Versions) -> Found:
    """Relations and calendars that mean something else to a rule; what is said of them does not count."""
    old, new = versions.old.model, versions.new.model
    out: Found = {}
    for name in dict.fromkeys([*old.relations, *new.relations]):
        before, after = old.relations.get(name), new.relations.get(name)
        if before is None or after is None:
            status: Status = "added" if before is None else "removed"
            said = "the records can have it now" if before is None else "the records have it no longer"
            out[name] = status, [Change("records", name, said)]
        elif changes := list(edited_relation(before, after)):
            out[name] = "changed", changes
    for name in dict.fromkeys([*old.calendars, *new.calendars]):
        if old.calendars.get(name) != new.calendars.get(name):
            out[f"calendar {name}"] = "changed", [Change("records", name, "the calendar counts other days")]
    checks = (model.document.data.get("integrity") for model in (old, new))
    if not same(*checks):
        said = "records are refused for other reasons than before"
        out["integrity"] = "changed", [Change("records", "integrity", said)]
    return out


def edited_relation(old: RelationModel, new: RelationModel) -> Iterator[Change]:
    """What changed in a relation or its fields."""
    for name in dict.fromkeys([*old.fields, *new.fields]):
        before, after, whole = old.fields.get(name), new.fields.get(name), f"{new.name}.{name}"
        if before is None or after is None:
            yield Change("records", whole, f"`{whole}` is {'new' if before is None else 'no longer there'}")
            continue
        for key in (f.name for f in fields(after) if f.name not in DOCUMENTED):
            was, now = getattr(before, key), getattr(after, key)
            if was != now:
                yield Change("records", whole, f"`{whole}`: {key} now {plain(now)}, was {plain(was)}")
    for key in ("key", "absent", "span", "in_order"):
        was, now = getattr(old, key), getattr(new, key)
        if was != now:
            yield Change("records", new.name, f"`{new.name}`: {key} now {plain(now)}, was {plain(was)}")


def renamings(name: str, was: tuple[str, ...]) -> Iterator[Change]:
    """What a thing was called before."""
    others = [w for w in was if w != name]
    if others:
        yield Change("renamed", name, f"was called {joined(others)}", others, name)


def gone(old: Mapping[str, object], ids: Ids) -> list[str]:
    """The names that nothing in the new version follows."""
    followed = {w for was in ids.values() for w in was}
    return [name for name in old if name not in followed]


def status_of(changes: Iterable[Change]) -> Status:
    """What became of a thing that is there in both versions."""
    kinds = {change.kind for change in changes}
    if kinds & {*JUDGED, *WEIGHED}:
        return "changed"
    if "moved" in kinds:
        return "moved"
    if "renamed" in kinds:
        return "renamed"
    return "reworded" if kinds else "unchanged"
