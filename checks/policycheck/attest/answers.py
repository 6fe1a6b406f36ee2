"""Whether the answers that came back count, and the attestations that they make.

An answer is taken only when it would count in a run: all that is wrong with any of them is told at once,
and then none is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from policycheck_engine import canonical, nearest

from policycheck.attest.filled import Filled
from policycheck.attest.questionnaire import FILLED, term_of
from policycheck.attest.questions import Question, Questions
from policycheck.errors import Problem
from policycheck.messages import moment
from policycheck.policy.attested import clause_names
from policycheck.prepare import Prepared, rows_as_mappings
from policycheck.records.check import dated
from policycheck.spans import standing

NEEDED = ("answer", "signed_by", "signed_on")
DATES = ("signed_on", "valid_until")

Row = dict[str, Any]


class Answers(Struct, frozen=True):
    """Attestations as rows of the records, with their evidence nested in them.

    `known` counts the lines that are on file already, `blank` those that nobody filled in.
    """

    rows: tuple[Row, ...]
    known: int
    blank: int

    @property
    def upshot(self) -> str:
        """What came back, in a sentence."""
        said = Counter(row["answer"] for row in self.rows)
        kinds = ", ".join(f"{said[answer]:,} {answer}" for answer in ("yes", "no") if said[answer])
        new = f"{len(self.rows):,} new answer{'s' if len(self.rows) != 1 else ''}"
        parts = [f"{new}: {kinds}" if kinds else new]
        parts += [f"{self.known:,} on file already"] * bool(self.known)
        parts += [f"{self.blank:,} left empty"] * bool(self.blank)
        return "; ".join(parts) + "."


class Held(Struct, frozen=True):
    """A role that somebody held, from its first day to its last."""

    role: str
    first: str
    last: str


def answers_of(
    records: Prepared,
    questions: Questions,
    heading: Mapping[str, str],
    lines: Iterable[Filled],
    file: str,
    problems: list[Problem],
) -> Answers:
    """The answers of a questionnaire; all that is wrong with them is added to the problems."""
    checker = _Checker(records, questions)
    if not problems:
        problems += checker.heading_problems(heading, file)
    if problems:
        return Answers((), 0, 0)
    rows: dict[str, Row] = {}
    places: dict[str, str] = {}
    known = blank = 0
    for line in lines:
        if line.blank:
            blank += 1
            continue
        found = list(checker.problems(line))
        if found:
            problems += found
            continue
        row = checker.row(line)
        id_ = row["attestation_id"]
        if id_ in places:
            message = f"this is signed a second time, as it is at {places[id_]}"
            problems.append(line.problem("signed-twice", message, "empty one of the two lines", at="answer"))
            continue
        places[id_] = line.where("answer")
        on_file = checker.on_file.get(id_)
        if on_file is None:
            rows[id_] = row
        elif on_file == row["answer"]:
            known += 1
        else:
            message = f"the records have this signature already, with the answer {on_file}"
            help_ = "give the day on which the new answer was signed, or empty this line"
            problems.append(line.problem("signed-twice", message, help_, at="answer"))
    return Answers(tuple(rows.values()), known, blank)


class _Checker:
    """What the records say of clauses, subjects, staff and roles, to hold answers against."""

    def __init__(self, records: Prepared, questions: Questions) -> None:
        self.records, self.policy = records, records.current
        self.term = str(records.info.term)
        self.as_of = str(records.info.as_of)
        self.starts, self.ends = term_of(records)
        self.asked: dict[str, dict[str, list[Question]]] = {}
        for q in questions.all:
            self.asked.setdefault(q.clause, {}).setdefault(q.about, []).append(q)
        self.held: dict[str, list[Held]] = {}
        for row in rows_as_mappings(records.tables, "staff_roles"):
            span = Held(*(str(row[name] or "") for name in ("role", "from_on", "to_on")))
            self.held.setdefault(str(row["staff_id"]), []).append(span)
        self.staff = self.staff_ids()
        self.on_file = {
            str(row["attestation_id"]): str(row["answer"])
            for row in rows_as_mappings(records.tables, "attestations")
        }

    def staff_ids(self) -> set[str]:
        """Everybody on the staff list, or where there is none, everybody who holds a role."""
        model = self.policy.model
        target = (model.relations["attestations"].fields["signed_by"].to or "").partition(".")[0]
        if target not in self.records.given:
            return set(self.held)
        key = model.relations[target].key[0]
        return {str(row[key]) for row in rows_as_mappings(self.records.tables, target)}

    # The questionnaire as a whole

    def heading_problems(self, heading: Mapping[str, str], file: str) -> Iterator[Problem]:
        """Whether it is a questionnaire of this policy, school and term."""
        info = self.records.info
        right = {
            "policy": self.policy.id,
            "version": self.policy.version,
            "school": info.school or "",
            "term": self.term,
        }
        for name, value in right.items():
            if heading.get(name, "") != value:
                message = f"is a questionnaire for the {name} `{heading.get(name, '')}`, not `{value}`"
                help_ = "give the records that it was written from, or have a new one filled in"
                yield Problem(file, "", "other-questionnaire", message, help_)
        if "staff_roles" not in self.records.given:
            message = "cannot be read: the records have no `staff_roles`, so nobody is known to hold a role"
            yield Problem(file, "", "no-roles", message, "add `staff_roles` to the records")

    # One line

    def problems(self, line: Filled) -> Iterator[Problem]:
        """All that is wrong with a line that was filled in."""
        yield from self.asking(line)
        lacking = [key for key in NEEDED if line.texts.get(key) is None]
        if lacking:
            message = f"this line is half filled in: {' and '.join(map(line.called, lacking))} missing"
            help_ = "fill it in, or empty the whole line to leave it open"
            yield line.problem("half-filled", message, help_, at=lacking[0])
        dates = {key: day(line.texts.get(key)) for key in DATES}
        yield from self.answer(line)
        yield from self.signer(line, dates["signed_on"])
        for key, value in dates.items():
            text = line.texts.get(key)
            if text is not None and value is None:
                help_ = f"write {dated(text, 'a date as year-month-day')}"
                yield line.problem("wrong-value", f"{line.called(key)} cannot be `{text}`", help_, at=key)
        yield from self.in_time(line, dates["signed_on"], dates["valid_until"])

    def asking(self, line: Filled) -> Iterator[Problem]:
        """Whether the clause is one that is signed, about this subject and in this role."""
        clause, about, role = (line.texts.get(key) or "" for key in ("clause", "about", "role"))
        if clause not in self.asked:
            message = f"there is no clause `{clause}` that is signed for this term"
            yield line.problem("unknown-clause", message, nearest(clause, self.asked), at="clause")
            return
        subjects = self.asked[clause]
        if about not in subjects:
            message = f"`{clause}` does not ask about `{about}`"
            yield line.problem("unknown-subject", message, nearest(about, subjects), at="about")
            return
        questions = subjects[about]
        roles = list(dict.fromkeys(r for q in questions for r in q.roles))
        if role not in roles:
            message = f"`{clause}` is not signed in the role `{role}`"
            yield line.problem("wrong-role", message, f"it is signed as {' or '.join(roles)}", at="role")
        signers = {q.signer for q in questions}
        signed_by = line.texts.get("signed_by")
        if signed_by in self.staff and None not in signers and signed_by not in signers:
            message = f"`{clause}` about {about} is signed in person, and not by `{signed_by}`"
            help_ = f"to be signed by {' or '.join(sorted(map(str, signers)))}"
            yield line.problem("wrong-signer", message, help_, at="signed_by")

    def answer(self, line: Filled) -> Iterator[Problem]:
        """Whether the answer is yes or no, and a yes has evidence."""
        text = line.texts.get("answer")
        if text is None:
            return
        if text.lower() not in ("yes", "no"):
            message = f"`{text}` is no answer"
            yield line.problem("wrong-answer", message, "write yes or no", at="answer")
        if text.lower() == "yes" and line.texts.get("evidence") is None:
            message = f"a yes without {line.called('evidence')} does not count"
            yield line.problem("no-evidence", message, "say what the answer rests on", at="evidence")

    def signer(self, line: Filled, on: str | None) -> Iterator[Problem]:
        """Whether whoever signed is on the staff, and held the role that day."""
        who, role = line.texts.get("signed_by"), line.texts.get("role") or ""
        if who is None:
            return
        if who not in self.staff:
            message = f"nobody on the staff has the id `{who}`"
            yield line.problem("unknown-staff", message, nearest(who, self.staff), at="signed_by")
            return
        held = self.held.get(who, [])
        if on is not None and not any(h.role == role and h.first <= on <= h.last for h in held):
            message = f"`{who}` did not hold the role `{role}` on {moment(on)}"
            has = ", ".join(span_in_words(h) for h in held) or "no role"
            help_ = f"the records give {who}: {has}; have somebody sign who held it, or correct `staff_roles`"
            yield line.problem("wrong-role", message, help_, at="signed_by")

    def in_time(self, line: Filled, on: str | None, until: str | None) -> Iterator[Problem]:
        """Whether it was signed in the term, and has not expired."""
        last = min(self.ends, self.as_of)
        if on is not None and not self.starts <= on <= last:
            message = (
                f"it was signed on {moment(on)}, and counts from {moment(self.starts)} to {moment(last)}"
            )
            what = "the term ends then" if last == self.ends else "the records are judged up to then"
            yield line.problem("outside-term", message, f"correct the day; {what}", at="signed_on")
        if until is not None and on is not None and standing(on, until, on) == "expired":
            message = f"it was signed on {moment(on)}, and ended before, on {moment(until)}"
            yield line.problem("expired", message, "correct the day, or leave it empty", at="valid_until")
        elif until is not None and standing(on, until, self.as_of) == "expired":
            message = (
                f"it has expired: it counts until {moment(until)}, and is needed on {moment(self.as_of)}"
            )
            yield line.problem("expired", message, "have it signed anew, or leave it empty", at="valid_until")

    def row(self, line: Filled) -> Row:
        """The attestation that a right line makes. Its id is made of what is signed, by whom and when."""
        text = {key: line.texts.get(key) or "" for key in (*FILLED, "clause", "about", "role")}
        asked = self.asked[text["clause"]][text["about"]][0]
        on, until = day(text["signed_on"]), day(text["valid_until"])
        parts = [self.term, asked.clause, asked.subject, text["signed_by"], text["role"], on]
        row: Row = {
            "attestation_id": ":".join(str(part) for part in parts if part is not None),
            "clause_id": clause_names(asked.clause, self.policy.school or "")[0],
            "subject_kind": asked.kind,
        }
        if asked.subject is not None:
            row["subject_id"] = asked.subject
        row |= {
            "term_id": self.term,
            "answer": text["answer"].lower(),
            "signed_by": text["signed_by"],
            "signed_role": text["role"],
            "signed_on": on,
        }
        if until is not None:
            row["expires_on"] = until
        refs = dict.fromkeys(ref.strip() for ref in text["evidence"].splitlines() if ref.strip())
        if refs:
            row["evidence_refs"] = [{"ref": ref} for ref in refs]
        return row


def day(text: str | None) -> str | None:
    """A date in its canonical spelling, None for anything else."""
    try:
        return str(canonical(text, "date")) if text else None
    except ValueError:
        return None


def span_in_words(held: Held) -> str:
    """A role with its first and last day."""
    last = f" to {moment(held.last)}" if moment(held.last) != "never" else ""
    return f"{held.role} from {moment(held.first)}{last}"
