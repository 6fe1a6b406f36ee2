"""The questionnaire of what is still to be signed: as a workbook, as YAML, and as a list to read.

All have the same entries, grouped by the role that signs. A question that any of several roles may sign
stands under each of them.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from msgspec import Struct
from policycheck_engine import nearest
from tabulate import tabulate

from policycheck.attest.questions import Question, Questions
from policycheck.errors import UsageError
from policycheck.messages import listed as in_a_sentence
from policycheck.messages import moment
from policycheck.prepare import Prepared, rows_as_mappings
from policycheck.workbook import Column, Page, Sheet, sheet_names, workbook_bytes
from policycheck.yamlfile import scalar

FORM = "policycheck/questionnaire/1"
COVER = "How to fill it in"
PEOPLE = "Who holds the role"

ASKED = {"clause": "Clause", "asks": "What it asks", "counts": "What counts as evidence", "about": "About"}
SIGNS = {"role": "Role", "who": "Who signs"}
FILLED = {
    "answer": "Answer",
    "signed_by": "Signed by",
    "signed_on": "Signed on",
    "evidence": "Evidence",
    "valid_until": "Valid until",
}
HEADINGS = ASKED | SIGNS | FILLED
"""The parts of an entry: the key in YAML, and the heading in a workbook."""

SUFFIXES = (".xlsx", ".yaml", ".yml")
WIDTH = 100
PLAIN = re.compile(r"[A-Za-z0-9][^:#\n]*")


class Entry(Struct, frozen=True):
    """One line of a questionnaire: a question and the role to sign it in."""

    question: Question
    role: str

    def parts(self) -> dict[str, str]:
        """What it says, by key."""
        q = self.question
        others = [r for r in q.roles if r != self.role]
        who = "anybody in this role" if q.signer is None else f"{q.signer} in person"
        return {
            "clause": q.clause,
            "asks": q.asks,
            "counts": q.evidence,
            "about": q.about,
            "role": self.role,
            "who": f"{who}, or else as {' or '.join(others)}" if others else who,
        }


class Questionnaire(Struct, frozen=True):
    """What is still to be signed for a term, by role; `holders` are those who held a role in the term."""

    title: str
    school: str
    heading: Mapping[str, str]
    term: tuple[str, str]
    entries: Mapping[str, tuple[Entry, ...]]
    holders: Mapping[str, tuple[str, ...]]
    unclear: tuple[str, ...]

    @property
    def wanted(self) -> int:
        """How many signatures are wanting; what several roles may sign is one."""
        return len({entry.question for entries in self.entries.values() for entry in entries})

    @property
    def upshot(self) -> str:
        """How much is open, in words."""
        if not self.wanted:
            return "Nothing is open"
        return "1 signature is wanted" if self.wanted == 1 else f"{self.wanted:,} signatures are wanted"

    @property
    def sentences(self) -> tuple[str, ...]:
        """How to fill it in."""
        starts, ends = map(moment, self.term)
        return (
            f"These are the clauses of the {self.title} that only a signature decides, and that still want "
            f"one for {self.school or 'the school'} in the term {self.heading['term']}.",
            "They are grouped by the role in which they are signed: fill in those of a role that you hold on "
            "the day you sign.",
            "Answer yes or no, give your staff id and the day, and say under Evidence what your answer rests "
            "on: without it a yes does not count.",
            f"Sign between {starts} and {ends}; Valid until may stay empty, and is for an answer that ends "
            "before the term does.",
            "What you leave empty stays open, and the file goes back to whoever sent it, who reads it with "
            "`policycheck attest ... --read`.",
        )


def questionnaire_of(records: Prepared, questions: Questions, role: str | None = None) -> Questionnaire:
    """The questionnaire of what is open; UsageError for a role that signs nothing."""
    policy, info = records.current, records.info
    signing = list(dict.fromkeys(r for q in questions.all for r in q.roles))
    if role is not None and role not in signing:
        hint = nearest(role, signing)
        raise UsageError(f"no clause of `{policy.id}` is signed in the role `{role}`; {hint}".rstrip("; "))
    starts, ends = term_of(records)
    holders = holders_of(records, starts, ends)
    entries: dict[str, list[Entry]] = {name: [] for name in signing if role in (None, name)}
    for question in questions.open:
        for name in offered(question, holders):
            if name in entries:
                entries[name].append(Entry(question, name))
    return Questionnaire(
        title=policy.title,
        school=info.school_name or info.school or "",
        heading={
            "form": FORM,
            "policy": policy.id,
            "version": policy.version,
            "school": info.school or "",
            "term": str(info.term),
            "as_of": str(info.as_of),
        },
        term=(starts, ends),
        entries={name: tuple(sorted(found, key=in_order)) for name, found in entries.items() if found},
        holders={name: tuple(sorted(holders.get(name, ()))) for name in signing},
        unclear=questions.unclear,
    )


def in_order(entry: Entry) -> str:
    """What anybody may sign first, then what each has to sign in person; else as it was."""
    return entry.question.signer or ""


def offered(question: Question, holders: Mapping[str, set[str]]) -> tuple[str, ...]:
    """The roles under which a question is put: those that somebody can sign it in, or all it names."""
    held = tuple(
        role
        for role in question.roles
        if (question.signer in holders.get(role, ()) if question.signer else holders.get(role))
    )
    return held or question.roles


def term_of(records: Prepared) -> tuple[str, str]:
    """The first and last day of the term under test."""
    frame = records.current.model.frame.term
    assert frame is not None
    rows = rows_as_mappings(records.tables, frame["relation"])
    row = next(r for r in rows if r[frame["id"]] == records.info.term)
    return str(row[frame["starts"]]), str(row[frame["ends"]])


def holders_of(records: Prepared, starts: str, ends: str) -> dict[str, set[str]]:
    """Who held each role on some day of the term."""
    found: dict[str, set[str]] = {}
    for row in rows_as_mappings(records.tables, "staff_roles"):
        if str(row["from_on"] or "") <= ends and str(row["to_on"] or ends) >= starts:
            found.setdefault(str(row["role"]), set()).add(str(row["staff_id"]))
    return found


# Writing


def as_workbook(form: Questionnaire) -> bytes:
    """The questionnaire as an .xlsx file: how to fill it in, a sheet for each role, and who holds it."""
    names = sheet_names(list(form.entries), [COVER, PEOPLE])
    values = tuple((name.replace("_", " "), value) for name, value in form.heading.items())
    sheets: list[Sheet | Page] = [Page(COVER, form.title, form.sentences, values)]
    for name, (role, entries) in zip(names, form.entries.items(), strict=True):
        sheets.append(Sheet(name, columns(role, form), [row_of(e) for e in entries]))
    if form.entries:
        lists = [form.holders[role] for role in form.entries]
        length = max(map(len, lists))
        sheets.append(
            Sheet(
                PEOPLE,
                tuple(Column(role, 20) for role in form.entries),
                [[ids[i] if i < len(ids) else None for ids in lists] for i in range(length)],
            )
        )
    return workbook_bytes(sheets, form.heading["as_of"])


def columns(role: str, form: Questionnaire) -> tuple[Column, ...]:
    """The columns of a sheet."""
    return (
        Column(HEADINGS["clause"], 22),
        Column(HEADINGS["asks"], 44),
        Column(HEADINGS["counts"], 34),
        Column(HEADINGS["about"], 12),
        Column(HEADINGS["role"], 17),
        Column(HEADINGS["who"], 20),
        Column(HEADINGS["answer"], 10, choices=("yes", "no"), fill=True),
        Column(HEADINGS["signed_by"], 11, choices_in=(PEOPLE, role), fill=True, hint="Your staff id."),
        Column(HEADINGS["signed_on"], 12, "date", between=form.term, fill=True, hint="Year-month-day."),
        Column(HEADINGS["evidence"], 34, fill=True, hint="What the answer rests on: a file, a minute."),
        Column(HEADINGS["valid_until"], 12, "date", fill=True, hint="Only for an answer that ends early."),
    )


def row_of(entry: Entry) -> list[str | None]:
    parts = entry.parts()
    return [parts.get(key) for key in HEADINGS]


def as_yaml(form: Questionnaire) -> str:
    """The questionnaire as YAML, the explanation as a comment."""
    lines = [line for sentence in form.sentences for line in wrapped(sentence, "# ")]
    lines += [f"{key}: {yaml_text(value)}" for key, value in form.heading.items()]
    lines += ["roles:"] if form.entries else ["roles: {}"]
    for role, entries in form.entries.items():
        lines.append(f"  {yaml_text(role)}:")
        for entry in entries:
            shown = [f"{key}: {yaml_text(v)}" for key, v in entry.parts().items() if key != "role"]
            shown += [f"{key}:" for key in FILLED]
            lines += [f"    {'  ' if i else '- '}{text}" for i, text in enumerate(shown)]
    return "\n".join(lines) + "\n"


def yaml_text(text: str) -> str:
    """A text as YAML reads it back: plain where it can be, else in quotation marks."""
    if PLAIN.fullmatch(text) and scalar(text) == text and text == text.strip():
        return text
    return json.dumps(text, ensure_ascii=False)


def as_text(form: Questionnaire, listed: bool) -> str:
    """How much is open for each role, for a terminal; `listed` names every question."""
    day = moment(form.heading["as_of"])
    records = (form.school, f"term {form.heading['term']}", f"as of {day}")
    parts = [form.title, ", ".join(part for part in records if part), ""]
    rows = [
        [role, len(entries), len({e.question.clause for e in entries}), len(form.holders[role]) or "nobody"]
        for role, entries in form.entries.items()
    ]
    if rows:
        heads = ["role", "open", "clauses", "held by"]
        parts += [tabulate(rows, heads, tablefmt="simple", colalign=["left", *["right"] * 3]), ""]
    if listed:
        for entries in form.entries.values():
            parts += [*listed_entries(entries), ""]
    several = sum(map(len, form.entries.values())) > form.wanted
    more = " What any of several roles may sign is counted under each of them."
    parts.append(f"{form.upshot}.{more if several else ''}")
    if form.unclear:
        clauses = in_a_sentence(form.unclear)
        parts += wrapped(f"There may be more to sign, about whom the records cannot tell: {clauses}.")
    return "\n".join(parts) + "\n"


def listed_entries(entries: Iterable[Entry]) -> Iterator[str]:
    """The questions of a role: each clause once, with all whom it is about."""
    for (clause, signer), those in groupby(entries, key=lambda e: (e.question.clause, e.question.signer)):
        found = [e.question for e in those]
        yield f"{clause}  ({signer} in person)" if signer else clause
        yield from wrapped(found[0].asks, "  ")
        subjects = ", ".join(q.subject for q in found if q.subject is not None)
        yield from wrapped(f"About {found[0].kind} {subjects}".rstrip() + ".", "  ")


def wrapped(text: str, start: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=start, subsequent_indent=start + "  ", break_on_hyphens=False
    )
