"""Rules that can never apply, and rules that can never be breached.

The examples show most rules at work. For the rest, signed clauses among them, a proof is looked for that
there are no such records, and then such records.
"""

from __future__ import annotations

import json
from functools import cached_property

from msgspec import Struct
from policycheck_engine import readings
from policycheck_engine.breaches import APPLIES, BREACH
from policycheck_engine.contain import impossible
from policycheck_engine.norms import Judgement

from policycheck.policy.model import Clause
from policycheck.review.bench import Bench, Goal, Nothing, Search, Shown
from policycheck.review.proofs import DAYS, with_gaps
from policycheck.review.sides import Small, Subject, subject_of
from policycheck.trials import Layer

WHATEVER = "whatever the records"


class Dead(Struct, frozen=True):
    """A rule that never applies, or that `applies` (as `shown`) and can never be breached. `why` says how
    that is known; when it is `open`, why it is not."""

    rule: str
    applies: bool
    why: str
    proved: bool = False
    open: bool = False
    shown: Shown | None = None


class Life:
    """Which rules of a policy can apply and be breached."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.alike: dict[str, Dead | None] = {}
        self.idle: set[str] = set()

    def dead(self, rule: str) -> Dead | None:
        """What there is to say of a rule; nothing, when there are records that breach it. One that is
        breached by other values of parameters only, as an example shows, is not dead, but `idle`."""
        example = self.breached(rule)
        if example is not None:
            if example.get("parameters") and _Asked(self.bench, rule).found() is not None:
                self.idle.add(rule)
            return None
        signed = self.signed(rule)
        if signed is None:
            return _Asked(self.bench, rule).found()
        if signed not in self.alike:
            self.alike[signed] = _Asked(self.bench, rule).found()
        known = self.alike[signed]
        if known is None or known.rule == rule:
            return known
        return Dead(rule, known.applies, known.why, known.proved, known.open)

    def breached(self, rule: str) -> Layer | None:
        """An example that breaches a rule; one without other values of parameters, if there is any."""
        bench = self.bench
        said = {id(e) for e in bench.examples(rule, bench.policy.rules[rule].outcome)}
        examples = sorted(bench.examples(rule), key=lambda e: ("parameters" in e, id(e) not in said))
        for example in examples:
            made = bench.laid([{**example, "parameters": {}}], [rule])
            if made and bench.side(rule, example.get("parameters")).failing(made[1]):
                return example
        return None

    def signed(self, rule: str) -> str | None:
        """What a rule of a signed clause asks but for the id of its clause, which is all that tells such
        rules apart; None for any other rule."""
        text = self.bench.policy.rules[rule]
        if not text.attested or rule not in text.clauses:
            return None
        asked = self.clauses[rule].data["attested"]
        return json.dumps(
            [asked.get(key) for key in ("by", "by_any", "for_each", "subject", "kind", "signed_by")]
        )

    @cached_property
    def clauses(self) -> dict[str, Clause]:
        return {clause.id: clause for clause in self.bench.policy.clauses()}


class _Asked:
    """One rule that no example breaches."""

    def __init__(self, bench: Bench, rule: str) -> None:
        self.bench, self.rule = bench, rule

    def found(self) -> Dead | None:
        if self.impossible(APPLIES):
            return Dead(self.rule, False, WHATEVER, proved=True)
        plain = readings(self.bench.program(self.rule)).program
        search = Search(self.bench, [self.rule], plain)
        proved = self.impossible(BREACH)
        breach: Shown | Nothing = Nothing(WHATEVER)
        if not proved:
            (breach,) = search.look(Goal((plain, f"{BREACH}0"), None, self.breaches))
        if isinstance(breach, Shown):
            return None
        if breach.open:
            return Dead(self.rule, True, breach.why, open=True)
        case: Shown | Nothing | None = self.met_example()
        if case is None:
            (case,) = search.look(Goal((plain, f"{APPLIES}0"), None, self.applies))
        if isinstance(case, Shown):
            shown = self.bench.believed(case, self.applies, [self.rule])
            return Dead(self.rule, True, breach.why, proved, shown=shown)
        if case.open:
            return Dead(self.rule, True, breach.why, proved, open=not proved)
        return Dead(self.rule, False, case.why)

    def impossible(self, name: str) -> bool:
        """Whether it is proved that nothing is derived of a relation of the norm."""
        side = self.bench.side(self.rule)
        return all(impossible(with_gaps(side, day, True), name) for day in (None, *DAYS))

    def met_example(self) -> Shown | None:
        """The records of an example to which the rule applies."""
        for example in self.bench.examples(self.rule):
            made = self.bench.laid([example], [self.rule])
            if made and self.applies(made[1], "memory"):
                return made[0]
        return None

    def breaches(self, records: Small, engine: str) -> bool:
        return bool(self.bench.failing(self.rule, records, engine))

    def applies(self, records: Small, engine: str) -> bool:
        return bool(every_subject(self.bench.judgement(self.rule, records, engine)))


def every_subject(judgement: Judgement) -> set[Subject]:
    """All subjects to which a rule applies for certain or possibly."""
    return {*judgement.met, *(subject_of(j) for j in judgement.others)}
