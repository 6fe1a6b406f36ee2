"""The six rules for durable-rules: `with_durable.py OUTDIR` prints the findings, rule TAB key, sorted.

Two rulesets one after the other, since a fact that comes after the one it should have stopped undoes
nothing: the first derives, the second denies, and what it denies with is told to it first. Every fact has
an id of its own, because facts without one are told apart by a 32-bit hash.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

from durable.engine import MessageNotHandledException
from durable.lang import assert_fact, c, m, none, ruleset, when_all

Row = dict[str, Any]
BANNED = {"behaviour_control", "photocopying", "cutting_resources"}
made: list[Row] = []
found: list[tuple[str, str]] = []

with ruleset("derive"):

    @when_all(
        c.p << m.kind == "sheet",
        c.q << (m.kind == "lesson") & (m.lesson == c.p.lesson) & (m.starts > c.p.shared),
    )
    def prepared(c: Any) -> None:
        made.append({"kind": "prepared", "key": c.p.key})

    @when_all(
        c.p << m.kind == "deployment",
        c.q << (m.kind == "training") & (m.learnt == c.p.learnt) & (m.date < c.p.date),
    )
    def trained(c: Any) -> None:
        made.append({"kind": "trained", "key": c.p.key})

    @when_all(c.p << m.kind == "above", c.q << (m.kind == "cover") & (m.staff == c.p.manager))
    def above(c: Any) -> None:
        for fact in new_pairs([(c.p.staff, c.q.manager)]):
            c.assert_fact(fact)

    @when_all(c.p << m.kind == "above", c.q << (m.kind == "sendco") & (m.person == c.p.manager))
    def covered(c: Any) -> None:
        made.append({"kind": "covered", "key": c.p.staff})


with ruleset("deny"):

    @when_all(c.p << m.kind == "log", none((m.kind == "waiver") & (m.lesson == c.p.lesson)))
    def r1(c: Any) -> None:
        found.append(("R1", c.p.key))

    @when_all(c.p << m.kind == "deployed", none((m.kind == "prepared") & (m.key == c.p.key)))
    def r2(c: Any) -> None:
        found.append(("R2", c.p.key))

    @when_all(c.p << m.kind == "deployed", none((m.kind == "trained") & (m.key == c.p.key)))
    def r3(c: Any) -> None:
        found.append(("R3", c.p.key))

    @when_all(
        c.p << m.kind == "needy", c.q << (m.kind == "helped") & (m.slot == c.p.slot) & (m.set < c.p.set)
    )
    def r4(c: Any) -> None:
        found.append(("R4", c.p.key))

    @when_all((m.kind == "feedback") & (m.short > 0))
    def r5(c: Any) -> None:
        found.append(("R5", c.m.key))

    @when_all(c.p << m.kind == "mentor", none((m.kind == "covered") & (m.key == c.p.key)))
    def r6(c: Any) -> None:
        found.append(("R6", c.p.key))


ids = count()
pairs: set[tuple[str, str]] = set()


def new_pairs(those: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """A fact for each pair of person and manager that was not told before: a second one would be refused."""
    for staff, manager in those:
        if (staff, manager) not in pairs:
            pairs.add((staff, manager))
            yield {"kind": "above", "id": next(ids), "staff": staff, "manager": manager}


def tell(name: str, facts: Iterator[Row]) -> None:
    for fact in facts:
        fact.setdefault("id", next(ids))
        with suppress(MessageNotHandledException):  # no rule is waiting for it
            assert_fact(name, fact)


def pair(row: Row) -> str:
    return f"{row['lesson']}|{row['mentor']}"


def main() -> None:
    term: dict[str, list[Row]] = json.loads((Path(sys.argv[1]) / "term.json").read_text(encoding="utf-8"))
    began = perf_counter()
    classes = {x["id"]: x for x in term["classes"]}
    lessons = {x["id"]: x for x in term["lessons"]}
    supported = {d["lesson"] for d in term["deployments"]}

    def slot(lesson: Row) -> str:
        group = classes[lesson["class"]]
        return "|".join(map(str, (lesson["date"], lesson["period"], group["subject"], group["key_stage"])))

    def first() -> Iterator[Row]:
        for x in term["lessons"]:
            yield {"kind": "lesson", "lesson": x["id"], "starts": x["starts_at"]}
        for s in term["planning_sheets"]:
            if s["has_targets"]:
                yield {"kind": "sheet", "lesson": s["lesson"], "key": pair(s), "shared": s["shared_at"]}
        for t in term["training"]:
            yield {"kind": "training", "learnt": f"{t['mentor']}|{t['topic']}", "date": t["date"]}
        for d in term["deployments"]:
            lesson = lessons[d["lesson"]]
            learnt = f"{d['mentor']}|{classes[lesson['class']]['subject']}"
            yield {"kind": "deployment", "key": pair(d), "learnt": learnt, "date": lesson["date"]}
        yield from ({"kind": "sendco", "person": s["id"]} for s in term["staff"] if s["role"] == "SENDCO")
        yield from ({"kind": "cover", "staff": x["staff"], "manager": x["manager"]} for x in term["covers"])
        yield from new_pairs((x["staff"], x["manager"]) for x in term["covers"])

    def second() -> Iterator[Row]:
        yield from made
        yield from ({"kind": "waiver", "lesson": w["lesson"]} for w in term["waivers"] if w["rule"] == "R1")
        given: dict[str, list[bool]] = {}
        for log in term["lesson_logs"]:
            given.setdefault(log["mentor"], []).append(log["feedback_given"])
            if not BANNED.isdisjoint(log["tasks"]):
                yield {"kind": "log", "lesson": log["lesson"], "key": pair(log)}
        yield from ({"kind": "deployed", "key": pair(d)} for d in term["deployments"])
        for x in term["lessons"]:
            group = classes[x["class"]]
            if x["id"] in supported:
                yield {"kind": "helped", "slot": slot(x), "set": group["set_no"]}
            elif group["ehcp_count"] > 0:
                yield {"kind": "needy", "key": x["id"], "slot": slot(x), "set": group["set_no"]}
        for mentor, logs in given.items():
            yield {"kind": "feedback", "key": mentor, "short": len(logs) * 9 - sum(logs) * 10}
        yield from ({"kind": "mentor", "key": x["id"]} for x in term["mentors"])

    stages: tuple[tuple[str, Callable[[], Iterator[Row]]], ...] = (("derive", first), ("deny", second))
    for name, facts in stages:
        tell(name, facts())
    print(perf_counter() - began, file=sys.stderr)
    sys.stdout.write("".join(f"{rule}\t{key}\n" for rule, key in sorted(set(found))))


if __name__ == "__main__":
    main()
