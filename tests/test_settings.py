"""A school's own settings: what its waivers do, what is said of each, and what is wrong in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policycheck.policy.load import load_policy
from policycheck.run import run
from policycheck.spans import standing
from policycheck.structure import validator
from policycheck.trials import laid
from policycheck.yamlfile import load_or_fail
from syrupy.assertion import SnapshotAssertion

from tests.properties.profile import examples
from tests.support import ROOT, Ran

HERE = ROOT / "tests" / "settings"
POLICY = ROOT / "tests" / "cases" / "waivers"
CASES = load_or_fail(HERE / "cases.yaml").data
USUAL = {
    "reason": "The bridge is closed.",
    "approved_by": "the chair",
    "starts": "2021-05-01",
    "expires": "2021-06-30",
}
Form = dict[str, Any]


@cache
def without_settings(as_of: str, *only: str) -> Mapping[str, str]:
    """The outcomes when nothing is set."""
    return outcomes(judged(None, as_of, list(only)))


def judged(settings: Path | None, as_of: str = "2021-06-30", only: list[str] | None = None) -> Form:
    """The records of this folder under the library's policy."""
    options: dict[str, Any] = {"as_of": as_of, "only": only or [], "settings": settings}
    return run(HERE / "records.json", str(POLICY), **options).as_json()


def outcomes(form: Form) -> dict[str, str]:
    """The outcome of each finding, by rule and subject."""
    return {
        f"{f['rule']} {' '.join(map(str, f['subject'].values()))}": f["outcome"] for f in form["findings"]
    }


def written(waivers: list[dict[str, Any]], folder: Path) -> Path:
    """A settings file with these waivers, a key to a line; what is null is left out."""
    lines = ["waivers:"]
    for waiver in waivers:
        rest = {key: value for key, value in waiver.items() if key not in USUAL}
        whole = {**rest, **USUAL, **waiver}
        rows = [f"{key}: {json.dumps(value)}" for key, value in whole.items() if value is not None]
        lines += [f"  {'  ' if i else '- '}{row}" for i, row in enumerate(rows)]
    file = folder / "school.yaml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["case"])
def test_waivers(case: dict[str, Any], tmp_path: Path) -> None:
    as_of, only = case.get("as_of", "2021-06-30"), case.get("only", [])
    form = judged(written(case["waivers"], tmp_path), as_of, only)
    before, after = without_settings(as_of, *only), outcomes(form)
    assert before.keys() == after.keys()
    assert {key: after[key] for key in after if after[key] != before[key]} == case["changes"]
    waivers = {w["id"]: w for w in form["waivers"] if w["kind"] == "waiver"}
    assert {name: w["status"] for name, w in waivers.items()} == case["statuses"]
    for name, says in case.get("says", {}).items():
        assert says in waivers[name]["says"]
    for name, at in case.get("at", {}).items():
        assert waivers[name]["at"] == at
    for name, findings in case.get("findings", {}).items():
        assert waivers[name]["findings"] == findings


def test_findings_without_a_waiver() -> None:
    assert outcomes(judged(None)) == {
        "waivers.1 L1": "breach",
        "waivers.1 L3": "breach",
        "waivers.1 L4": "breach",
        "waivers.2 M2": "breach",
        "waivers.3 M3": "breach",
        "waivers.4 L2": "advice",
        "waivers.4 L4": "undecided",
        "waivers.5 L3": "excused",
        "waivers.6 L5": "pending",
    }


def test_an_excused_finding_says_who_and_until_when(tmp_path: Path) -> None:
    form = judged(written([{"waiver": "W", "rule": "waivers.1", "subject": {"loan": "L1"}}], tmp_path))
    finding = next(f for f in form["findings"] if f["subject"] == {"loan": "L1"})
    assert finding["message"].endswith("Accepted until 30 June 2021 by the chair (waiver W).")
    assert finding["cases"] == {"excused": 1}
    rule = next(r for r in form["rules"] if r["id"] == "waivers.1")
    assert (rule["outcomes"]["breach"], rule["outcomes"]["excused"]) == (2, 1)
    assert (rule["cases"]["breach"], rule["cases"]["excused"]) == (2, 1)


def test_a_finding_that_is_waived_in_part_says_so(tmp_path: Path) -> None:
    waiver = {"waiver": "W", "rule": "waivers.3", "subject": {"member": "M3"}, "expires": "2021-05-31"}
    records = json.loads((HERE / "records.json").read_text(encoding="utf-8"))
    records["loans"].append({**records["loans"][3], "loan_id": "L6"})
    term = tmp_path / "term.json"
    term.write_text(json.dumps(records), encoding="utf-8")
    form = run(term, str(POLICY), as_of="2021-06-30", settings=written([waiver], tmp_path)).as_json()
    finding = next(f for f in form["findings"] if f["rule"] == "waivers.3")
    assert finding["outcome"] == "breach"
    assert finding["message"] == "M3 was late 2 times: L4 and L6."
    assert finding["notes"] == ["Part of it is waived. Accepted until 31 May 2021 by the chair (waiver W)."]
    assert finding["cases"] == {"breach": 2, "excused": 1}
    (entry,) = (w for w in form["waivers"] if w["kind"] == "waiver")
    assert entry["status"] == "excuses"
    assert "of which 1 is a breach all the same" in entry["says"]


DAYS = [f"2021-05-{day:02}" for day in (1, 11, 12, 13, 20, 31)] + ["2021-06-09", "2021-06-30", "soon", ""]
SUBJECTS = [{}, {"loan": "L1"}, {"loan": "L4"}, {"member": "M2"}, {"member": "M3"}]


@st.composite
def waivers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some waivers, of which few are right."""
    made = []
    for i in range(draw(st.integers(1, 3))):
        subject = draw(st.sampled_from(SUBJECTS))
        about = "member" if "member" in subject else "loan"
        rules = ["waivers.2", "waivers.3"] if about == "member" else ["waivers.1", "waivers.4", "waivers.5"]
        waiver: dict[str, Any] = {"waiver": f"W{i}", "rule": draw(st.sampled_from(rules))}
        waiver |= {"subject": subject} if subject else {}
        for key in ("starts", "expires"):
            waiver |= {key: draw(st.sampled_from(DAYS))} if draw(st.booleans()) else {}
        waiver |= {"reason": " "} if draw(st.integers(0, 4)) == 0 else {}
        made.append(waiver)
    return made


@given(waivers(), st.sampled_from(["2021-05-31", "2021-06-30", "2021-07-01"]))
@examples(60)
def test_a_waiver_turns_breaches_into_excused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]], as_of: str
) -> None:
    form = judged(written(made, tmp_path_factory.mktemp("settings")), as_of)
    before, after = without_settings(as_of), outcomes(form)
    assert before.keys() == after.keys()
    changed = {key: (before[key], after[key]) for key in after if before[key] != after[key]}
    assert set(changed.values()) <= {("breach", "excused"), ("advice", "excused")}
    ids = {f"{f['rule']} {' '.join(f['subject'].values())}": f["id"] for f in form["findings"]}
    excusing = {f for w in form["waivers"] if w["kind"] == "waiver" for f in w["findings"]}
    assert {ids[key] for key in changed} == excusing
    for w in form["waivers"]:
        assert (w["status"] == "excuses") == bool(w["findings"])
        assert w["kind"] == "exception" or w["status"] != "excuses" or "" not in (w["starts"], w["expires"])


@pytest.mark.parametrize(
    ("starts", "ends", "day", "is_"),
    [
        ("2021-05-01", "2021-05-31", "2021-05-01", "holds"),
        ("2021-05-01", "2021-05-31", "2021-05-31", "holds"),
        ("2021-05-01", "2021-05-31", "2021-06-01", "expired"),
        ("2021-05-01", "2021-05-31", "2021-04-30", "not started"),
        ("2021-05-01", None, "2021-05-01", "expired"),
        (None, "2021-05-31", "2021-05-01", "not started"),
        (None, None, "2021-05-01", "expired"),
    ],
)
def test_spans(starts: str | None, ends: str | None, day: str, is_: str) -> None:
    assert standing(starts, ends, day) == is_


# Exceptions on file


EXCEPTIONS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("it is needed", {}, {}, "excuses", "Without it there would be 1 finding more"),
    ("it ends too soon", {"ends_on": "2021-05-19"}, {}, "expired", "It ran out on 19 May 2021"),
    ("without an end", {"ends_on": None}, {}, "excuses", ""),
    ("nobody allowed it", {"allowed_by": None}, {}, "not valid", "nobody allowed it"),
    ("allowed to oneself", {"allowed_by": "M3"}, {}, "not valid", "by the one it is for"),
    ("the loan is met now", {}, {"returned_on": "2021-05-18"}, "met", "What it covers is now met"),
    ("flawed, of a loan that is met", {"allowed_by": None}, {"returned_on": "2021-05-18"}, "not valid", ""),
    ("of a loan that is not back", {}, {"returned_on": None}, "nothing", "It matches nothing"),
    ("who borrowed is unknown", {"allowed_by": "M1"}, {"member_id": None}, "undecided", "cannot tell"),
]


@pytest.mark.parametrize(
    ("waiver", "loan", "status", "says"), [pytest.param(*c[1:], id=c[0]) for c in EXCEPTIONS]
)
def test_exceptions(
    waiver: dict[str, Any], loan: dict[str, Any], status: str, says: str, tmp_path: Path
) -> None:
    records = json.loads((HERE / "records.json").read_text(encoding="utf-8"))
    records["waivers"][0] |= waiver
    records["loans"][2] |= loan
    term = tmp_path / "term.json"
    term.write_text(json.dumps(records), encoding="utf-8")
    form = run(term, str(POLICY), as_of="2021-06-30").as_json()
    (entry,) = form["waivers"]
    assert (entry["kind"], entry["id"], entry["relation"]) == ("exception", "X1", "waivers")
    assert entry["status"] == status
    assert says in entry["says"]
    assert entry["findings"] == (["waivers:waivers.5:loan=L3"] if status == "excuses" else [])


STORY = "very-exceptional-circumstances"
WOODLANDS = ROOT / "policies" / "woodlands-progress-mentor" / "2021-03-19"
HOLY_CROSS = ROOT / "policies" / "holy-cross-learning-mentor" / "2020-11-30"


policy_in = cache(load_policy)


def of_scene(policy: Path, layers: list[Any], only: list[str], folder: Path) -> Form:
    """What comes of the small world of a policy with layers over it."""
    loaded = policy_in(policy)
    scene = loaded.scene
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in loaded.model.relations}
    for layer in [{"given": scene["rows"]}, *layers]:
        assert laid(loaded, rows, layer, scene["defaults"]) == []
    term = folder / "term.json"
    term.write_text(json.dumps(rows), encoding="utf-8")
    return run(term, str(policy), as_of=scene.get("as_of"), only=only).as_json()


def exceptional(**fields: Any) -> dict[str, Any]:
    return {"given": {"exceptions": [{"exception_id": "X1", **fields}]}}


def in_class(**fields: Any) -> dict[str, Any]:
    return {"given": {"lessons": [{"lesson_id": "L1", **fields}]}}


STORIES: list[tuple[str, list[Any], str, str]] = [
    ("as the school meant it", [], "excuses", "Without it there would be 1 finding more."),
    ("named without its school", [exceptional(clause_id="expectations.slt.4.b")], "excuses", ""),
    (
        "approved afterwards",
        [exceptional(approved_on="2021-05-04")],
        "not valid",
        "approved after its first day",
    ),
    ("no day of approval", [exceptional(approved_on=None)], "not valid", "no day of approval is given"),
    ("not approved", [exceptional(approved_by=None)], "not valid", "nobody approved it"),
    ("a blank reason", [exceptional(reason=" ")], "not valid", "it gives no reason"),
    ("not very exceptional", [exceptional(grade="other")], "not valid", "not graded as very exceptional"),
    ("approved by a teacher", [exceptional(approved_by="T1")], "not valid", "had none of the roles that may"),
    ("approved by oneself", [exceptional(approved_by="A")], "not valid", "approved by the one it is for"),
    ("standing", [exceptional(ends_on="2021-05-07")], "not valid", "goes on for longer"),
    ("without an end", [exceptional(ends_on=None)], "not valid", "goes on for longer"),
    (
        "of the day before",
        [exceptional(starts_on="2021-04-28", ends_on="2021-04-28", approved_on="2021-04-28")],
        "expired",
        "It ran out on 28 April 2021, before the day that counts.",
    ),
    (
        "of the day after",
        [exceptional(starts_on="2021-04-30", ends_on="2021-04-30")],
        "not started",
        "It begins on 30 April 2021, after the day that counts.",
    ),
    ("for another deployment", [exceptional(ref_id="D9")], "nothing", "It matches nothing that was judged."),
    ("for a row of another kind", [exceptional(ref_relation="pupils")], "nothing", ""),
    (
        "to a clause that allows none",
        [exceptional(clause_id="woodlands/principles.2.b")],
        "not valid",
        "The policy knows no exception to woodlands/principles.2.b.",
    ),
    (
        "to a clause that is not there",
        [exceptional(clause_id="woodlands/expectation.slt.4.b")],
        "not valid",
        "did you mean `expectations.slt.4.b`?",
    ),
    (
        "to a clause of another school",
        [exceptional(clause_id="holy-cross/expectations.slt.4.b")],
        "not valid",
        "there is no clause `holy-cross/expectations.slt.4.b` in this policy",
    ),
    (
        "to a clause that asks for nothing",
        [exceptional(clause_id="woodlands/expectations.slt.4.c")],
        "not valid",
        "no rule judges the clause `expectations.slt.4.c`",
    ),
    (
        "a teacher was there after all",
        [
            in_class(teacher_present=True),
            {"given": {"deployments": [{"deployment_id": "D1", "mode": "works_group"}]}},
        ],
        "met",
        "What it covers is now met.",
    ),
    (
        "nobody knows whether a teacher was there",
        [in_class(teacher_present=None)],
        "undecided",
        "cannot tell",
    ),
]


@pytest.mark.parametrize(("layers", "status", "says"), [pytest.param(*s[1:], id=s[0]) for s in STORIES])
def test_exceptions_of_woodlands(layers: list[Any], status: str, says: str, tmp_path: Path) -> None:
    story = load_or_fail(WOODLANDS / "scenarios" / f"{STORY}.yaml").data
    form = of_scene(WOODLANDS, [{"given": story["given"]}, *layers], story["judging"], tmp_path)
    (entry,) = form["waivers"]
    assert (entry["status"], entry["kind"]) == (status, "exception")
    assert says in entry["says"]
    finding = next((f for f in form["findings"] if f["rule"] == "expectations.slt.4.b"), None)
    assert (finding is not None and finding["outcome"] == "excused") == (status == "excuses")


def test_a_policy_that_knows_no_exceptions(tmp_path: Path) -> None:
    row = {
        "exception_id": "X1",
        "clause_id": "holy-cross/head.2.a",
        "ref_relation": "terms",
        "ref_id": "SUM21",
    }
    form = of_scene(HOLY_CROSS, [{"given": {"exceptions": [row]}}], ["head.2.a"], tmp_path)
    assert [w["says"] for w in form["waivers"]] == ["The policy knows no exception to holy-cross/head.2.a."]


# What is wrong in a file


WRONG = sorted((HERE / "wrong").iterdir())


@pytest.mark.parametrize("file", WRONG, ids=lambda f: f.stem)
def test_what_is_wrong(file: Path, command: Callable[..., Ran], text_snapshot: SnapshotAssertion) -> None:
    policy = "woodlands-progress-mentor" if file.stem == "parameters" else POLICY
    records = "docs/examples/first-sheets" if file.stem == "parameters" else HERE / "records.json"
    ran = command("run", records, "--policy", policy, "--as-of", "2021-06-30", "--settings", file)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == text_snapshot


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "school.yaml"
    file.write_text("# to be filled in\n", encoding="utf-8")
    assert outcomes(judged(file)) == outcomes(judged(None))


def test_no_such_file(command: Callable[..., Ran]) -> None:
    ran = command("run", HERE / "records.json", "--policy", POLICY, "--settings", "schol.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "schol.yaml: cannot be read: No such file or directory" in ran.err


# Parameters, and results that were kept


def test_parameters_of_the_file_and_of_the_command(command: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "school.yaml"
    file.write_text("parameters: {answer_school_days: 3, late_rate_max: 1}\n", encoding="utf-8")
    sheets = ["docs/examples/first-sheets", "--policy", "woodlands-progress-mentor", "--only", "front.3"]
    ran = command("run", *sheets, "--settings", file, "--set", "answer_school_days=4")
    assert "The school has set answer_school_days to 4 (usually 2)." in ran.out
    assert "The school has set late_rate_max to 1" in ran.out


@pytest.mark.parametrize("value", ["nan", "inf", "true"])
def test_what_is_no_number(value: str, command: Callable[..., Ran]) -> None:
    ran = command("run", "fixtures/small/good.json", "--set", f"late_rate_max={value}")
    assert ran.code == 2
    assert f"such as `0.05`, not `{value}`" in ran.err


def test_a_result_is_verified_with_its_settings(command: Callable[..., Ran], tmp_path: Path) -> None:
    settings = written([{"waiver": "W", "rule": "waivers.1", "subject": {"loan": "L1"}}], tmp_path)
    result = tmp_path / "result.json"
    options = ["--policy", POLICY, "--as-of", "2021-06-30", "--settings", settings]
    ran = command("run", HERE / "records.json", *options, "--format", "json", "-o", result)
    assert ran.code == 1
    form = json.loads(result.read_text(encoding="utf-8"))
    assert [e.message for e in validator("findings").iter_errors(form)] == []
    assert command("verify", result).out == "It comes out the same.\n"
    written([{"waiver": "W", "rule": "waivers.1", "subject": {"loan": "L3"}}], tmp_path)
    ran = command("verify", result)
    assert ran.code == 1
    assert "the school's settings have changed" in ran.out
    assert "outcome: excused -> breach" in ran.out
    settings.unlink()
    ran = command("verify", result)
    assert ran.code == 2
    assert "cannot be read" in ran.err


def test_a_table_says_what_to_do(
    command: Callable[..., Ran], tmp_path: Path, text_snapshot: SnapshotAssertion
) -> None:
    right: dict[str, Any] = {"rule": "waivers.1", "subject": {"loan": "L1"}}
    wrong = [{"waiver": "W1", **right}, {"waiver": "W2", **right, "expires": "soon", "approved_by": None}]
    met = {"waiver": "W3", "rule": "waivers.1", "subject": {"loan": "L2"}}
    written([*wrong, met], tmp_path)
    options = ["--policy", POLICY, "--as-of", "2021-06-30", "--settings", "school.yaml"]
    ran = command("run", HERE / "records.json", *options, cwd=tmp_path)
    assert ran.code == 1
    assert ran.out == text_snapshot
