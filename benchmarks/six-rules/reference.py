"""The six rules by hand: `reference.py OUTDIR` prints the findings of OUTDIR/term.json, rule TAB key, sorted.

What a school's data manager who knows some Python would write. The rules of this folder are compared with it.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Term: TypeAlias = dict[str, list[Row]]
Finding: TypeAlias = tuple[str, str]

BANNED = {"behaviour_control", "photocopying", "cutting_resources"}


def evaluate(term: Term) -> set[Finding]:
    """The findings of all six rules: (rule, key), the key a lesson, a mentor or both with a bar between."""
    return {finding for rule in (r1, r2, r3, r4, r5, r6) for finding in rule(term)}


def r1(term: Term) -> Iterator[Finding]:
    """A log has a banned task, and its lesson has no waiver for that."""
    waived = {waiver["lesson"] for waiver in term["waivers"] if waiver["rule"] == "R1"}
    for log in term["lesson_logs"]:
        if log["lesson"] not in waived and not BANNED.isdisjoint(log["tasks"]):
            yield "R1", pair(log)


def r2(term: Term) -> Iterator[Finding]:
    """A deployment without a sheet with targets that was shared before the lesson."""
    starts_at = {lesson["id"]: lesson["starts_at"] for lesson in term["lessons"]}
    prepared = {
        pair(sheet)
        for sheet in term["planning_sheets"]
        if sheet["has_targets"] and sheet["shared_at"] < starts_at[sheet["lesson"]]
    }
    for deployment in term["deployments"]:
        if pair(deployment) not in prepared:
            yield "R2", pair(deployment)


def r3(term: Term) -> Iterator[Finding]:
    """A mentor in a subject without training in it on an earlier day."""
    first: dict[tuple[str, str], str] = {}
    for training in term["training"]:
        learnt = (training["mentor"], training["topic"])
        first[learnt] = min(training["date"], first.get(learnt, training["date"]))
    classes = by_id(term["classes"])
    lessons = by_id(term["lessons"])
    for deployment in term["deployments"]:
        lesson = lessons[deployment["lesson"]]
        trained_on = first.get((deployment["mentor"], classes[lesson["class"]]["subject"]))
        if trained_on is None or trained_on >= lesson["date"]:
            yield "R3", pair(deployment)


def r4(term: Term) -> Iterator[Finding]:
    """A set with EHCP pupils and no mentor, while a higher set has one."""
    classes = by_id(term["classes"])
    supported = {deployment["lesson"] for deployment in term["deployments"]}

    def slot(lesson: Row) -> tuple[str, int, str, str]:
        group = classes[lesson["class"]]
        return lesson["date"], lesson["period"], group["subject"], group["key_stage"]

    highest: dict[tuple[str, int, str, str], int] = {}
    for lesson in term["lessons"]:
        if lesson["id"] in supported:
            set_no = classes[lesson["class"]]["set_no"]
            highest[slot(lesson)] = min(set_no, highest.get(slot(lesson), set_no))
    for lesson in term["lessons"]:
        group = classes[lesson["class"]]
        overlooked = highest.get(slot(lesson), group["set_no"]) < group["set_no"]
        if overlooked and group["ehcp_count"] > 0 and lesson["id"] not in supported:
            yield "R4", lesson["id"]


def r5(term: Term) -> Iterator[Finding]:
    """A mentor who gave feedback in fewer than nine of ten logs."""
    logs: dict[str, list[bool]] = defaultdict(list)
    for log in term["lesson_logs"]:
        logs[log["mentor"]].append(log["feedback_given"])
    for mentor, given in logs.items():
        if sum(given) * 10 < len(given) * 9:
            yield "R5", mentor


def r6(term: Term) -> Iterator[Finding]:
    """A mentor with no SENDCO anywhere up the chain of cover."""
    managers: dict[str, list[str]] = defaultdict(list)
    for cover in term["covers"]:
        managers[cover["staff"]].append(cover["manager"])
    sendcos = {person["id"] for person in term["staff"] if person["role"] == "SENDCO"}
    for mentor in term["mentors"]:
        above: set[str] = set()
        ahead = list(managers[mentor["id"]])
        while ahead:
            manager = ahead.pop()
            if manager not in above:
                above.add(manager)
                ahead += managers[manager]
        if above.isdisjoint(sendcos):
            yield "R6", mentor["id"]


def pair(row: Row) -> str:
    return f"{row['lesson']}|{row['mentor']}"


def by_id(rows: list[Row]) -> dict[str, Row]:
    return {row["id"]: row for row in rows}


def main() -> None:
    term: Term = json.loads((Path(sys.argv[1]) / "term.json").read_text(encoding="utf-8"))
    began = perf_counter()
    found = sorted(evaluate(term))
    print(perf_counter() - began, file=sys.stderr)
    for rule, key in found:
        print(rule, key, sep="\t")


if __name__ == "__main__":
    main()
