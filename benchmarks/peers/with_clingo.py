"""The six rules for clingo: `with_clingo.py OUTDIR` prints the findings, rule TAB key, sorted.

Ids go in as quoted strings and times as integers, since clingo compares unlike things without a word and
its integers wrap at 32 bits.
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import clingo

RULES = """
waived(L) :- waiver("R1",L).
finding("R1",L,M) :- task(L,M,T), banned(T), not waived(L).
prepared(L,M) :- sheet(L,M,S), lesson(L,_,_,_,B), S < B.
finding("R2",L,M) :- deployment(L,M), not prepared(L,M).
needs(L,M,S,D) :- deployment(L,M), lesson(L,C,D,_,_), class(C,S,_,_,_).
trained(L,M) :- needs(L,M,S,D), training(M,S,E), E < D.
finding("R3",L,M) :- deployment(L,M), not trained(L,M).
supported(L) :- deployment(L,_).
helped(D,P,S,K,N) :- supported(L), lesson(L,C,D,P,_), class(C,S,K,N,_).
finding("R4",L,"") :- lesson(L,C,D,P,_), class(C,S,K,N,E), E > 0, not supported(L), helped(D,P,S,K,X), X < N.
finding("R5",M,"") :- total(M,A), given(M,G), G*10 < A*9.
above(S,M) :- cover(M,S).
above(S,N) :- above(S,M), cover(N,M).
covered(M) :- above(M,X), sendco(X).
finding("R6",M,"") :- mentor(M), not covered(M).
banned("behaviour_control"). banned("photocopying"). banned("cutting_resources").
#show finding/3.
"""


def minutes(text: str) -> int:
    """A moment as minutes since 2000: they fit into 32 bits."""
    return int((datetime.fromisoformat(text) - datetime(2000, 1, 1)).total_seconds()) // 60


def facts(term: dict[str, list[dict[str, Any]]]) -> str:
    q = json.dumps
    out: list[str] = []
    for d in term["deployments"]:
        out.append(f"deployment({q(d['lesson'])},{q(d['mentor'])}).")
    for x in term["lessons"]:
        day, start = minutes(x["date"]), minutes(x["starts_at"])
        out.append(f"lesson({q(x['id'])},{q(x['class'])},{day},{x['period']},{start}).")
    for c in term["classes"]:
        place = f"{q(c['subject'])},{q(c['key_stage'])}"
        out.append(f"class({q(c['id'])},{place},{c['set_no']},{c['ehcp_count']}).")
    for s in term["planning_sheets"]:
        if s["has_targets"]:
            out.append(f"sheet({q(s['lesson'])},{q(s['mentor'])},{minutes(s['shared_at'])}).")
    given: dict[str, list[bool]] = {}
    for log in term["lesson_logs"]:
        given.setdefault(log["mentor"], []).append(log["feedback_given"])
        out += [f"task({q(log['lesson'])},{q(log['mentor'])},{q(t)})." for t in log["tasks"]]
    for mentor, logs in given.items():
        out.append(f"total({q(mentor)},{len(logs)}). given({q(mentor)},{sum(logs)}).")
    out += [f"training({q(t['mentor'])},{q(t['topic'])},{minutes(t['date'])})." for t in term["training"]]
    out += [f"waiver({q(w['rule'])},{q(w['lesson'])})." for w in term["waivers"]]
    out += [f"cover({q(c['manager'])},{q(c['staff'])})." for c in term["covers"]]
    out += [f"sendco({q(s['id'])})." for s in term["staff"] if s["role"] == "SENDCO"]
    out += [f"mentor({q(m['id'])})." for m in term["mentors"]]
    return "\n".join(out)


def main() -> None:
    term = json.loads((Path(sys.argv[1]) / "term.json").read_text(encoding="utf-8"))
    began = perf_counter()
    control = clingo.Control(["--warn=none"])
    control.add("base", [], RULES + facts(term))
    control.ground([("base", [])])
    found: list[tuple[str, str]] = []

    def take(model: clingo.Model) -> None:
        for symbol in model.symbols(shown=True):
            rule, first, second = (a.string for a in symbol.arguments)
            found.append((rule, f"{first}|{second}" if second else first))

    control.solve(on_model=take)
    print(perf_counter() - began, file=sys.stderr)
    sys.stdout.write("".join(f"{rule}\t{key}\n" for rule, key in sorted(found)))


if __name__ == "__main__":
    main()
