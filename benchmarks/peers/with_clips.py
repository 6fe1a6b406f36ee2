"""The six rules for CLIPS: `with_clips.py OUTDIR` prints the findings, rule TAB key, sorted.

What derives stands at a higher salience than what denies it: CLIPS does not take back a finding when a fact
comes later that should have prevented it.
"""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import clips

TEMPLATES = """
(deftemplate deployment (slot lesson) (slot mentor))
(deftemplate lesson (slot id) (slot class) (slot date) (slot period) (slot starts))
(deftemplate class (slot id) (slot subject) (slot ks) (slot set) (slot ehcp))
(deftemplate sheet (slot lesson) (slot mentor) (slot shared))
(deftemplate banned-log (slot lesson) (slot mentor))
(deftemplate training (slot mentor) (slot topic) (slot date))
(deftemplate waiver (slot rule) (slot lesson))
(deftemplate cover (slot manager) (slot staff))
(deftemplate sendco (slot id))
(deftemplate mentor (slot id))
(deftemplate feedback (slot mentor) (slot given) (slot all))
(deftemplate prepared (slot lesson) (slot mentor))
(deftemplate trained (slot lesson) (slot mentor))
(deftemplate helped (slot date) (slot period) (slot subject) (slot ks) (slot set))
(deftemplate above (slot staff) (slot manager))
(deftemplate covered (slot id))
(deftemplate finding (slot rule) (slot key))
"""

RULES = [
    """(defrule prepared (declare (salience 10))
    (sheet (lesson ?l) (mentor ?m) (shared ?s)) (lesson (id ?l) (starts ?b&:(< (str-compare ?s ?b) 0)))
    => (assert (prepared (lesson ?l) (mentor ?m))))""",
    """(defrule trained (declare (salience 10))
    (deployment (lesson ?l) (mentor ?m)) (lesson (id ?l) (class ?c) (date ?d)) (class (id ?c) (subject ?s))
    (training (mentor ?m) (topic ?s) (date ?e&:(< (str-compare ?e ?d) 0)))
    => (assert (trained (lesson ?l) (mentor ?m))))""",
    """(defrule helped (declare (salience 10))
    (deployment (lesson ?l)) (lesson (id ?l) (class ?c) (date ?d) (period ?p))
    (class (id ?c) (subject ?s) (ks ?k) (set ?n))
    => (assert (helped (date ?d) (period ?p) (subject ?s) (ks ?k) (set ?n))))""",
    """(defrule above (declare (salience 10)) (cover (manager ?m) (staff ?s))
    => (assert (above (staff ?s) (manager ?m))))""",
    """(defrule higher (declare (salience 10)) (above (staff ?s) (manager ?m)) (cover (manager ?n) (staff ?m))
    => (assert (above (staff ?s) (manager ?n))))""",
    """(defrule covered (declare (salience 10)) (above (staff ?s) (manager ?m)) (sendco (id ?m))
    => (assert (covered (id ?s))))""",
    """(defrule r1 (banned-log (lesson ?l) (mentor ?m)) (not (waiver (rule "R1") (lesson ?l)))
    => (assert (finding (rule "R1") (key (str-cat ?l "|" ?m)))))""",
    """(defrule r2 (deployment (lesson ?l) (mentor ?m)) (not (prepared (lesson ?l) (mentor ?m)))
    => (assert (finding (rule "R2") (key (str-cat ?l "|" ?m)))))""",
    """(defrule r3 (deployment (lesson ?l) (mentor ?m)) (not (trained (lesson ?l) (mentor ?m)))
    => (assert (finding (rule "R3") (key (str-cat ?l "|" ?m)))))""",
    """(defrule r4 (lesson (id ?l) (class ?c) (date ?d) (period ?p))
    (class (id ?c) (subject ?s) (ks ?k) (set ?n) (ehcp ?e&:(> ?e 0))) (not (deployment (lesson ?l)))
    (exists (helped (date ?d) (period ?p) (subject ?s) (ks ?k) (set ?x&:(< ?x ?n))))
    => (assert (finding (rule "R4") (key ?l))))""",
    """(defrule r5 (feedback (mentor ?m) (given ?g) (all ?a)) (test (< (* ?g 10) (* ?a 9)))
    => (assert (finding (rule "R5") (key ?m))))""",
    """(defrule r6 (mentor (id ?m)) (not (covered (id ?m))) => (assert (finding (rule "R6") (key ?m))))""",
]

BANNED = {"behaviour_control", "photocopying", "cutting_resources"}


def main() -> None:
    term: dict[str, list[dict[str, Any]]] = json.loads(
        (Path(sys.argv[1]) / "term.json").read_text(encoding="utf-8")
    )
    began = perf_counter()
    env = clips.Environment()
    for line in TEMPLATES.strip().splitlines():
        env.build(line)
    for rule in RULES:
        env.build(rule)

    def put(template: str, **slots: Any) -> None:
        env.find_template(template).assert_fact(**slots)

    for d in term["deployments"]:
        put("deployment", lesson=d["lesson"], mentor=d["mentor"])
    for x in term["lessons"]:
        place = {"id": x["id"], "class": x["class"], "period": x["period"]}
        put("lesson", **place, date=x["date"], starts=x["starts_at"])
    for c in term["classes"]:
        block = {"id": c["id"], "subject": c["subject"], "ks": c["key_stage"]}
        put("class", **block, set=c["set_no"], ehcp=c["ehcp_count"])
    for s in term["planning_sheets"]:
        if s["has_targets"]:
            put("sheet", lesson=s["lesson"], mentor=s["mentor"], shared=s["shared_at"])
    given: dict[str, list[bool]] = {}
    for log in term["lesson_logs"]:
        given.setdefault(log["mentor"], []).append(log["feedback_given"])
        if not BANNED.isdisjoint(log["tasks"]):
            put("banned-log", lesson=log["lesson"], mentor=log["mentor"])
    for mentor, logs in given.items():
        put("feedback", mentor=mentor, given=sum(logs), all=len(logs))
    for t in term["training"]:
        put("training", mentor=t["mentor"], topic=t["topic"], date=t["date"])
    for w in term["waivers"]:
        put("waiver", rule=w["rule"], lesson=w["lesson"])
    for c in term["covers"]:
        put("cover", manager=c["manager"], staff=c["staff"])
    for s in term["staff"]:
        if s["role"] == "SENDCO":
            put("sendco", id=s["id"])
    for m in term["mentors"]:
        put("mentor", id=m["id"])
    env.run()
    found = sorted({(f["rule"], f["key"]) for f in env.facts() if f.template.name == "finding"})
    print(perf_counter() - began, file=sys.stderr)
    sys.stdout.write("".join(f"{rule}\t{key}\n" for rule, key in found))


if __name__ == "__main__":
    main()
