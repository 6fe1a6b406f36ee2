"""Make the records of a term for the six rules: `generate.py DEPLOYMENTS OUTDIR [--seed 7]`.

Writes OUTDIR/term.json and one OUTDIR/<relation>.ndjson a relation. The same number and seed give the same
bytes. Among the rows are the cases on which implementations differ: sheets shared at the very start of a
lesson, a late sheet beside one in time, sheets without targets, training on the day of the lesson, waivers
for another rule, logs with two banned tasks, and, among those who cover for each other, cycles and people
with two managers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import TypeAlias

Row: TypeAlias = dict[str, "str | int | bool | list[str]"]
Term: TypeAlias = dict[str, list[Row]]

SUBJECTS = ["Maths", "English", "Science", "History", "Geography", "French",
            "Spanish", "Art", "Music", "PE", "Computing", "DT"]  # fmt: skip
KEY_STAGES = ["KS3", "KS4", "KS5"]
PERIOD_STARTS = [time(8, 50), time(9, 50), time(11, 5), time(12, 5), time(13, 50), time(14, 50)]
BANNED = ["behaviour_control", "photocopying", "cutting_resources"]
GOOD = ["one_to_one", "small_group", "questioning", "reading_aloud", "scaffolding",
        "feedback", "vocab_preteach", "note_taking"]  # fmt: skip
MENTORS_PER_SCHOOL = 40


@dataclass(frozen=True)
class SchoolClass:
    """A teaching group; its set is 1 for the highest."""

    id: str
    subject: str
    key_stage: str
    set_no: int
    ehcp_count: int


@dataclass(frozen=True)
class Lesson:
    """A class in a period (1 to 6) of a day."""

    id: str
    group: SchoolClass
    teacher: str
    day: date
    period: int

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.day, PERIOD_STARTS[self.period - 1])

    def row(self) -> Row:
        return {"id": self.id, "class": self.group.id, "teacher": self.teacher, "date": self.day.isoformat(),
                "period": self.period, "starts_at": self.starts_at.isoformat()}  # fmt: skip


@dataclass(frozen=True)
class Deployment:
    """A mentor, by number, in a lesson."""

    lesson: Lesson
    mentor: int

    def row(self, **more: str | bool | list[str]) -> Row:
        return {"lesson": self.lesson.id, "mentor": mentor_id(self.mentor), **more}


def mentor_id(number: int) -> str:
    return f"M{number:05d}"


def make_term(deployments: int, seed: int = 7) -> Term:
    """All relations of a term with this many deployments, in the order in which they are written."""
    random = Random(seed)
    mentor_count = max(12, deployments // 150)
    mentors: list[Row] = [
        {"id": mentor_id(number), "skills": sorted(random.sample(SUBJECTS, random.randint(1, 4)))}
        for number in range(mentor_count)
    ]
    staff, covers = make_staff(random, mentor_count)
    blocks = list(make_blocks(random, max(36, deployments // 80)))
    days = school_days(deployments)
    lessons, placed = make_lessons(random, deployments, mentor_count, blocks, days)
    sheets, logs, waivers = make_paperwork(random, mentor_count, placed)
    return {
        "mentors": mentors,
        "classes": [dict(vars(group)) for block in blocks for group in block],
        "lessons": [lesson.row() for lesson in lessons],
        "deployments": [deployment.row() for deployment in placed],
        "planning_sheets": sheets,
        "lesson_logs": logs,
        "training": list(make_training(random, mentor_count, days)),
        "waivers": waivers,
        "staff": staff,
        "covers": covers,
    }


def make_staff(random: Random, mentor_count: int) -> tuple[list[Row], list[Row]]:
    """Who works there and who covers whom: a hierarchy for every forty mentors."""
    staff: list[Row] = [{"id": mentor_id(number), "role": "MENTOR"} for number in range(mentor_count)]
    covers: list[Row] = []
    for school in range(-(-mentor_count // MENTORS_PER_SCHOOL)):
        head, sendco, hod, assistant = (f"{letter}{school:04d}" for letter in "HSDA")
        leads = [f"L{school:04d}{number}" for number in range(5)]
        staff += [{"id": head, "role": "HEAD"}, {"id": sendco, "role": "SENDCO"},
                  {"id": hod, "role": "HOD"}, {"id": assistant, "role": "ASSISTANT_HEAD"}]  # fmt: skip
        staff += [{"id": lead, "role": "LEAD_MENTOR"} for lead in leads]
        covers += [
            {"manager": manager, "staff": managed}
            for manager, managed in [
                (head, assistant), (assistant, sendco), (assistant, hod), (sendco, leads[0]),
                (leads[0], leads[1]), (leads[1], leads[2]), (hod, leads[3]), (sendco, leads[4]),
                (leads[4], leads[1]),  # a second manager
                (leads[2], leads[0]),  # closes a cycle of three
            ]
        ]  # fmt: skip
        first = school * MENTORS_PER_SCHOOL
        for number in range(first, min(mentor_count, first + MENTORS_PER_SCHOOL)):
            if manager := draw_manager(random, leads, hod):
                covers.append({"manager": manager, "staff": mentor_id(number)})
    return staff, covers


def draw_manager(random: Random, leads: list[str], hod: str) -> str | None:
    chance = random.random()
    if chance < 0.88:
        return leads[random.choice((0, 1, 2, 4))]
    if chance < 0.95:
        return leads[3]
    return hod if chance < 0.98 else None


def make_blocks(random: Random, count: int) -> Iterator[list[SchoolClass]]:
    """Blocks of two to five parallel sets of one subject and key stage."""
    made = 0
    for number in range(count):
        subject, key_stage = SUBJECTS[number % 12], KEY_STAGES[number // 12 % 3]
        block = []
        for set_no in range(1, random.randint(2, 5) + 1):
            ehcp_count = 0 if random.random() < 0.35 else random.randint(1, 1 + set_no)
            block.append(SchoolClass(f"C{made:06d}", subject, key_stage, set_no, ehcp_count))
            made += 1
        yield block


def school_days(deployments: int) -> list[date]:
    """Weekdays, enough of them that as many lessons run at once as in a school."""
    day = date(2025, 9, 3) if deployments <= 50_000 else date(2018, 9, 3)
    days: list[date] = []
    while len(days) < max(65, deployments // 500):
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(1)
    return days


def make_lessons(
    random: Random, deployments: int, mentor_count: int, blocks: list[list[SchoolClass]], days: list[date]
) -> tuple[list[Lesson], list[Deployment]]:
    """Whole blocks at a time, until there are as many deployments as asked for."""
    lessons: list[Lesson] = []
    placed: list[Deployment] = []
    while len(placed) < deployments:
        day = days[random.randint(0, len(days) - 1)]
        period, block = random.randint(1, 6), random.choice(blocks)
        for group in block:
            teacher = f"T{random.randint(0, mentor_count):05d}"
            lesson = Lesson(f"L{len(lessons):08d}", group, teacher, day, period)
            lessons.append(lesson)
            left = deployments - len(placed)
            if left and random.random() < 0.50 + 0.09 * group.set_no:
                chosen = draw_mentors(random, mentor_count, left)
                placed += [Deployment(lesson, mentor) for mentor in chosen]
    return lessons, placed


def draw_mentors(random: Random, mentor_count: int, most: int) -> list[int]:
    """One mentor, at times two or three; one who is drawn twice comes once."""
    chosen: list[int] = []
    for _ in range(1 if random.random() < 0.75 else random.randint(2, 3)):
        if len(chosen) == most:
            break
        mentor = random.randint(0, mentor_count - 1)
        if mentor not in chosen:
            chosen.append(mentor)
    return chosen


def make_paperwork(
    random: Random, mentor_count: int, placed: list[Deployment]
) -> tuple[list[Row], list[Row], list[Row]]:
    """Planning sheets for about 85% of the deployments, logs for about 95%, and waivers."""
    sheets: list[Row] = []
    logs: list[Row] = []
    waivers: list[Row] = []
    diligent = [random.random() < 0.8 for _ in range(mentor_count)]
    waived: set[str] = set()
    for deployment in placed:
        if random.random() < 0.85:
            sheets += make_sheets(random, deployment)
        if random.random() < 0.95:
            tasks, waiver = draw_tasks(random, deployment.lesson.id, waived)
            if waiver:
                waivers.append({"rule": waiver, "lesson": deployment.lesson.id})
            feedback = random.random() < (0.955 if diligent[deployment.mentor] else 0.86)
            logs.append(deployment.row(tasks=tasks, feedback_given=feedback))
    return sheets, logs, waivers


def make_sheets(random: Random, deployment: Deployment) -> Iterator[Row]:
    """One sheet, in time, at the very start or late; a late one may be followed by one in time."""

    def sheet(minutes_before: int, has_targets: bool) -> Row:
        shared_at = deployment.lesson.starts_at - timedelta(minutes=minutes_before)
        return deployment.row(shared_at=shared_at.isoformat(), has_targets=has_targets)

    chance = random.random()
    if chance < 0.90:
        minutes_before = random.randint(5, 7 * 1440)
    else:
        minutes_before = 0 if chance < 0.91 else -random.randint(1, 2000)
    if chance >= 0.97:
        yield sheet(minutes_before, has_targets=True)
        minutes_before = random.randint(5, 3000)
    yield sheet(minutes_before, has_targets=random.random() < 0.93)


def draw_tasks(random: Random, lesson: str, waived: set[str]) -> tuple[list[str], str | None]:
    """The tasks of a log, and the rule that its lesson is to have a waiver for."""
    tasks = random.sample(GOOD, random.randint(1, 3))
    chance = random.random()
    if chance >= 0.05:
        return tasks, None
    tasks.insert(random.randint(0, len(tasks)), random.choice(BANNED))
    if chance < 0.01:
        tasks.append(random.choice(BANNED))
    if random.random() < 0.2 and lesson not in waived:
        waived.add(lesson)
        return tasks, "R1"
    return tasks, "R4" if random.random() < 0.1 else None


def make_training(random: Random, mentor_count: int, days: list[date]) -> Iterator[Row]:
    """Most subjects for every mentor, most of them before the term, and some of them twice."""
    for number in range(mentor_count):
        for topic in SUBJECTS:
            chance = random.random()
            if chance >= 0.86:
                continue
            early = chance < 0.72
            day = days[0] - timedelta(random.randint(1, 400)) if early else random.choice(days)
            yield {"mentor": mentor_id(number), "topic": topic, "date": day.isoformat()}
            if random.random() < 0.1:
                yield {"mentor": mentor_id(number), "topic": topic, "date": random.choice(days).isoformat()}


def write_term(term: Term, folder: Path) -> None:
    """Write a term as one JSON file and as one NDJSON file a relation."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "term.json").write_text(as_json(term), encoding="utf-8")
    for relation, rows in term.items():
        with (folder / f"{relation}.ndjson").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{as_json(row)}\n" for row in rows)


def as_json(value: Term | Row) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the records of a term for the six rules.")
    parser.add_argument("deployments", type=int, help="how many deployments, 1 or more")
    parser.add_argument("outdir", type=Path, help="the folder to write to")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    write_term(make_term(asked.deployments, asked.seed), asked.outdir)


if __name__ == "__main__":
    main()
