"""Pairs of rules of which one already says what the other says, or which cannot both be met.

Pairs are many, so only those are looked at that are about the same kind of subject, have a relation in common
that both of their scopes read, and ask something of the same records. Signed answers are each their own. The
examples of the two, laid over one another, show most pairs to be independent; the solver is asked about the
rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from policycheck_engine import Atom, readings
from policycheck_engine.breaches import APPLIES, BREACH, MET, judged
from policycheck_engine.contain import contained
from policycheck_engine.strata import reads

from policycheck.review.bench import Bench, base_relations, both, needed_rows
from policycheck.review.proofs import with_gaps
from policycheck.review.sides import Records, Small, small
from policycheck.trials import Layer


@dataclass(frozen=True, slots=True)
class Reach:
    """What a rule reads: `shape` of its subject; the relations that its cases need rows of; those that its
    breaches need; those that the requirement reads; and all."""

    rule: str
    shape: tuple[object, ...]
    case: frozenset[str]
    breach: frozenset[str]
    asked: frozenset[str]
    every: frozenset[str]


@dataclass(frozen=True, slots=True)
class Overlap:
    """`one` finds nothing that `other` does not find (`implied`), or the two are never met together, though
    `records` show a subject of both. `why` says how it was looked for; `open` that it could not be told."""

    one: str
    other: str
    implied: bool
    why: str = ""
    proved: bool = False
    records: Records | None = None
    open: bool = False


def reaches(bench: Bench, rules: Iterable[str]) -> list[Reach]:
    """What each rule reads. Those of signed answers are left out, and those of which the examples show no
    failure by the parameters as they are."""
    out = []
    for rule in rules:
        failing = bench.examples(rule, bench.policy.rules[rule].outcome)
        if bench.policy.rules[rule].attested or all(layer.get("parameters") for layer in failing):
            continue
        side = bench.side(rule)
        program = judged(side.plain.program, side.norm)
        asks = [
            name
            for r in program.heads[side.norm.fails]
            for name, _, _ in reads(
                tuple(x for x in r.body if not (isinstance(x, Atom) and x.relation == side.norm.case))
            )
        ]
        out.append(
            Reach(
                rule,
                side.shape,
                frozenset(needed_rows(program, side.norm.case) - bench.fixed),
                frozenset(needed_rows(program, BREACH) - bench.fixed),
                frozenset(base_relations(program, asks) - bench.fixed),
                frozenset(side.cone.relations),
            )
        )
    return out


# One that is already said by another


def implied_rules(bench: Bench, found: Sequence[Reach], thorough: bool) -> Iterator[Overlap]:
    """Rules that find nothing which another does not find for the same subject. A pair is left out when the
    other needs or asks for records that the first never looks at, since those can be there or not."""
    for one, other in permutations(found, 2):
        alike = one.shape == other.shape and one.case & other.case
        if alike and other.breach | other.asked <= one.every and not told_apart(bench, one.rule, other.rule):
            result = implied(bench, one.rule, other.rule, thorough)
            if result is not None:
                yield result


def told_apart(bench: Bench, one: str, other: str) -> bool:
    """Whether some example of the first fails it and not the other, alone or with one of the other that is
    met laid over it."""
    for failing in bench.examples(one, bench.policy.rules[one].outcome):
        for met in (None, *bench.examples(other, "met")):
            made = laid(bench, (failing, met), (one, other))
            if made and bench.side(one).failing(made) - bench.side(other).failing(made):
                return True
    return False


def laid(bench: Bench, layers: Iterable[Layer | None], rules: Sequence[str]) -> Small | None:
    given = [layer for layer in layers if layer]
    if any(layer.get("parameters") for layer in given):
        return None
    return bench.small(given, rules)


def implied(bench: Bench, one: str, other: str, thorough: bool) -> Overlap | None:
    """Whether all that the first finds the other finds too."""
    sides = bench.side(one), bench.side(other)
    if contained(with_gaps(sides[0], None, True), with_gaps(sides[1], None, True), BREACH):
        return Overlap(one, other, True, "whatever the records", proved=True)
    if not thorough:
        return None
    if not bench.solver:
        return Overlap(one, other, True, "z3 is not installed", open=True)
    programs = [readings(bench.program(rule)).program for rule in (one, other)]
    questions = bench.questions([one, other], programs)

    def apart(records: Records) -> bool:
        made = small(records, bench.model)
        return made is not None and bool(sides[0].failing(made) - sides[1].failing(made))

    asked = (programs[0], f"{BREACH}0"), (programs[1], f"{BREACH}0")
    found = bench.asked(questions, [one, other], *asked, apart)
    if isinstance(found, dict):
        return None
    if found.answer != "none":
        return Overlap(one, other, True, found.why, open=True)
    return Overlap(one, other, True, bench.everywhere)


# Two that cannot both be met


def conflicts(bench: Bench, found: Sequence[Reach]) -> Iterator[Overlap]:
    """Pairs of rules that are never both met for a subject to which both apply."""
    in_order = sorted(found, key=lambda r: r.rule)
    for i, one in enumerate(in_order):
        for other in in_order[i + 1 :]:
            alike = one.shape == other.shape and one.case & other.case and one.asked & other.asked
            if alike and not met_together(bench, one.rule, other.rule):
                result = conflict(bench, one.rule, other.rule)
                if result is not None:
                    yield result


def met_together(bench: Bench, one: str, other: str) -> bool:
    """Whether a subject meets both in the scene or in an example of each, laid over one another."""
    for first in (None, *bench.examples(one, "met")):
        for second in (None, *bench.examples(other, "met")):
            made = laid(bench, (first, second), (one, other))
            if made and set(bench.judged(one, made).met) & set(bench.judged(other, made).met):
                return True
    return False


def conflict(bench: Bench, one: str, other: str) -> Overlap | None:
    """Whether no records meet both rules, though there are some to which both apply."""
    if not bench.solver:
        return Overlap(one, other, False, "z3 is not installed", open=True)
    program = bench.program(one, other)
    met, applies = (both(program, f"{name}0", f"{name}1") for name in (MET, APPLIES))
    questions = bench.questions([one, other], [met[0], applies[0]])

    def subjects(records: Records) -> tuple[set[object], set[object]] | None:
        made = small(records, bench.model)
        if made is None:
            return None
        judgements = [bench.judged(rule, made) for rule in (one, other)]
        mets = [set(j.met) for j in judgements]
        every = [
            m | {tuple(o.subject.values()) for o in j.others} for m, j in zip(mets, judgements, strict=True)
        ]
        return set(mets[0] & mets[1]), set(every[0] & every[1])

    found = bench.asked(questions, [one, other], met, None, lambda r: bool((subjects(r) or ((), ()))[0]))
    if isinstance(found, dict):
        return None
    if found.answer != "none":
        return Overlap(one, other, False, found.why, open=True)
    case = bench.asked(questions, [one, other], applies, None, lambda r: bool((subjects(r) or ((), ()))[1]))
    if isinstance(case, dict):
        return Overlap(one, other, False, bench.everywhere, records=case)
    return Overlap(one, other, False, case.why, open=True) if case.answer != "none" else None
