"""Whether a YAML document has the shape it must have, told in the words of its author.

The shapes are JSON Schemas (draft 2020-12) in `schemas/`; editors use the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from policycheck_engine import nearest

from policycheck.errors import Problem
from policycheck.yamlfile import Document, Place

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


@cache
def schema(name: str) -> dict[str, Any]:
    """A JSON Schema by name: records, policy, section, scene, scenario, settings, questionnaire, findings,
    diff, lint, trust."""
    from importlib import resources

    text = resources.files("policycheck").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema(name))


def structure_problems(document: Document, name: str) -> list[Problem]:
    """All places where a document differs from its schema."""
    errors = validator(name).iter_errors(document.data)
    found = dict.fromkeys(problem for error in errors for problem in explained(error, document.root))
    return sorted(found, key=lambda p: [int(n) for n in p.where.split(":")])


def explained(error: Any, root: Place) -> Iterator[Problem]:
    """One schema error as problems at their places."""
    if error.context and error.validator in ("anyOf", "oneOf"):
        yield from explained(_likeliest(error), root)
        return
    place = Place(root.document, tuple(error.absolute_path))
    value, rule = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            allowed = error.schema.get("properties", {})
            for key in value:
                if key not in allowed:
                    hint = nearest(key, allowed)
                    yield (place / key).problem(
                        "unknown-key", f"there is no key `{key}` here", hint, key=True
                    )
        case "required":
            missing = [key for key in rule if key not in value]
            for key in missing:
                yield place.problem("missing-key", f"`{key}` is missing here", f"add `{key}: ...`")
        case "enum":
            words = [str(v) for v in rule]
            yield place.problem(
                "wrong-word", f"`{value}` is not one of the words", nearest(str(value), words)
            )
        case "type":
            names = {
                "object": "a mapping",
                "array": "a list",
                "string": "a text",
                "integer": "a whole number",
            }
            wanted = [rule] if isinstance(rule, str) else rule
            yield place.problem(
                "wrong-kind",
                f"`{_short(value)}` stands here",
                f"write {' or '.join(names.get(w, w) for w in wanted)}",
            )
        case "pattern":
            yield place.problem("wrong-form", f"`{value}` has not the form `{rule}`", "")
        case "not" | "oneOf" | "anyOf":
            yield place.problem("wrong-form", error.schema.get("description", "this cannot stand here"), "")
        case "minItems" | "minProperties":
            yield place.problem("empty", "there must be something here", "")
        case _:
            yield place.problem("wrong-form", error.message, "")


def _likeliest(error: Any) -> Any:
    """Of several ways to be right, the one that came nearest."""
    context = error.context or [error]
    return max(context, key=lambda e: (len(e.absolute_path), e.validator != "type"))


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 40 else text[:37] + "..."
