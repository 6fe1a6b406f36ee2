"""Whether two evaluators agree: what only one of them derives, told by rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from policycheck_engine import Program, Relation, Row
from policycheck_engine.norms import Facts

from policycheck.errors import DisagreementError

SHOWN = 5
"""So many rows are told of each relation."""

OF_A_RULE = {
    "case": "its cases",
    "fails": "the cases that fail",
    "pending": "the cases that are pending",
    "excused": "the cases that are excused",
    "explained": "the cases that are explained",
    "unanswered": "the cases that are unanswered",
    "minor": "the cases that are minor",
    "note": "its notes",
}
POSSIBLE = "?"


def must_agree(program: Program, found: Mapping[str, Facts]) -> None:
    """DisagreementError when two evaluators, by name, have not derived the same facts."""
    (one, these), (other, those) = found.items()
    different = [name for name in these if these[name] != those[name]]
    if not different:
        return
    lines = [f"the engines {one} and {other} do not agree on these records, so nothing was judged"]
    for name in different:
        relation = program.relations[name]
        lines.append(f"    {told(name)}:")
        lines += only(one, relation, these[name] - those[name])
        lines += only(other, relation, those[name] - these[name])
    lines.append("    one of the two is wrong: please report this, with a third engine's result if you can")
    raise DisagreementError("\n".join(lines))


def told(name: str) -> str:
    """A relation in the words of whoever wrote the rules."""
    reading = ", as far as possible" if name.endswith(POSSIBLE) else ""
    kind, colon, rule = name.removesuffix(POSSIBLE).partition(":")
    if not colon:
        return f"definition `{kind}`{reading}"
    return f"rule `{rule}`, {OF_A_RULE[kind]}{reading}"


def only(engine: str, relation: Relation, rows: AbstractSet[Row]) -> Iterator[str]:
    """What only one engine has derived of a relation."""
    if not rows:
        return
    yield f"        only {engine} has {len(rows):,}:"
    for row in sorted(rows, key=repr)[:SHOWN]:
        values = zip(relation.names, row, strict=True)
        yield "            " + ", ".join(f"{k} {'unknown' if v is None else v}" for k, v in values)
    if len(rows) > SHOWN:
        yield "            ..."
