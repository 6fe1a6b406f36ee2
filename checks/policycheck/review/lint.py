"""Lint: what a policy says that is of no use, or that cannot all be kept to.

    never-applies    no records are in the scope of a rule
    never-breached   no records breach a rule
    implied          a rule finds nothing that another does not find
    never-both-met   two rules that no records meet both, though both apply
    unused           a parameter or definition that nothing uses
    words-only       a clause whose wording changed and whose rules did not

Each can be accepted in the policy, with a reason: `lint: {never-breached: why}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from policycheck.coverage import unused_in
from policycheck.errors import shown_path
from policycheck.policy.model import Policy
from policycheck.review.bench import Bench
from policycheck.review.compare import compared
from policycheck.review.dead import dead_rule
from policycheck.review.overlaps import Overlap, conflicts, implied_rules, reaches
from policycheck.review.sides import Records
from policycheck.review.verdicts import has_solver
from policycheck.yamlfile import Place

Code = Literal["never-applies", "never-breached", "implied", "never-both-met", "unused", "words-only"]
Tell = Callable[..., None]

ROWS = 4
SECONDS, LONGER = 10.0, 60.0
"""What one question to the solver may take, and what it may take when lint is thorough."""


@dataclass(frozen=True, slots=True)
class Lint:
    """One thing that lint found, or could not tell (`open`).

    `about` are the ids of what it is about: a rule, two rules, a clause, a parameter or a definition. `why`
    says how it is known; `proved`, that it holds whatever the records, else in all with up to four rows a
    relation. `records` is a term file as data that shows it. `accepted` is why it is as it should be.
    """

    code: Code
    about: tuple[str, ...]
    place: str
    says: str
    why: str
    proved: bool = False
    records: Records | None = None
    accepted: str | None = None
    open: bool = False


def lint(
    policy: Policy,
    *,
    since: Policy | None = None,
    thorough: bool = False,
    tell: Tell = lambda stage, done=0, total=0: None,
) -> list[Lint]:
    """All that lint finds in a policy.

    since      an earlier version, for what changed in words alone
    thorough   look for pairs of rules that cannot both be met, and for those of which one implies the other
               beyond what can be proved; takes a few minutes
    tell       is told what is being looked at, and how many of how many are done
    """
    bench = Bench(policy, ROWS, LONGER if thorough else SECONDS, has_solver())
    tell("names")
    found = [*unused(policy), *(words_only(since, policy) if since else ())]
    dead = []
    for i, rule in enumerate(policy.rules):
        tell("rules", i, len(policy.rules))
        dead += list(dead_lints(bench, rule))
    tell("pairs of rules")
    alive = reaches(bench, [r for r in policy.rules if all(r not in d.about or d.open for d in dead)])
    pairs = [pair_lint(policy, o) for o in implied_rules(bench, alive, thorough)]
    if thorough:
        tell("rules that cannot both be met")
        pairs += [pair_lint(policy, o) for o in conflicts(bench, alive)]
    return [*found, *dead, *pairs]


def accepted(policy: Policy, code: Code, about: Sequence[str]) -> str | None:
    """Why a finding about rules is as it should be, as one of them or its clause says."""
    clauses = {clause.id: clause for clause in policy.clauses()}
    for i, name in enumerate(about):
        others = [n for j, n in enumerate(about) if j != i]
        rule = policy.rules.get(name)
        holders: list[Mapping[str, Any]] = [] if rule is None else [rule.data]
        holders += [clauses[c].data for c in (rule.clauses if rule else (name,)) if c in clauses]
        for holder in holders:
            why = holder.get("lint", {}).get(code)
            if isinstance(why, Mapping):
                why = next((why[other] for other in others if other in why), None)
            if why is not None:
                return str(why)
        if code == "implied":
            break  # the rule that is implied says so, not the other
    return None


def shown(place: Place) -> str:
    """File, line and column."""
    line, column = place.document.find(place.path)
    return f"{shown_path(place.document.file)}:{line}:{column}"


# What is of no use


def unused(policy: Policy) -> Iterator[Lint]:
    """Parameters and definitions that no rule uses."""
    found = unused_in(policy)
    for kind, names, things in (
        ("parameter", found.parameters, policy.parameters),
        ("definition", found.definitions, policy.definitions),
    ):
        for name in names:
            place: Place = things[name].place
            yield Lint(
                "unused",
                (name,),
                shown(place),
                f"no rule uses the {kind} `{name}`",
                "",
                proved=True,
                accepted=written_at(place).get("lint", {}).get("unused"),
            )


def written_at(place: Place) -> Mapping[str, Any]:
    """What stands at a place of a document."""
    data = place.document.data
    for key in place.path:
        data = data[key]
    return data if isinstance(data, Mapping) else {}


def words_only(old: Policy, new: Policy) -> Iterator[Lint]:
    """Clauses whose wording changed since an earlier version, while their rules ask the same."""
    places = {clause.id: clause.place for clause in new.clauses()}
    for change in compared(old, new).clauses:
        changed = change.old_says and change.new_says and change.old_says != change.new_says
        asked = [r for r in change.rules if r.judges_otherwise]
        if changed and change.id in places and not asked:
            yield Lint(
                "words-only",
                (change.id,),
                shown(places[change.id]),
                f"the wording of `{change.id}` changed since {old.version or 'then'}, and its rules did not",
                f"it said: {change.old_says}",
                proved=True,
                accepted=accepted(new, "words-only", (change.id,)),
            )


def dead_lints(bench: Bench, rule: str) -> Iterator[Lint]:
    """What there is to say of a rule that nothing was found to breach."""
    dead = dead_rule(bench, rule)
    if dead is None:
        return
    code: Code = "never-breached" if dead.applies else "never-applies"
    says = f"`{rule}` can never be breached" if dead.applies else f"`{rule}` can never apply"
    yield Lint(
        code,
        (rule,),
        shown(bench.policy.rules[rule].place),
        says,
        dead.why,
        records=dead.records,
        accepted=accepted(bench.policy, code, (rule,)),
        open=dead.open,
    )


def pair_lint(policy: Policy, overlap: Overlap) -> Lint:
    """What there is to say of two rules."""
    about = (overlap.one, overlap.other)
    code: Code = "implied" if overlap.implied else "never-both-met"
    says = (
        f"`{overlap.one}` finds nothing that `{overlap.other}` does not find"
        if overlap.implied
        else f"`{overlap.one}` and `{overlap.other}` apply together, and can never both be met"
    )
    return Lint(
        code,
        about,
        shown(policy.rules[overlap.one].place),
        says,
        overlap.why,
        overlap.proved,
        overlap.records,
        accepted(policy, code, about),
        overlap.open,
    )
