"""The six rules in Rego on rego-cpp: `with_rego.py OUTDIR` prints the findings, rule TAB key, sorted.

Indexed by hand: as people write Rego, each rule compares every row with every other. Recursion is refused, so
R6 walks the graph with graph.reachable. An error comes back as a string.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import regopy

RULES = """
package six

lesson := {x.id: x | some x in input.lessons}
class := {c.id: c | some c in input.classes}
banned := {"behaviour_control", "photocopying", "cutting_resources"}
waived := {w.lesson | some w in input.waivers; w.rule == "R1"}
supported := {d.lesson | some d in input.deployments}
ready := {[s.lesson, s.mentor] |
    some s in input.planning_sheets
    s.has_targets
    s.shared_at < lesson[s.lesson].starts_at
}
trained[m] contains [t.topic, t.date] if { some t in input.training; m := t.mentor }
helped[slot] contains n if {
    some d in input.deployments
    x := lesson[d.lesson]
    c := class[x["class"]]
    slot := concat("|", [x.date, sprintf("%d", [x.period]), c.subject, c.key_stage])
    n := c.set_no
}
given[m] contains i if { some i, g in input.lesson_logs; g.feedback_given; m := g.mentor }
logged[m] contains i if { some i, g in input.lesson_logs; m := g.mentor }
managers := {s.id: [c.manager | some c in input.covers; c.staff == s.id] | some s in input.staff}
sendcos := {s.id | some s in input.staff; s.role == "SENDCO"}

findings contains ["R1", key] if {
    some g in input.lesson_logs
    not g.lesson in waived
    some t in g.tasks
    t in banned
    key := concat("|", [g.lesson, g.mentor])
}
findings contains ["R2", key] if {
    some d in input.deployments
    not [d.lesson, d.mentor] in ready
    key := concat("|", [d.lesson, d.mentor])
}
in_time(d) if {
    x := lesson[d.lesson]
    some t in trained[d.mentor]
    t[0] == class[x["class"]].subject
    t[1] < x.date
}
findings contains ["R3", key] if {
    some d in input.deployments
    not in_time(d)
    key := concat("|", [d.lesson, d.mentor])
}
findings contains ["R4", x.id] if {
    some x in input.lessons
    not x.id in supported
    c := class[x["class"]]
    c.ehcp_count > 0
    slot := concat("|", [x.date, sprintf("%d", [x.period]), c.subject, c.key_stage])
    some n in helped[slot]
    n < c.set_no
}
times(m) := count(given[m]) if given[m]
times(m) := 0 if not given[m]
findings contains ["R5", m] if {
    some m, all in logged
    times(m) * 10 < count(all) * 9
}
findings contains ["R6", m.id] if {
    some m in input.mentors
    above := graph.reachable(managers, managers[m.id])
    count(above & sendcos) == 0
}
"""


def main() -> None:
    rego = regopy.Interpreter()
    rego.add_module("six", RULES)
    rego.set_input_term((Path(sys.argv[1]) / "term.json").read_text(encoding="utf-8"))
    began = perf_counter()
    found = json.loads(str(rego.query("data.six.findings")))["expressions"][0]
    print(perf_counter() - began, file=sys.stderr)
    sys.stdout.write("".join(f"{rule}\t{key}\n" for rule, key in sorted(map(tuple, found))))


if __name__ == "__main__":
    main()
