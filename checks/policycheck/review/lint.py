"""Lint: what a policy says that is of no use, or that cannot all be kept to.

    never-applies     no records are in the scope of a rule
    never-breached    no records breach a rule
    implied           a rule finds nothing that another does not find
    never-both-met    two rules that no subject meets both, though each can be met where both apply
    unused            a parameter or definition that nothing uses
    words-only        a clause whose wording changed since an earlier version, and whose rules did not
    stale             an annotation that no longer accepts anything

Each but the last can be accepted in the policy, with the reason: see `policy/annotations.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from policycheck.coverage import unused_in
from policycheck.errors import UsageError
from policycheck.policy.annotations import Annotation, annotations_of
from policycheck.policy.model import Policy
from policycheck.review.bench import ROWS, Bench, Shown
from policycheck.review.change import Difference
from policycheck.review.changes import WORDED, ClauseChange
from policycheck.review.compare import compared
from policycheck.review.dead import Dead, Life, every_subject
from policycheck.review.hunt import told
from policycheck.review.overlaps import Overlap, overlaps
from policycheck.review.review import NO_Z3
from policycheck.review.sides import Small, small, subject_of
from policycheck.review.verdicts import has_solver
from policycheck.review.versions import Version
from policycheck.yamlfile import Place

Code = Literal[
    "never-applies", "never-breached", "implied", "never-both-met", "unused", "words-only", "stale"
]
CODES: tuple[Code, ...] = get_args(Code)
Kind = Literal["rule", "clause", "parameter", "definition"]
Tell = Callable[..., None]

SECONDS = 10.0
"""What one question to the solver may take."""

NO_SINCE = "give an earlier version with --since"


class Named(Struct, frozen=True):
    """Something of a policy: what kind of thing, its id, and what it says or means in the policy's words."""

    kind: Kind
    id: str
    says: str


class Witness(Struct, frozen=True):
    """Records that show something, as a term file, and what they show in words. `as_of` is the day to judge
    up to; None: the end of their term."""

    shown: Shown
    says: str


class Lint(Struct, frozen=True):
    """One thing that lint found, or could not tell (`open`).

    `why` says how it is known, or why not; `proved` that it holds whatever the records. `accepted` is why it
    is as it should be.
    """

    code: Code
    about: tuple[Named, ...]
    place: Place
    says: str
    why: str
    mend: str
    proved: bool = False
    open: bool = False
    witness: Witness | None = None
    accepted: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(named.id for named in self.about)


class Linted(Struct, frozen=True):
    """What lint made of a policy: `lints` in the order of the document, and the checks that were not made or
    not wholly, with the reason."""

    policy: Version
    since: Version | None
    lints: tuple[Lint, ...]
    not_made: tuple[tuple[Code, str], ...]
    rows: int
    as_of: str | None


def lint(
    policy: Version,
    since: Version | None = None,
    *,
    seconds: float = SECONDS,
    tell: Tell = lambda stage, done=0, total=0: None,
) -> Linted:
    """All that lint finds in a policy.

    since      an earlier version, for what changed in words alone
    seconds    what one question to the solver may take, about
    tell       is told what is being looked at, and how many of how many are done

    UsageError when `since` is a version of another policy.
    """
    if since is not None and since.policy.id != policy.policy.id:
        said = f"`{since.policy.id}` and `{policy.policy.id}` are two policies"
        raise UsageError(f"{said}; give two versions of the same one")
    linter = _Linter(policy.policy, seconds, tell)
    found = [*linter.unused(), *(linter.words_only(since) if since else ()), *linter.rules()]
    not_made: list[tuple[Code, str]] = []
    if not has_solver():
        solved: tuple[Code, ...] = ("never-applies", "never-breached", "implied", "never-both-met")
        not_made += [(code, f"only what examples and proofs decide: {NO_Z3}") for code in solved]
    if since is None:
        not_made.append(("words-only", NO_SINCE))
    lints = linter.annotated(found, since is not None)
    return Linted(policy, since, tuple(lints), tuple(not_made), ROWS, linter.bench.as_of)


class _Linter:
    """The checks of one policy."""

    def __init__(self, policy: Policy, seconds: float, tell: Tell) -> None:
        self.policy, self.tell = policy, tell
        self.bench = Bench(policy, seconds)
        self.clauses = {clause.id: clause for clause in policy.clauses()}

    # Findings and their order

    def annotated(self, found: list[Lint], since: bool) -> Iterator[Lint]:
        """The findings in the order of the document, each with why it is accepted, if it is; among them the
        annotations that accept none."""
        notes = list(annotations_of(self.policy))
        used: set[int] = set()
        out = []
        for one in found:
            fits = [i for i, note in enumerate(notes) if self.accepts(note, one)]
            used.update(fits)
            out.append(replace(one, accepted=notes[fits[0]].why if fits else None))
        for i, note in enumerate(notes):
            if i not in used and (since or note.code != "words-only"):
                out.append(self.stale(note))
        yield from sorted(out, key=lambda one: (*self.position(one.place), CODES.index(one.code)))

    def accepts(self, note: Annotation, one: Lint) -> bool:
        """Whether an annotation is about a finding."""
        unsure = one.open and {note.code, one.code} <= {"never-applies", "never-breached"}
        if note.code != one.code and not unsure:
            return False
        if note.code == "implied":
            return (note.about, note.other) == one.ids
        if note.code == "never-both-met":
            return {note.about, note.other} == {*one.ids}
        (id_,) = one.ids
        rule = self.policy.rules.get(id_)
        signed = rule is not None and rule.attested and note.about in rule.clauses
        return note.about == id_ or signed

    def position(self, place: Place) -> tuple[int, int, int]:
        """Where a place stands in the document: policy.yaml first, then the sections."""
        files = ["policy", *(section.id for section in self.policy.sections)]
        return (files.index(place.document.file.stem), *place.document.find(place.path))

    def stale(self, note: Annotation) -> Lint:
        about = [self.named(note.kind, note.about)]
        other = f" with `{note.other}`" if note.other else ""
        return Lint(
            "stale",
            tuple(about),
            note.place,
            f"this accepts nothing any more: `{note.code}` of {note.kind} `{note.about}`{other}",
            f"it says: {note.why}",
            "Take it out.",
            proved=True,
        )

    def named(self, kind: Kind, name: str) -> Named:
        """Something with the words that the policy has for it."""
        if kind == "rule":
            said = self.clauses[self.policy.rules[name].clauses[0]].data["says"]
        elif kind == "clause":
            said = self.clauses[name].data["says"]
        elif kind == "parameter":
            said = self.policy.parameters[name].why
        else:
            said = self.policy.definitions[name].means
        return Named(kind, name, " ".join(str(said).split()))

    # What is of no use

    def unused(self) -> Iterator[Lint]:
        """Parameters and definitions that no rule uses."""
        self.tell("names")
        found = unused_in(self.policy)
        for kind, names, things in (
            ("parameter", found.parameters, self.policy.parameters),
            ("definition", found.definitions, self.policy.definitions),
        ):
            for name in names:
                yield Lint(
                    "unused",
                    (self.named(kind, name),),  # type: ignore[arg-type]
                    things[name].place,
                    f"nothing uses the {kind} `{name}`",
                    "no rule names it, directly or through definitions",
                    f"Take it out, or name it in the rule that it was meant for; or say at the {kind} why it "
                    "stays: `lint: {unused: ...}`.",
                    proved=True,
                )

    def words_only(self, since: Version) -> Iterator[Lint]:
        """Clauses whose wording changed since an earlier version, while their rules ask the same. Of signed
        clauses it is the wording that is signed."""
        self.tell("wording")
        changes = compared(since.policy, self.policy)
        touched = {
            clause
            for rule in changes.rules
            if any(change.kind not in SAME for change in rule.changes)
            for clause in rule.clauses
        }
        named = [*changes.parameters, *changes.definitions, *changes.records]
        terms = {n.name for n in named if any(change.kind not in SAME for change in n.changes)}
        for change in changes.clauses:
            clause = self.clauses.get(change.id)
            if clause is None or change.id in touched or not reworded(change):
                continue
            if clause.decided_by == "attestation":
                continue
            if terms & {str(name).partition(".")[0] for name in clause.data.get("defines", ())}:
                continue
            yield Lint(
                "words-only",
                (self.named("clause", change.id),),
                clause.place,
                f"the wording of clause `{change.id}` changed, and {DECIDES[clause.decided_by]} did not",
                f"in {since.given} it said: {change.old_says}",
                "Change the rule if the new words ask something else; if they do not, say so at the clause: "
                "`lint: {words-only: ...}`.",
                proved=True,
            )

    # Rules

    def rules(self) -> Iterator[Lint]:
        """Rules that never apply or are never breached, or may be so, and pairs of the others."""
        life, dead = Life(self.bench), set[str]()
        for i, rule in enumerate(self.policy.rules):
            self.tell(f"rule {rule}", i, len(self.policy.rules))
            found = life.dead(rule)
            if found is not None:
                dead.add(rule)
                yield self.dead(rule, found)
        alive = [r for r in self.policy.rules if r not in dead and r not in life.idle]
        for pair in overlaps(self.bench, alive, self.tell):
            yield self.pair(pair)

    def dead(self, rule: str, found: Dead) -> Lint:
        """What there is to say of a rule that nothing was found to breach."""
        code: Code = "never-breached" if found.applies else "never-applies"
        verb = "be breached" if found.applies else "apply to anything"
        at = f"`lint: {{{code}: ...}}`"
        return Lint(
            code,
            (self.named("rule", rule),),
            self.policy.rules[rule].place,
            f"whether rule `{rule}` can {verb}" if found.open else f"rule `{rule}` can never {verb}",
            found.why,
            (
                "Look at what it asks: its own scope and exemptions, or the record model, see to it already. "
                if found.applies
                else "Look at its scope and its exemptions: no row can satisfy all of it. "
            )
            + f"If it is meant so, say why there: {at}.",
            found.proved,
            found.open,
            self.witness(found.shown, (rule,)),
        )

    def pair(self, pair: Overlap) -> Lint:
        """What there is to say of two rules."""
        code: Code = "implied" if pair.implied else "never-both-met"
        one, other = f"`{pair.one}`", f"`{pair.other}`"
        if pair.implied and pair.both:
            says = f"rule {one} finds just what {other} finds"
        elif pair.implied:
            says = f"rule {one} finds nothing that {other} does not find"
        else:
            says = f"rules {one} and {other} can never both be met"
        if pair.open:
            asks = f"rule {one} finds anything that {other} does not find"
            says = f"whether {asks if pair.implied else f'rules {one} and {other} can both be met'}"
        if pair.implied:
            mend = f"Leave one of the two out, or say at {one} why both stay: "
        else:
            mend = "Change one of the two, rank one above the other (`explained_by`), or say at either why: "
        return Lint(
            code,
            (self.named("rule", pair.one), self.named("rule", pair.other)),
            self.policy.rules[pair.one].place,
            says,
            pair.why,
            f"{mend}`lint: {{{code}: {{{pair.other}: ...}}}}`.",
            pair.proved,
            pair.open,
            self.witness(pair.shown, (pair.one, pair.other)),
        )

    def witness(self, shown: Shown | None, rules: tuple[str, ...]) -> Witness | None:
        """Records with what each rule makes of them, in words."""
        if shown is None:
            return None
        made = small(shown.records, self.policy.model, shown.as_of)
        assert made is not None, "the records were judged a moment ago"
        return Witness(shown, " ".join(self.outcome(rule, made) for rule in rules))

    def outcome(self, rule: str, records: Small) -> str:
        """What a rule makes of records: the message of its finding, or whom it is met for."""
        judgement = self.bench.judgement(rule, records)
        fails = sorted((subject_of(j) for j in judgement.others if j.outcome == "breach"), key=str)
        if fails:
            finding = told(self.bench.side(rule), records, Difference("stricter", fails[0]))
            return f"`{rule}` finds: {finding.message}"
        if judgement.met:
            names = judgement.norm.subject
            subject = ", ".join(
                f"{n} {v}" for n, v in zip(names, sorted(judgement.met, key=str)[0], strict=True)
            )
            return f"`{rule}` is met ({subject})." if subject else f"`{rule}` is met."
        applied = sorted(every_subject(judgement), key=str)
        return f"`{rule}` applies, and finds nothing." if applied else f"`{rule}` does not apply."


SAME = (*WORDED, "moved", "renamed")
"""Kinds of change by which a clause and its rules ask what they asked."""

DECIDES = {
    "rule": "its rules",
    "definition": "what it defines",
    "nothing": "nothing else of it",
}


def reworded(change: ClauseChange) -> bool:
    """Whether a clause says something in other words, and is otherwise what it was."""
    words = change.old_says and change.new_says and change.old_says != change.new_says
    return bool(words) and all(c.kind in SAME for c in change.changes)
