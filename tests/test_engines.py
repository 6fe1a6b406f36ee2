"""Every evaluator gives the same result on whole terms; the naive one is for small ones only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import pytest
from policycheck.cli import app
from policycheck.commands.shared import ENGINES
from policycheck.engines import MEMORY_ROWS, chosen_engine, evaluator, second_engine
from policycheck.errors import DisagreementError, UsageError
from policycheck.records.check import Table, Tables
from policycheck.run import run
from policycheck_engine import Program, Relation, Row
from typer.testing import CliRunner

from tests.support import DURABLE, ROOT, WITHOUT_DURABLE, needs_durable

TERM = ROOT / "fixtures" / "woodlands" / "summer-2021.json"
OTHER_TERM = ROOT / "fixtures" / "holy-cross" / "summer-2021.json"
SMALL = ROOT / "fixtures" / "small" / "good.json"


def test_full_term_on_duckdb_and_in_memory(policycheck_findings: Callable[..., str]) -> None:
    assert policycheck_findings(TERM, engine="duckdb") == policycheck_findings(TERM, engine="memory")


@needs_durable
@pytest.mark.parametrize("term", [TERM, OTHER_TERM], ids=["woodlands", "holy-cross"])
def test_full_terms_on_durable_rules(term: Path, policycheck_findings: Callable[..., str]) -> None:
    assert policycheck_findings(term, engine="durable") == policycheck_findings(term, engine="memory")


@pytest.mark.parametrize("engine", ["memory", "duckdb", "naive", DURABLE])
def test_small_records_on_every_engine(engine: str, policycheck_findings: Callable[..., str]) -> None:
    assert policycheck_findings(SMALL, engine=engine) == policycheck_findings(SMALL)


def test_the_choice_depends_on_the_rows_alone() -> None:
    def tables(rows: int) -> Tables:
        return {"r": Table(Relation("r", ()), "", [()] * rows, lambda i: "")}

    assert chosen_engine("auto", tables(1)) == "memory"
    assert chosen_engine("auto", tables(MEMORY_ROWS + 1)) == "duckdb"
    assert chosen_engine("duckdb", tables(1)) == "duckdb"


def test_unknown_engine() -> None:
    with pytest.raises(UsageError, match="no engine `rete`"):
        run(SMALL, engine="rete")
    with pytest.raises(UsageError, match="no engine `rete`"):
        run(SMALL, cross_check="rete")
    ran = CliRunner().invoke(app, ["run", str(SMALL), "--cross-check", "rete"])
    assert ran.exit_code == 2
    assert "there is no engine `rete`" in ran.output


# One engine checked by another


@pytest.mark.parametrize(
    ("engine", "second"),
    [("memory", "duckdb"), ("duckdb", "naive"), pytest.param("memory", "durable", marks=needs_durable)],
)
def test_engines_that_agree(engine: str, second: str) -> None:
    result = run(OTHER_TERM, engine=engine, cross_check=second, only=["key-principles.1"])
    assert (result.engine, result.cross_checked) == (engine, second)
    assert result.as_json()["receipt"]["cross_checked"] == second


def test_an_engine_by_itself_is_checked_by_none() -> None:
    result = run(SMALL)
    assert result.cross_checked is None
    assert "cross_checked" not in result.as_json()["receipt"]


def test_which_engine_checks() -> None:
    assert second_engine("auto", "memory") == ("duckdb" if WITHOUT_DURABLE else "durable")
    assert second_engine("auto", "durable") == "duckdb"
    assert second_engine("naive", "memory") == "naive"
    assert second_engine(None, "memory") is None
    with pytest.raises(UsageError, match="`memory` is what evaluates; name another engine"):
        second_engine("memory", "memory")


def make_wrong(monkeypatch: pytest.MonkeyPatch, name: str, relation: str) -> None:
    """Let one engine lose a row of a relation, and make one up."""

    def evaluate(program: Program, tables: object, wanted: Sequence[str]) -> dict[str, set[Row]]:
        found = evaluator(name)(program, tables, wanted)
        if relation in found:
            lost = min(found[relation], key=repr)
            found[relation] = found[relation] - {lost} | {("P999", *lost[1:-1], None)}
        return found

    module = import_module("policycheck.engines")
    monkeypatch.setattr(module, "evaluator", lambda asked: evaluate if asked == name else evaluator(asked))


EXPECTED = """\
the engines memory and duckdb do not agree on these records, so nothing was judged
    rule `key-principles.1`, the cases that fail:
        only memory has 1:
            case K09, entered 2021-04-20, ended 2021-06-11, starts 2021-04-19, limit 2021-05-05
        only duckdb has 1:
            case P999, entered 2021-04-20, ended 2021-06-11, starts 2021-04-19, limit unknown
    one of the two is wrong: please report this, with a third engine's result if you can"""


def test_engines_that_do_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    make_wrong(monkeypatch, "duckdb", "fails:key-principles.1")
    with pytest.raises(DisagreementError) as raised:
        run(OTHER_TERM, cross_check="duckdb", only=["key-principles.1", "key-principles.2"])
    assert str(raised.value) == EXPECTED


def test_a_disagreement_fails_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_wrong(monkeypatch, "duckdb", "fails:key-principles.1")
    output = tmp_path / "out.json"
    command = ["run", str(OTHER_TERM), "--only", "key-principles.1", "-o", str(output)]
    ran = CliRunner().invoke(app, [*command, "--cross-check", "duckdb"])
    assert ran.exit_code == 2
    assert "policycheck: the engines memory and duckdb do not agree" in ran.output
    assert not output.exists()
    assert CliRunner().invoke(app, command).exit_code == 1
    assert output.exists()


@pytest.mark.parametrize(
    "arguments",
    [["--cross-check", str(SMALL)], [str(SMALL), "--cross-check"], [str(SMALL), "--cross-check=auto"]],
)
def test_the_engine_that_checks_need_not_be_named(arguments: list[str]) -> None:
    ran = CliRunner().invoke(app, ["run", *arguments, "--format", "json"])
    assert f'"cross_checked": "{second_engine("auto", "memory")}"' in ran.output


def test_all_engines_are_known_to_the_command_line() -> None:
    assert {"auto", "memory", "duckdb", "naive", "durable"} == ENGINES
    ran = CliRunner().invoke(app, ["run", str(SMALL), "--engine", "rete"])
    assert all(engine in ran.output for engine in ENGINES)
