"""JSON Schemas (draft 2020-12): of a term file, from the record model, of the files of a policy, and of
a result."""

from __future__ import annotations

from typing import Any

from policycheck_engine import nearest

from policycheck.errors import UsageError
from policycheck.policy.find import find_pack, shipped
from policycheck.policy.load import load_policy, model_of
from policycheck.policy.model import Policy
from policycheck.records.model import Field, RecordModel, RelationModel, load_model
from policycheck.structure import schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAMES = (
    *("term", "settings", "policy", "section", "records", "scene", "scenario"),
    *("questionnaire", "findings", "diff", "lint", "trust"),
)

FORMS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "int": {"type": "integer"},
    "decimal": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    "time": {"type": "string", "pattern": r"^\d{2}:\d{2}(:\d{2})?$"},
    "datetime": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?$"},
}


def named_schema(name: str, policy: str | None) -> dict[str, Any]:
    """The schema of that name; those of a term and of sections know the relations of a policy."""
    if name not in NAMES:
        raise UsageError(f"there is no schema `{name}`; {nearest(name, NAMES)}")
    if name == "term":
        folder = find_pack(policy, None).versions[-1][1] if policy else None
        return term_schema(model_of(folder) if folder else load_model(shipped() / "records.yaml"))
    if name == "section" and policy:
        return section_schema(load_policy(find_pack(policy, None).versions[-1][1]))
    if name == "diff":
        made = schema("diff")
        return {**made, "$defs": {**made["$defs"], **schema("findings")["$defs"]}}
    return schema(name)


def term_schema(model: RecordModel) -> dict[str, Any]:
    """The schema of a term file of a record model."""
    return {
        "$schema": DRAFT,
        "title": model.title,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"type": "array", "description": r.says, "items": {"$ref": f"#/$defs/{name}"}}
            for name, r in model.relations.items()
        },
        "$defs": {name: row_schema(r, model) for name, r in model.relations.items()},
    }


def row_schema(
    relation: RelationModel, model: RecordModel, leave_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The schema of one row; `leave_out` are the fields that its parent already has."""
    fields = {name: f for name, f in relation.fields.items() if name not in leave_out}
    properties = {name: field_schema(f) for name, f in fields.items()}
    for child in model.children.get(relation.name, ()):
        assert child.nested is not None
        properties[child.nested.name] = nested_schema(child, model)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, f in fields.items() if f.missing == "required"],
        "properties": properties,
    }


def nested_schema(child: RelationModel, model: RecordModel) -> dict[str, Any]:
    """The schema of the rows of a child inside its parent: objects, or bare values when one field is left."""
    keys = model.parent_keys(child)
    row = row_schema(child, model, keys)
    own = [f for name, f in child.fields.items() if name not in keys]
    items = {"anyOf": [field_schema(own[0]), row]} if len(own) == 1 else row
    return {"type": ["array", "null"], "description": child.says, "items": items}


def field_schema(f: Field) -> dict[str, Any]:
    """The schema of one field."""
    form = dict(FORMS[f.type])
    if f.one_of:
        form["enum"] = list(f.one_of)
    for key, value in (("minimum", f.minimum), ("maximum", f.maximum)):
        if value is not None:
            form[key] = value
    if f.missing != "required":
        form["type"] = [form["type"], "null"]
        if "enum" in form:
            form["enum"] = [*form["enum"], None]
    said = [
        f.says,
        f.unit and f"in {f.unit}",
        f.to and f"found in {f.to}",
        f.missing_says and f"null: {f.missing_says}",
    ]
    description = "; ".join(s for s in said if s)
    return {**form, "description": description} if description else form


def section_schema(policy: Policy) -> dict[str, Any]:
    """The schema of a section file whose bodies know the relations and definitions of a policy."""
    made = dict(schema("section"))
    names = {name: (r.says, list(r.fields)) for name, r in policy.model.relations.items()}
    names |= {d.name: (d.means, list(d.gives)) for d in policy.definitions.values()}
    relations = {
        name: {
            "type": "object",
            "description": says,
            "properties": {f: {} for f in fields},
            "additionalProperties": False,
        }
        for name, (says, fields) in names.items()
    }
    one = {"type": "object", "properties": relations}
    defs = dict(made["$defs"])
    defs["body"] = {**defs["body"], "anyOf": [one, {"type": "array", "items": one}]}
    return {**made, "$defs": defs}
