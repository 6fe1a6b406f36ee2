"""The record model: which relations there are, their fields, and what a missing value means.

Read from records.yaml; from this one source come the JSON Schema of a term file, the tables that rules
are evaluated on, and the page docs/records.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field
from policycheck_engine import NONE, Column, Type, Value, nearest

from policycheck.cache import kept, key_of, text_of
from policycheck.errors import PolicyError, Problem
from policycheck.structure import structure_problems
from policycheck.yamlfile import Document, Place, load

Missing = Literal["required", "unknown", "none", "never", "blank"]


class Field(Struct, frozen=True):
    """One field: its type, what a missing value means, what it refers to, and how private it is."""

    name: str
    type: Type
    missing: Missing = "required"
    missing_says: str = ""
    to: str | None = None
    one_of: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    says: str = ""
    personal: bool = False
    special: bool = False

    @property
    def nothing(self) -> Value:
        """The value that stands for nothing, or for never; None when there is none in this field."""
        return NONE.get(self.type) if self.missing in ("none", "never", "blank") else None


class Nested(Struct, frozen=True):
    """Rows that JSON may write as a list inside their parent: in which relation, under which name."""

    parent: str
    name: str


class ExceptionModel(Struct, frozen=True):
    """That the rows of a relation claim exceptions, and which of its fields say so.

    `row` has the key of the row that one is for, which is of the relation that the field `relation` names,
    or that `row` refers to. Without `clause` it is to any rule that asks for it.
    """

    row: str
    relation: str | None = None
    clause: str | None = None
    starts: str | None = None
    ends: str | None = None
    reason: str | None = None
    approved_by: str | None = None


class RelationModel(Struct, frozen=True):
    """One relation: its fields in order, its key, and how its rows may be written."""

    name: str
    says: str
    key: tuple[str, ...]
    fields: Mapping[str, Field]
    absent: Literal["unknown", "none"] = "unknown"
    nested: Nested | None = None
    span: tuple[str, str] | None = None
    in_order: tuple[str, str] | None = None
    exception: ExceptionModel | None = None


class Frame(Struct, frozen=True):
    """Where the records say which school and term they are of."""

    school: Mapping[str, str] | None = None
    term: Mapping[str, str] | None = None


class CalendarModel(Struct, frozen=True):
    """The days that a calendar counts: those of a relation's date field, or their weeks."""

    relation: str
    field: str
    by_week: bool


class RecordModel(Struct, frozen=True):
    """All relations of a record model, with the calendars and checks that go with it."""

    title: str
    document: Document
    relations: Mapping[str, RelationModel]
    frame: Frame
    calendars: Mapping[str, CalendarModel]
    children: Mapping[str, tuple[RelationModel, ...]] = field(default_factory=dict)

    def parent_keys(self, child: RelationModel) -> tuple[str, ...]:
        """The fields of a nested child that repeat the key of its parent."""
        assert child.nested is not None
        return tuple(f for f in self.relations[child.nested.parent].key if f in child.fields)

    def target(self, f: Field) -> tuple[str, str] | None:
        """The relation and its field that a field refers to; None when it refers to none."""
        if f.to is None:
            return None
        target, _, name = f.to.partition(".")
        key = self.relations[target].key
        return (target, name or key[0]) if name or key else None

    def targets(self) -> Iterator[tuple[str, str]]:
        """The relations and their fields that texts refer to, when they are texts themselves."""
        for relation in self.relations.values():
            for f in relation.fields.values():
                at = self.target(f)
                if at is not None and f.type == self.relations[at[0]].fields[at[1]].type == "text":
                    yield at

    def domain(self, relation: str, name: str) -> str | None:
        """What an id identifies: the relation whose single key it is, or refers to."""
        model = self.relations[relation]
        target = model.fields[name].to
        if target is not None and target in self.relations and len(self.relations[target].key) == 1:
            return target
        return relation if model.key == (name,) else None

    def column(self, relation: str, name: str, unknown: bool) -> Column:
        """The field as a column of the engine."""
        f = self.relations[relation].fields[name]
        return Column(
            name=name,
            type=f.type,
            domain=self.domain(relation, name),
            values=f.one_of,
            unknown=unknown,
            positive=f.minimum is not None and f.minimum >= 0,
            nothing=f.missing in ("none", "never", "blank"),
        )


NO_MODEL = RecordModel("", Document(Path()), {}, Frame(), {})
"""What stands for the model in a policy that is kept without it."""


def load_model(file: Path) -> RecordModel:
    """The record model of a file, or PolicyError with all its problems."""
    return kept(key_of("model", text_of([file])), lambda: read_model(file))


def read_model(file: Path) -> RecordModel:
    """The record model as its file has it now, or PolicyError."""
    problems: list[Problem] = []
    document = load(file, problems)
    if not problems:
        problems += structure_problems(document, "records")
    if problems:
        raise PolicyError(problems)
    model = build(document)
    problems = list(reference_problems(model))
    if problems:
        raise PolicyError(problems)
    return model


def build(document: Document) -> RecordModel:
    """The model of a document whose structure is right."""
    data = document.data
    relations = {name: relation_model(name, r) for name, r in data["relations"].items()}
    frame = data.get("frame") or {}
    calendars = {
        name: CalendarModel(c["relation"], c["field"], c.get("by") == "week")
        for name, c in (data.get("calendars") or {}).items()
    }
    children: dict[str, tuple[RelationModel, ...]] = {}
    for relation in relations.values():
        if relation.nested is not None:
            parent = relation.nested.parent
            children[parent] = (*children.get(parent, ()), relation)
    return RecordModel(
        title=data.get("title", "Records"),
        document=document,
        relations=relations,
        frame=Frame(frame.get("school"), frame.get("term")),
        calendars=calendars,
        children=children,
    )


def relation_model(name: str, data: Mapping[str, Any]) -> RelationModel:
    """One relation of the document."""
    nested = data.get("nested")
    span, in_order = data.get("span"), data.get("in_order")
    return RelationModel(
        name=name,
        says=data.get("says", ""),
        key=tuple(data.get("key") or ()),
        fields={field_name: field_model(field_name, f) for field_name, f in data["fields"].items()},
        absent=data.get("absent", "unknown"),
        nested=Nested(nested["in"], nested["as"]) if nested else None,
        span=(span[0], span[1]) if span else None,
        in_order=(in_order[0], in_order[1]) if in_order else None,
        exception=ExceptionModel(**data["exception"]) if "exception" in data else None,
    )


def field_model(name: str, data: Mapping[str, Any]) -> Field:
    """One field of the document."""
    type_: Type = "text" if data["type"] == "id" else data["type"]
    return Field(
        name=name,
        type=type_,
        missing=data.get("missing", "required"),
        missing_says=data.get("missing_says", ""),
        to=data.get("to"),
        one_of=tuple(str(v) for v in data.get("one_of", ())),
        minimum=data.get("minimum"),
        maximum=data.get("maximum"),
        unit=data.get("unit", ""),
        says=data.get("says", ""),
        personal=data.get("personal", False),
        special=data.get("special", False),
    )


def reference_problems(model: RecordModel) -> list[Problem]:
    """Names inside the model that name nothing."""
    root = model.document.root
    out: list[Problem] = []

    def known(place: Place, relation: str, names: tuple[str, ...] = ()) -> None:
        if relation not in model.relations:
            message = f"there is no relation `{relation}`"
            out.append(place.problem("unknown-relation", message, nearest(relation, model.relations)))
            return
        for name in names:
            if name not in model.relations[relation].fields:
                message = f"`{relation}` has no field `{name}`"
                hint = nearest(name, model.relations[relation].fields)
                out.append(place.problem("unknown-field", message, hint))

    for name, relation in model.relations.items():
        place = root / "relations" / name
        known(place / "key", name, relation.key)
        known(place / "span", name, relation.span or ())
        known(place / "in_order", name, relation.in_order or ())
        if relation.nested is not None:
            known(place / "nested" / "in", relation.nested.parent)
        out.extend(exception_problems(relation, place / "exception", known))
        for f in relation.fields.values():
            if f.to is not None:
                target, _, target_field = f.to.partition(".")
                known(place / "fields" / f.name / "to", target, (target_field,) if target_field else ())
    for name, calendar in model.calendars.items():
        known(root / "calendars" / name, calendar.relation, (calendar.field,))
    for part in ("school", "term"):
        frame: Mapping[str, str] | None = getattr(model.frame, part)
        if frame:
            fields = tuple(v for k, v in frame.items() if k != "relation")
            known(root / "frame" / part, frame["relation"], fields)
    return out


def exception_problems(
    relation: RelationModel, place: Place, known: Callable[..., None]
) -> Iterator[Problem]:
    """What is wrong with how a relation says that its rows claim exceptions."""
    marks = relation.exception
    if marks is None:
        return
    for mark in marks.__struct_fields__:
        field_name = getattr(marks, mark)
        if field_name is not None:
            known(place / mark, relation.name, (field_name,))
    if len(relation.key) != 1:
        message = f"the rows of `{relation.name}` claim exceptions, and have no key of one field"
        yield place.problem("exception-without-key", message, "give the relation one field as `key`")
    row = relation.fields.get(marks.row)
    if marks.relation is None and row is not None and row.to is None:
        message = f"`{marks.row}` does not say of which relation the row is that an exception is for"
        help_ = "write `to` at that field, or name the field with the relation as `relation`"
        yield (place / "row").problem("exception-for-nothing", message, help_)
