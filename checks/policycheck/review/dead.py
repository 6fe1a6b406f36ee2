"""Rules that can never apply, and rules that can never be breached.

The examples show most rules at work; for the rest, attested clauses among them, the solver looks for records.
"""

from __future__ import annotations

from dataclasses import dataclass

from policycheck_engine import readings
from policycheck_engine.breaches import APPLIES, BREACH

from policycheck.review.bench import Bench
from policycheck.review.sides import Records, Side, Small, small


@dataclass(frozen=True, slots=True)
class Dead:
    """A rule that never applies (`applies` is false) or can never be breached; `records` show one that
    applies. `why` says how it was looked for; `open` that it could not be told."""

    rule: str
    applies: bool
    why: str
    records: Records | None = None
    open: bool = False


def dead_rule(bench: Bench, rule: str) -> Dead | None:
    """What there is to say of a rule; nothing, when there are records that breach it."""
    return None if breached_by_examples(bench, rule) else looked_for(bench, rule)


def breached_by_examples(bench: Bench, rule: str) -> bool:
    """Whether one of a rule's examples breaches it; the one that is said to comes first."""
    outcomes = bench.policy.rules[rule].data.get("examples") or {}
    first = bench.policy.rules[rule].outcome
    for outcome in sorted(outcomes, key=lambda o: o != first):
        for example in outcomes[outcome]:
            made = bench.small([example], [rule])
            if made is not None and bench.side(rule, example.get("parameters")).failing(made):
                return True
    return False


def looked_for(bench: Bench, rule: str) -> Dead | None:
    """What the solver finds of a rule; None: records that breach it."""
    if not bench.solver:
        return Dead(rule, True, "z3 is not installed", open=True)
    side = bench.side(rule)
    program = readings(bench.program(rule)).program
    questions = bench.questions([rule], [program])

    def breaches(records: Records) -> bool:
        made = small(records, bench.model)
        return made is not None and bool(side.failing(made))

    def applies(records: Records) -> bool:
        made = small(records, bench.model)
        return made is not None and has_case(side, made)

    found = bench.asked(questions, [rule], (program, f"{BREACH}0"), None, breaches)
    if isinstance(found, dict):
        return None
    if found.answer != "none":
        return Dead(rule, True, found.why, open=True)
    case = bench.asked(questions, [rule], (program, f"{APPLIES}0"), None, applies)
    if isinstance(case, dict):
        return Dead(rule, True, bench.everywhere, case)
    if case.answer != "none":
        return Dead(rule, True, case.why, open=True)
    return Dead(rule, False, bench.everywhere)


def has_case(side: Side, records: Small) -> bool:
    judgement = side.judged(records)[0]
    return bool(judgement.met or judgement.others)
