"""What is still to be signed: asked for, answered, refused, and read back into the records."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import xlsxwriter
from policycheck.attest.answers import Answers, answers_of
from policycheck.attest.filled import read_questionnaire
from policycheck.attest.questionnaire import (
    COVER,
    FILLED,
    HEADINGS,
    PEOPLE,
    Questionnaire,
    as_text,
    as_workbook,
    as_yaml,
    questionnaire_of,
)
from policycheck.attest.questions import Questions, questions_of
from policycheck.errors import Problem, UsageError
from policycheck.policy.load import load_policy, model_of
from policycheck.prepare import Prepared, RecordsInfo, prepared
from policycheck.records.add import csv_with, sheets_with, term_with
from policycheck.records.read import Source, open_records
from policycheck.run import Result, run
from policycheck.structure import structure_problems
from policycheck.trials import judged_layers, world
from policycheck.workbook import Column, Sheet, cell_text, letters, read_workbook, sheet_names, workbook_bytes
from policycheck.yamlfile import load
from syrupy.assertion import SnapshotAssertion

from tests.support import ROOT, Ran

Command = Callable[..., Ran]
Cells = dict[str, list[list[str | None]]]

WOODLANDS = ROOT / "fixtures" / "woodlands" / "summer-2021.json"
HOLY_CROSS = ROOT / "fixtures" / "holy-cross" / "summer-2021.json"
LIBRARY = ROOT / "tests" / "cases" / "attested"
WRONG = ROOT / "tests" / "attest" / "wrong.yaml"

TERMS = {"woodlands": WOODLANDS, "holy-cross": HOLY_CROSS}


@dataclass(frozen=True, slots=True)
class Asked:
    """A full term, what a run makes of its attested clauses, what is asked, and the questionnaire."""

    path: Path
    records: Prepared
    attested: list[str]
    result: Result
    questions: Questions
    form: Questionnaire


@pytest.fixture(scope="module", params=TERMS)
def asked(request: pytest.FixtureRequest) -> Asked:
    path = TERMS[request.param]
    records = prepared(path)
    attested = [c.id for c in records.current.clauses() if c.decided_by == "attestation"]
    questions = questions_of(records)
    form = questionnaire_of(records, questions)
    return Asked(path, records, attested, run(path, only=attested), questions, form)


# What is open


def undecided(result: Result) -> set[tuple[str, str]]:
    """Clause and subject of what nobody signed."""
    found = (f for f in result.findings if f.outcome == "undecided")
    return {(f.rule, str(next(iter(f.subject.values())))) for f in found}


def test_open_is_what_a_run_leaves_undecided(asked: Asked) -> None:
    open_ = {(q.clause, q.subject or str(asked.records.info.term)) for q in asked.questions.open}
    assert open_
    assert open_ == undecided(asked.result)


def test_everything_attested_is_asked(asked: Asked) -> None:
    assert {q.clause for q in asked.questions.all} == set(asked.attested)
    assert asked.questions.unclear == ()


def test_what_is_open_for_whom(asked: Asked, text_snapshot: SnapshotAssertion) -> None:
    form = questionnaire_of(asked.records, asked.questions, list(asked.form.entries)[-1])
    assert as_text(asked.form, listed=False) + "\n" + as_text(form, listed=True) == text_snapshot


def test_of_one_role(command: Command, text_snapshot: SnapshotAssertion) -> None:
    ran = command("attest", HOLY_CROSS, "--role", "class_teacher")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == text_snapshot


def test_what_the_school_has_set_counts(command: Command, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "policy: woodlands-progress-mentor\nparameters: {frequent_share: 0.01}\n", encoding="utf-8"
    )
    usual = command("attest", WOODLANDS)
    by_option = command("attest", WOODLANDS, "--set", "frequent_share=0.01")
    by_file = command("attest", WOODLANDS, "--settings", own)
    over = command("attest", WOODLANDS, "--settings", own, "--set", "frequent_share=0.25")
    assert (by_option.err, by_file.err, over.err) == ("", "", "")
    assert by_option.out == by_file.out != usual.out == over.out


def test_with_three_sheets(command: Command, text_snapshot: SnapshotAssertion) -> None:
    ran = command("attest", "docs/examples/first-sheets", "--policy", "woodlands-progress-mentor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == text_snapshot


# The questionnaire


def shown(sheets: Mapping[str, list[list[str | None]]]) -> str:
    """The cells of a workbook as text."""
    lines = []
    for name, rows in sheets.items():
        lines += [f"== {name}", *(" | ".join(cell or "" for cell in row).rstrip() for row in rows), ""]
    return "\n".join(lines)


def cells_of(file: Path) -> Cells:
    problems: list[Problem] = []
    sheets = read_workbook(file, problems)
    assert problems == []
    return {sheet.name: sheet.cells for sheet in sheets}


def test_workbook(asked: Asked, text_snapshot: SnapshotAssertion, tmp_path: Path) -> None:
    (tmp_path / "ask.xlsx").write_bytes(as_workbook(asked.form))
    assert shown(cells_of(tmp_path / "ask.xlsx")) == text_snapshot


def test_workbook_can_be_filled_in(asked: Asked) -> None:
    with ZipFile(BytesIO(as_workbook(asked.form))) as file:
        sheet = file.read("xl/worksheets/sheet2.xml").decode()
        core = file.read("docProps/core.xml").decode()
    role, entries = next(iter(asked.form.entries.items()))
    holders = len(asked.form.holders[role])
    people = f"$A$2:$A${holders + 1}" if holders > 1 else "$A$2"
    assert 'state="frozen"' in sheet
    cells = f"G2:G{len(entries) + 1}" if len(entries) > 1 else "G2"
    assert f'sqref="{cells}"><formula1>"yes,no"</formula1>' in sheet
    assert f"<formula1>'{PEOPLE}'!{people}</formula1>" in sheet
    assert "<autoFilter" in sheet
    assert "2021-07-21T00:00:00Z</dcterms:created>" in core


def test_yaml(asked: Asked, text_snapshot: SnapshotAssertion, tmp_path: Path) -> None:
    text = as_yaml(questionnaire_of(asked.records, asked.questions, list(asked.form.entries)[-1]))
    (tmp_path / "ask.yaml").write_text(text, encoding="utf-8")
    problems: list[Problem] = []
    document = load(tmp_path / "ask.yaml", problems)
    assert problems + structure_problems(document, "questionnaire") == []
    assert text == text_snapshot


def test_same_bytes_again(command: Command, tmp_path: Path) -> None:
    made = []
    for zone, hashing in (("UTC", "1"), ("Pacific/Auckland", "2")):
        out = tmp_path / f"{hashing}.xlsx"
        ran = command("attest", HOLY_CROSS, "-o", out, TZ=zone, PYTHONHASHSEED=hashing, LC_ALL="C")
        assert ran.out == f"4 signatures are wanted; {out} asks for them.\n"
        made.append(out.read_bytes())
    assert made[0] == made[1]


# Filling it in, as a person would


def answered(parts: Mapping[str, str], holder: str, signed_on: str) -> dict[str, str]:
    """A yes to a question, by whoever has to sign in person or by a holder of the role."""
    person, in_person, _ = parts["who"].partition(" in person")
    by = person if in_person else holder
    return {"answer": "yes", "signed_by": by, "signed_on": signed_on, "evidence": "folder 3\nminutes, 12 May"}


def fill_workbook(file: Path, out: Path, signed_on: str, roles: Iterable[str] = ()) -> int:
    """Answer yes to everything, or to what these roles are asked; save it as a spreadsheet program does."""
    sheets = cells_of(file)
    people = {str(column[0]): column[1] for column in zip(*sheets[PEOPLE], strict=True)}
    filled = 0
    for name, rows in sheets.items():
        if name in (COVER, PEOPLE) or (roles and name not in roles):
            continue
        for row in rows[1:]:
            parts = {key: row[i] or "" for i, key in enumerate(HEADINGS)}
            answer = answered(parts, str(people[parts["role"]]), signed_on)
            row[:] = [answer.get(key) or parts[key] or None for key in HEADINGS]
            filled += 1
    save(out, sheets)
    return filled


def save(out: Path, sheets: Cells) -> None:
    """Write a workbook with days as real days."""
    with xlsxwriter.Workbook(out) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        days = [list(HEADINGS).index(key) for key in ("signed_on", "valid_until")]
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, text in enumerate(row):
                    if text is not None and name not in (COVER, PEOPLE) and r and c in days and "-" in text:
                        sheet.write_datetime(r, c, date.fromisoformat(text), day)
                    elif text is not None:
                        sheet.write_string(r, c, text)


def fill_yaml(file: Path, out: Path, holders: Mapping[str, str], signed_on: str) -> int:
    """Answer yes to everything, in the text of the file."""
    role, filled = "", 0
    parts: dict[str, str] = {}
    given: dict[str, str] = {}
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.strip().removeprefix("- ").partition(":")
        parts[name] = value.strip()
        if line.startswith("  ") and line[2] not in " #":
            role = name
        if name == "answer":
            given = {k: json.dumps(v) for k, v in answered(parts, holders[role], signed_on).items()}
            given["answer"] = "yes"
            filled += 1
        lines.append(f"      {name}: {given[name]}" if name in FILLED and name in given else line)
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return filled


def taken(asked: Asked, file: Path) -> Answers:
    """The answers of a file that has nothing wrong."""
    problems: list[Problem] = []
    heading, lines = read_questionnaire(file, problems)
    answers = answers_of(asked.records, asked.questions, heading, lines, file.name, problems)
    assert problems == []
    return answers


def test_round_trip(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "ask.xlsx").write_bytes(as_workbook(asked.form))
    filled = fill_workbook(tmp_path / "ask.xlsx", tmp_path / "filled.xlsx", "2021-07-19")
    answers = taken(asked, tmp_path / "filled.xlsx")
    assert (len(answers.rows), answers.known, answers.blank) == (filled, 0, 0)
    text = term_with(asked.records.source, asked.records.current.model, "attestations", answers.rows)
    (tmp_path / "signed.json").write_text(text, encoding="utf-8")
    after = run(tmp_path / "signed.json", only=asked.attested)
    assert undecided(after) == set()
    before = {f.id: f.outcome for f in asked.result.findings if not f.contradicts}
    left = {f.id: f.outcome for f in after.findings if not f.contradicts}
    assert left == {id_: outcome for id_, outcome in before.items() if outcome != "undecided"}


def test_round_trip_by_command(command: Command, tmp_path: Path) -> None:
    command("attest", HOLY_CROSS, "-o", "ask.yaml", cwd=tmp_path)
    holders = {"class_teacher": "T03", "teacher": "T04", "learning_mentor": "LM"}
    holders["chair_of_governors"] = "CHAIR"
    filled = fill_yaml(tmp_path / "ask.yaml", tmp_path / "filled.yaml", holders, "2021-07-19")
    ran = command("attest", HOLY_CROSS, "--read", "filled.yaml", "-o", "signed.json", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{filled} new answers: {filled} yes.\nWritten to signed.json.\n"
    ran = command("attest", "signed.json", "--read", "filled.yaml", "-o", "twice.json", cwd=tmp_path)
    assert (ran.err, ran.out) == ("", f"0 new answers; {filled} on file already.\n")
    assert not (tmp_path / "twice.json").exists()
    ran = command("attest", "signed.json", "-o", "ask-again.xlsx", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "Nothing is open, so nothing was written.\n")
    assert not (tmp_path / "ask-again.xlsx").exists()


def test_what_is_left_empty_stays_open(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "ask.xlsx").write_bytes(as_workbook(asked.form))
    role = next(iter(asked.form.entries))
    fill_workbook(tmp_path / "ask.xlsx", tmp_path / "filled.xlsx", "2021-07-19", [role])
    answers = taken(asked, tmp_path / "filled.xlsx")
    assert {row["signed_role"] for row in answers.rows} == {role}
    assert len(answers.rows) == len(asked.form.entries[role])
    assert answers.blank == sum(len(e) for name, e in asked.form.entries.items() if name != role) > 0


def test_a_new_term_differs_by_what_was_added(tmp_path: Path) -> None:
    source, model = open_records(HOLY_CROSS), model_of(LIBRARY)
    old = HOLY_CROSS.read_text(encoding="utf-8")
    assert term_with(source, model, "attestations", []) == old
    new = term_with(source, model, "attestations", rows())
    row = '{"attestation_id":"N1","clause_id":"c","evidence_refs":[{"ref":"x"}]}'
    assert new.replace(f",\n{row}", "", 1) == old


# What is refused


def wrong_workbook(out: Path) -> None:
    """The answers of wrong.yaml as a workbook."""
    data = load(WRONG, []).data
    cover = [
        ["Learning Mentor Policy"],
        *([key, str(value)] for key, value in data.items() if key != "roles"),
    ]
    sheets: Cells = {COVER: [list(row) for row in cover]}
    for role, entries in data["roles"].items():
        rows = [[{**e, "role": role}.get(key) for key in HEADINGS] for e in entries]
        sheets[role] = [list(HEADINGS.values()), *rows]
    save(out, sheets)


def test_refused(command: Command, text_snapshot: SnapshotAssertion, tmp_path: Path) -> None:
    wrong_workbook(tmp_path / "wrong.xlsx")
    shutil.copy(WRONG, tmp_path / "wrong.yaml")
    said = []
    for name in ("wrong.yaml", "wrong.xlsx"):
        ran = command("attest", HOLY_CROSS, "--read", name, "-o", "signed.json", cwd=tmp_path)
        assert (ran.code, ran.out) == (2, "")
        said.append(ran.err)
    assert not (tmp_path / "signed.json").exists()
    assert "\n".join(said) == text_snapshot
    codes = [re.findall(r"(?m) \[(.+)\]$", err) for err in said]
    assert codes[0] == codes[1]
    assert len(set(codes[0])) == 12


def test_broken_workbooks(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "ask.xlsx").write_bytes(as_workbook(asked.form))
    (tmp_path / "text.xlsx").write_text("Clause,Answer\n", encoding="utf-8")
    sheets = cells_of(tmp_path / "ask.xlsx")
    save(tmp_path / "no-cover.xlsx", {name: rows for name, rows in sheets.items() if name != COVER})
    role = next(iter(asked.form.entries))
    sheets[role][0][6] = "Reply"
    sheets["my notes"] = [["Ask T03 again"]]
    sheets["empty"] = []
    save(tmp_path / "headings.xlsx", sheets)
    said = []
    for name in ("text.xlsx", "no-cover.xlsx", "headings.xlsx"):
        problems: list[Problem] = []
        heading, lines = read_questionnaire(tmp_path / name, problems)
        answers = answers_of(asked.records, asked.questions, heading, lines, name, problems)
        assert answers.rows == ()
        said += [(p.where, p.code) for p in problems]
    assert said == [
        ("", "bad-workbook"),
        ("", "no-cover"),
        (f"sheet {role}", "no-headings"),
        ("sheet my notes", "no-headings"),
    ]


def test_broken_yaml(command: Command, tmp_path: Path) -> None:
    text = WRONG.read_text(encoding="utf-8").replace("answer: yes, evidence", "anwser: yes, evidence")
    (tmp_path / "typo.yaml").write_text(text, encoding="utf-8")
    ran = command("attest", HOLY_CROSS, "--read", "typo.yaml", cwd=tmp_path)
    assert ran.code == 2
    assert (
        "typo.yaml:22:47: there is no key `anwser` here [unknown-key]\n    did you mean `answer`?" in ran.err
    )


def scenario_cases() -> Iterator[Any]:
    """The conformance cases of attested clauses: the clauses, and the layers of records."""
    for file in sorted((LIBRARY / "scenarios").glob("*.yaml")):
        story = load(file, []).data
        for case in story["cases"]:
            yield pytest.param(story["judging"], [story, case], id=f"{file.stem}: {case['name']}")


@pytest.mark.parametrize(("clauses", "layers"), list(scenario_cases()))
def test_open_is_undecided_in_every_conformance_case(clauses: list[str], layers: list[Any]) -> None:
    policy = load_policy(LIBRARY)
    findings, _, problems = judged_layers(policy, layers, clauses)
    tables, setting, more = world(policy, layers)
    assert problems + more == []
    info = RecordsInfo("library", None, "SU21", setting.as_of, (), 0)
    records = Prepared(Source(LIBRARY), {}, tables, info, [(policy, None, None)], "memory")
    open_ = {(q.clause, q.subject or "SU21") for q in questions_of(records).open if q.clause in clauses}
    # where the records do not tell whom to ask, there is nobody to ask
    known = [f for f in findings if f.outcome == "undecided" and None not in f.subject.values()]
    assert open_ == {(f.rule, *f.subject.values()) for f in known}


# Folders of sheets, with the small library of the conformance cases


SHEETS = {
    "school": "school_id,name\nlibrary,The library\n",
    "terms": "term_id,starts_on,ends_on\nSP21,2021-01-04,2021-04-01\nSU21,2021-04-19,2021-07-21\n",
    "staff": "staff_id\nLIB\nHEAD\nR1\nR2\n",
    "staff_roles": "staff_id,role,from_on,to_on\n"
    "LIB,librarian,2020-09-01,2021-06-30\nHEAD,head,2020-09-01,\n"
    "R1,reader,2020-09-01,\nR2,reader,2021-07-01,\nHEAD,librarian,2021-07-01,\n",
    "complaints": "complaint_id,made_on\nC1,2021-05-04\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder of sheets with nothing signed."""
    folder = tmp_path / "summer"
    folder.mkdir()
    for name, text in SHEETS.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


QUESTIONNAIRE = """\
form: policycheck/questionnaire/1
policy: attested
version: ""
school: library
term: SU21
roles:
"""


def sign(
    command: Command, folder: Path, answers: str, records: str = "summer", output: str = "summer"
) -> Ran:
    (folder.parent / "filled.yaml").write_text(QUESTIONNAIRE + answers, encoding="utf-8")
    args = ("attest", records, "--policy", LIBRARY, "--read", "filled.yaml", "-o", output)
    return command(*args, cwd=folder.parent)


def outcomes(folder: Path) -> dict[tuple[str, ...], str]:
    result = run(folder, str(LIBRARY))
    return {(f.rule, *map(str, f.subject.values())): f.outcome for f in result.findings}


def test_a_folder_gets_the_sheets_of_signatures(command: Command, library: Path) -> None:
    ran = sign(
        command,
        library,
        "  librarian:\n"
        "    - {clause: attested.1, about: school, answer: Yes, signed_by: LIB, signed_on: 2021-06-30,\n"
        "       evidence: [photo 1, photo 2]}\n"
        "    - {clause: attested.2, about: staff R1, answer: no, signed_by: HEAD, signed_on: 2021-07-01}\n"
        "  head:\n"
        "    - {clause: attested.4, about: school, answer: yes, signed_by: HEAD, signed_on: 2021-07-01,\n"
        '       evidence: "a cloth, clean", valid_until: 2021-07-21}\n',
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "3 new answers: 2 yes, 1 no.\nWritten to summer.\n"
    assert (library / "attestations.csv").read_text(encoding="utf-8-sig").splitlines() == [
        "attestation_id,clause_id,subject_kind,subject_id,term_id,answer,signed_by,signed_role,signed_on,expires_on",
        "SU21:attested.1:LIB:librarian:2021-06-30,library/attested.1,school,,SU21,yes,LIB,librarian,2021-06-30,",
        "SU21:attested.2:R1:HEAD:librarian:2021-07-01,library/attested.2,staff,R1,SU21,no,HEAD,librarian,2021-07-01,",
        "SU21:attested.4:HEAD:head:2021-07-01,library/attested.4,school,,SU21,yes,HEAD,head,2021-07-01,2021-07-21",
    ]
    assert list(csv.reader((library / "attestation_evidence.csv").read_text("utf-8-sig").splitlines())) == [
        ["attestation_id", "ref"],
        ["SU21:attested.1:LIB:librarian:2021-06-30", "photo 1"],
        ["SU21:attested.1:LIB:librarian:2021-06-30", "photo 2"],
        ["SU21:attested.4:HEAD:head:2021-07-01", "a cloth, clean"],
    ]
    assert outcomes(library) == {
        ("attested.1.contradicted", "SU21"): "advice",
        ("attested.2", "R1"): "breach",
        ("attested.2", "R2"): "undecided",
        ("attested.3", "R1"): "undecided",
        ("attested.3", "R2"): "undecided",
    }


def test_sheets_that_are_there_are_added_to(command: Command, library: Path) -> None:
    (library / "attestations.csv").write_bytes(
        b"clause_id,attestation_id,subject_kind,term_id,answer,signed_by,signed_role,signed_on\r\n"
        b"attested.4,A1,school,SU21,no,HEAD,head,2021-07-02\r\n"
    )
    ran = sign(
        command,
        library,
        "  reader:\n"
        "    - {clause: attested.3, about: staff R2, answer: no, signed_by: R2, signed_on: 2021-07-01}\n",
    )
    assert (ran.err, ran.out) == ("", "1 new answer: 1 no.\nWritten to summer.\n")
    assert (library / "attestations.csv").read_bytes().decode().split("\r\n") == [
        "clause_id,attestation_id,subject_kind,term_id,answer,signed_by,signed_role,signed_on,subject_id",
        "attested.4,A1,school,SU21,no,HEAD,head,2021-07-02,",
        "library/attested.3,SU21:attested.3:R2:R2:reader:2021-07-01,staff,SU21,no,R2,reader,2021-07-01,R2",
        "",
    ]
    assert not (library / "attestation_evidence.csv").exists()
    assert outcomes(library)["attested.3", "R2"] == "breach"
    assert outcomes(library)["attested.4", "SU21"] == "breach"


def test_roles_are_those_of_the_day(command: Command, library: Path) -> None:
    line = "    - {{clause: attested.1, about: school, answer: no, signed_by: {}, signed_on: {}}}\n"
    said = []
    for by, on in (
        ("LIB", "2021-06-30"),
        ("LIB", "2021-07-01"),
        ("HEAD", "2021-06-30"),
        ("HEAD", "2021-07-01"),
    ):
        said.append(sign(command, library, "  librarian:\n" + line.format(by, on), output="summer").err)
        for name in ("attestations.csv", "attestation_evidence.csv"):
            (library / name).unlink(missing_ok=True)
    assert said[0] == said[3] == ""
    assert "`LIB` did not hold the role `librarian` on 1 July 2021" in said[1]
    assert "LIB: librarian from 1 September 2020 to 30 June 2021" in said[1]
    assert "`HEAD` did not hold the role `librarian` on 30 June 2021" in said[2]
    assert "HEAD: head from 1 September 2020, librarian from 1 July 2021" in said[2]


def test_another_answer_on_the_same_day(command: Command, library: Path) -> None:
    about = "clause: attested.1, about: school, signed_by: LIB, evidence: x"
    line = f"    - {{{{{about}, answer: {{}}, signed_on: {{}}}}}}\n"
    assert sign(command, library, "  librarian:\n" + line.format("no", "2021-06-29")).code == 0
    before = (library / "attestations.csv").read_bytes()
    ran = sign(command, library, "  librarian:\n" + line.format("yes", "2021-06-29"))
    assert ran.code == 2
    assert "the records have this signature already, with the answer no [signed-twice]" in ran.err
    assert (library / "attestations.csv").read_bytes() == before
    assert sign(command, library, "  librarian:\n" + line.format("yes", "2021-06-30")).code == 0
    found = {f.rule: f for f in run(library, str(LIBRARY)).findings}
    assert found["attested.1"].message == (
        "The signatures differ, yes by LIB (librarian, 30 June 2021); no by LIB (librarian, 29 June 2021): "
        "Reading is a pleasure here."
    )
    assert found["attested.1"].severity == "minor"


def test_nobody_is_known_to_hold_a_role(command: Command, library: Path) -> None:
    (library / "staff_roles.csv").unlink()
    line = "    - {clause: attested.1, about: school, answer: no, signed_by: LIB, signed_on: 2021-06-30}\n"
    ran = sign(command, library, "  librarian:\n" + line)
    assert ran.code == 2
    assert "the records have no `staff_roles`" in ran.err


def test_where_answers_are_written(command: Command, library: Path) -> None:
    line = "    - {clause: attested.1, about: school, answer: no, signed_by: LIB, signed_on: 2021-06-30}\n"
    assert (
        "-o is the folder for their sheets"
        in sign(command, library, "  librarian:\n" + line, output="x.json").err
    )
    elsewhere = library.parent / "elsewhere"
    elsewhere.mkdir()
    assert sign(command, library, "  librarian:\n" + line, output="elsewhere").code == 0
    assert [f.name for f in elsewhere.iterdir()] == ["attestations.csv"]
    assert not (library / "attestations.csv").exists()
    term = {
        name: [
            {k: v for k, v in row.items() if v}
            for row in csv.DictReader((library / f"{name}.csv").read_text(encoding="utf-8").splitlines())
        ]
        for name in SHEETS
    }
    (library.parent / "term.json").write_text(json.dumps(term), encoding="utf-8")
    ran = sign(command, library, "  librarian:\n" + line, records="term.json", output="summer")
    assert "a new one that ends in .json" in ran.err
    ran = sign(command, library, "  librarian:\n" + line, records="term.json", output="term.json")
    assert (ran.code, ran.err) == (0, "")
    assert outcomes(library.parent / "term.json")["attested.1", "SU21"] == "breach"


def test_signatures_are_shown_with_their_finding(library: Path) -> None:
    shutil.copy(library / "staff.csv", library / "staff.bak")
    (library / "attestations.ndjson").write_text(
        '{"attestation_id":"A1","clause_id":"attested.4","subject_kind":"school","term_id":"SU21","answer":"yes",'
        '"signed_by":"LIB","signed_role":"librarian","signed_on":"2021-06-01","evidence_refs":["a cloth"]}\n'
        '{"attestation_id":"A2","clause_id":"attested.4","subject_kind":"school","term_id":"SU21","answer":"no",'
        '"signed_by":"HEAD","signed_role":"head","signed_on":"2021-07-02"}\n',
        encoding="utf-8",
    )
    form = run(library, str(LIBRARY)).as_json()
    finding = next(f for f in form["findings"] if f["rule"] == "attested.4")
    assert (finding["outcome"], finding["severity"], finding["contradicts"]) == ("breach", "minor", False)
    assert finding["signatures"] == [
        {"id": "A1", "answer": "yes", "by": "LIB", "role": "librarian", "on": "2021-06-01"},
        {"id": "A2", "answer": "no", "by": "HEAD", "role": "head", "on": "2021-07-02"},
    ]
    assert {r["id"] for r in finding["records"]} >= {"A1", "A2"}


def test_a_contradicted_yes_has_a_heading(command: Command, library: Path) -> None:
    sign(
        command,
        library,
        "  librarian:\n"
        "    - {clause: attested.1, about: school, answer: yes, signed_by: LIB, signed_on: 2021-06-30,\n"
        "       evidence: x}\n",
    )
    ran = command("run", library, "--policy", LIBRARY, "--only", "attested.1")
    assert "Signed yes, and the records speak against it (1)\n" in ran.out
    assert "Advice" not in ran.out
    finding = next(f for f in run(library, str(LIBRARY)).as_json()["findings"] if f["contradicts"])
    assert finding["message"] == (
        "Signed yes by LIB (librarian, 30 June 2021), and the records speak against it: "
        "There was the complaint C1."
    )
    assert [r["id"] for r in finding["records"]] == ["SU21", "C1", "SU21:attested.1:LIB:librarian:2021-06-30"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--role", "chief"], "signed in the role `chief`"),
        (["-o", "ask.docx"], "a questionnaire ends in .xlsx or .yaml"),
        (["--read", "nowhere.xlsx"], "there is no file `nowhere.xlsx`"),
        (["--read", "README.md"], "is no questionnaire"),
        (["--read", "README.md", "--role", "sendco"], "--role chooses what is asked"),
        (["-o", "no/such/folder/ask.xlsx"], "no folder `no/such/folder`"),
        (["--set", "frequent_share=much"], "no parameter `frequent_share`"),
        (["--as-of", "2020-05-01"], "name no term to sign for"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(args: list[str], said: str, library: Path, command: Command) -> None:
    ran = command("attest", library, "--policy", LIBRARY, *args)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_policy_without_signatures(tmp_path: Path) -> None:
    (tmp_path / "books.csv").write_text("book_id\n", encoding="utf-8")
    records = prepared(tmp_path, str(ROOT / "tests" / "cases" / "count"))
    with pytest.raises(UsageError, match="`count` has no clause that a signature decides"):
        questions_of(records)


def test_another_policy_and_term(command: Command, library: Path, text_snapshot: SnapshotAssertion) -> None:
    shutil.copy(WRONG, library.parent / "wrong.yaml")
    ran = command("attest", "summer", "--policy", LIBRARY, "--read", "wrong.yaml", cwd=library.parent)
    assert ran.code == 2
    assert ran.err == text_snapshot


# The parts


def rows() -> list[dict[str, Any]]:
    return [{"attestation_id": "N1", "clause_id": "c", "evidence_refs": [{"ref": "x"}]}]


def test_ndjson_stays_ndjson(tmp_path: Path) -> None:
    (tmp_path / "attestations.ndjson").write_text('{"attestation_id":"A1"}', encoding="utf-8")
    model = model_of(LIBRARY)
    assert sheets_with(tmp_path, model, "attestations", rows()) == {
        "attestations.ndjson": '{"attestation_id":"A1"}\n'
        '{"attestation_id":"N1","clause_id":"c","evidence_refs":[{"ref":"x"}]}\n'
    }
    (tmp_path / "attestation_evidence.csv").write_text("ref,attestation_id\ny,A1\n", encoding="utf-8")
    assert sheets_with(tmp_path, model, "attestations", rows()) == {
        "attestations.ndjson": '{"attestation_id":"A1"}\n{"attestation_id":"N1","clause_id":"c"}\n',
        "attestation_evidence.csv": "ref,attestation_id\ny,A1\nx,N1\n",
    }


def test_parquet_is_not_added_to(tmp_path: Path) -> None:
    (tmp_path / "attestations.parquet").write_bytes(b"")
    with pytest.raises(UsageError, match="keep `attestations` as CSV or NDJSON"):
        sheets_with(tmp_path, model_of(LIBRARY), "attestations", rows())


def test_a_term_that_keeps_evidence_apart(tmp_path: Path) -> None:
    file = tmp_path / "term.json"
    file.write_text('{"attestations": [], "attestation_evidence": []}', encoding="utf-8")
    text = term_with(open_records(file), model_of(LIBRARY), "attestations", rows())
    assert json.loads(text) == {
        "attestations": [{"attestation_id": "N1", "clause_id": "c"}],
        "attestation_evidence": [{"attestation_id": "N1", "ref": "x"}],
    }


def test_csv_text_is_kept() -> None:
    assert csv_with('\ufeffa,b\r\n1,"x, y"\r\n', ["a", "b", "c"], [{"c": "3"}]) == (
        '\ufeffa,b,c\r\n1,"x, y",\r\n,,3\r\n'
    )


def test_names_of_sheets() -> None:
    long = "head of learning support and inclusion"
    assert sheet_names(["a/b", "A b", long, long + "!", "?"], ["sheet"]) == [
        "a b",
        "A b 2",
        "head of learning support and in",
        "head of learning support and 2",
        "sheet 2",
    ]


def test_workbooks_read_back_what_was_written(tmp_path: Path) -> None:
    columns = (Column("Name"), Column("Day", kind="date"), Column("Kind", choices=("a", "b"), fill=True))
    written: list[list[str | None]] = [["=1+1", "2021-05-03", "a"], ["007", None, None]]
    (tmp_path / "x.xlsx").write_bytes(workbook_bytes([Sheet("one", columns, written)], "2021-07-21"))
    assert cells_of(tmp_path / "x.xlsx") == {"one": [["Name", "Day", "Kind"], *written]}


def test_cells_as_texts() -> None:
    assert [cell_text(v) for v in (12.0, 1.5, True, "  x ", "", date(2021, 5, 3))] == [
        "12",
        "1.5",
        "true",
        "x",
        None,
        "2021-05-03",
    ]
    assert [letters(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
