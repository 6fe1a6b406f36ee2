"""The six rules by hand, with the findings that policycheck writes: `with_python.py OUTDIR RESULT`.

The rules are those of the reference. What is added is what somebody who gets a finding wants to know: a
sentence, what to do, and the records that it rests on.
"""

import json
import sys
from calendar import month_name
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "six-rules"))

from reference import BANNED, Row, Term, by_id, pair, r2, r3, r4, r5, r6

BINDS = {"R1": "teachers", "R2": "teachers", "R3": "school", "R4": "school", "R5": "mentors", "R6": "school"}
REMEDIES = {
    "R1": "Give the task to somebody else, or do it after the lesson.",
    "R2": "Share a planning sheet with targets before the lesson.",
    "R3": "Train the mentor in the subject first, or send somebody who is trained.",
    "R4": "Send the mentor to the lower set.",
    "R5": "Ask the mentor for feedback after each lesson, and leave time for it.",
    "R6": "Let somebody cover for the mentor whose own chain reaches a SENDCO.",
}


class Records:
    """The records, and where each of them stands."""

    def __init__(self, term: Term, source: str) -> None:
        self.term, self.source = term, source
        self.rows = {name: by_id(term[name]) for name in ("lessons", "classes", "staff")}
        self.places = {name: {id_: i for i, id_ in enumerate(rows)} for name, rows in self.rows.items()}

    def record(self, relation: str, id_: str) -> Row:
        at = f"/{relation}/{self.places[relation][id_]}"
        return {"relation": relation, "id": id_, "source": self.source, "at": at}


def finding(rule: str, subject: dict[str, str], message: str, records: list[Row]) -> Row:
    key = ",".join(f"{name}={value}" for name, value in subject.items())
    return {
        "id": f"six-rules:{rule}:{key}",
        "rule": rule,
        "clauses": [rule],
        "outcome": "breach",
        "severity": "critical",
        "binds": [BINDS[rule]],
        "subject": subject,
        "message": message,
        "records": records,
        "remedy": REMEDIES[rule],
        "notes": [],
        "missing": [],
        "signatures": [],
        "contradicts": False,
        "cases": {"breach": 1},
    }


def listed(values: list[str]) -> str:
    texts = list(dict.fromkeys(values))
    if len(texts) > 4:
        return ", ".join(texts[:3]) + f" and {len(texts) - 3} more"
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def banned_tasks(records: Records) -> Iterator[Row]:
    waived = {waiver["lesson"] for waiver in records.term["waivers"] if waiver["rule"] == "R1"}
    for log in sorted(records.term["lesson_logs"], key=pair):
        tasks = sorted(BANNED.intersection(log["tasks"]))
        if tasks and log["lesson"] not in waived:
            subject = {"lesson": log["lesson"], "mentor": log["mentor"]}
            yield finding("R1", subject, f"{log['mentor']} did {listed(tasks)} in {log['lesson']}.", [])


def unprepared(records: Records) -> Iterator[Row]:
    for _, key in sorted(r2(records.term)):
        lesson, mentor = key.split("|")
        message = f"{mentor} was in {lesson} without a sheet with targets shared before it."
        yield finding(
            "R2", {"lesson": lesson, "mentor": mentor}, message, [records.record("lessons", lesson)]
        )


def untrained(records: Records) -> Iterator[Row]:
    for _, key in sorted(r3(records.term)):
        lesson, mentor = key.split("|")
        row = records.rows["lessons"][lesson]
        year, month, day = row["date"].split("-")
        subject = records.rows["classes"][row["class"]]["subject"]
        on = f"{int(day)} {month_name[int(month)]} {year}"
        message = f"{mentor} was in {lesson} on {on} without earlier training in {subject}."
        found = [records.record("lessons", lesson), records.record("classes", row["class"])]
        yield finding("R3", {"lesson": lesson, "mentor": mentor}, message, found)


def passed_over(records: Records) -> Iterator[Row]:
    lessons, classes = records.rows["lessons"], records.rows["classes"]

    def slot(lesson: Row) -> tuple[Any, ...]:
        group = classes[lesson["class"]]
        return lesson["date"], lesson["period"], group["subject"], group["key_stage"]

    supported = defaultdict(list)
    for deployment in records.term["deployments"]:
        lesson = lessons[deployment["lesson"]]
        set_no = classes[lesson["class"]]["set_no"]
        supported[slot(lesson)].append((set_no, deployment["lesson"], deployment["mentor"]))
    for _, key in sorted(r4(records.term)):
        own = classes[lessons[key]["class"]]["set_no"]
        same_slot = supported[slot(lessons[key])]
        higher = sorted((lesson, mentor) for set_no, lesson, mentor in same_slot if set_no < own)
        others = list(dict.fromkeys(lesson for lesson, _ in higher))
        mentors = listed([mentor for _, mentor in higher])
        message = f"{key} (set {own}) had no mentor while {mentors} was in {listed(others)}."
        found = [records.record("lessons", id_) for id_ in (key, *others)]
        yield finding("R4", {"lesson": key}, message, found[:20])


def no_feedback(records: Records) -> Iterator[Row]:
    logs = defaultdict(list)
    for log in records.term["lesson_logs"]:
        logs[log["mentor"]].append(log["feedback_given"])
    for _, mentor in sorted(r5(records.term)):
        share = sum(logs[mentor]) / len(logs[mentor])
        message = f"{mentor} gave feedback in a share of {share:.4g} of the logs."
        yield finding("R5", {"mentor": mentor}, message, [])


def not_covered(records: Records) -> Iterator[Row]:
    for _, mentor in sorted(r6(records.term)):
        message = f"{mentor} has no SENDCO anywhere up the chain of cover."
        found = [records.record("staff", mentor)] if mentor in records.rows["staff"] else []
        yield finding("R6", {"mentor": mentor}, message, found)


def main() -> None:
    source = Path(sys.argv[1]) / "term.json"
    records = Records(json.loads(source.read_text(encoding="utf-8")), source.as_posix())
    rules = (banned_tasks, unprepared, untrained, passed_over, no_feedback, not_covered)
    found = [one for rule in rules for one in rule(records)]
    Path(sys.argv[2]).write_text(json.dumps({"findings": found}, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
