"""Small trusts for tests: libraries that lend books, judged by the policy in tests/trust."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from policycheck.records.read import Source
from policycheck.trust.folder import Apart

from tests.support import ROOT

LENDING = ROOT / "tests" / "trust" / "lending"
Rows = dict[str, list[dict[str, Any]]]


def library(number: int, loans: int = 3) -> Rows:
    """A school's rows: loans, `number % 3` of them late, and a fine for the first of these."""
    school = f"library-{number}"
    late = number % 3
    lent = [
        {
            "loan_id": f"{school}-L{i}",
            "lent_on": "2021-05-03",
            "returned_on": "2021-05-28" if i < late else "2021-05-10",
            "pages": 100 + i,
            "remark": "as it was",
        }
        for i in range(loans)
    ]
    fines = [{"fine_id": "F1", "loan_id": f"{school}-L0", "paid_at": "2021-06-01T10:20", "pence": 25.5}]
    return {
        "school": [{"school_id": school, "name": f"Library {number}"}],
        "terms": [{"term_id": "SUM21", "starts_on": "2021-04-19", "ends_on": "2021-07-21"}],
        "loans": lent,
        "fines": fines[:late],
    }


def libraries(folder: Path, count: int, loans: int = 3) -> Path:
    """A trust with a folder for each school; relations without rows are left out."""
    for number in range(1, count + 1):
        term(folder / f"library-{number}", library(number, loans))
    return folder


def term(folder: Path, rows: Rows) -> None:
    """A folder with a term file."""
    folder.mkdir(parents=True)
    text = json.dumps({name: its for name, its in rows.items() if its})
    (folder / "term.json").write_text(text, encoding="utf-8")


def mixed(folder: Path, count: int) -> Path:
    """The same schools in one folder, a file for each relation."""
    folder.mkdir()
    for number in range(1, count + 1):
        rows = library(number)
        for relation, its in rows.items():
            with (folder / f"{relation}.ndjson").open("a", encoding="utf-8") as stream:
                for row in its:
                    stream.write(json.dumps({**row, "school_id": rows["school"][0]["school_id"]}) + "\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones as well."""
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def policies(folder: Path, **schools: str | None) -> Path:
    """A folder of policies, by name: for a school, or for any."""
    folder.mkdir()
    shutil.copy(LENDING.parent / "records.yaml", folder)
    for name, school in schools.items():
        shutil.copytree(LENDING, folder / name)
        text = (LENDING / "policy.yaml").read_text(encoding="utf-8").replace("lending\n", f"{name}\n", 1)
        line = f"school: {school}\n" if school else ""
        (folder / name / "policy.yaml").write_text(text + line, encoding="utf-8")
    return folder


class Deadly(Apart, frozen=True):
    """A school whose records end the process that reads them."""

    def open(self) -> Source:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def deadly(number: int) -> int:
    """A function that ends its process for 3, and fails for 4."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        raise SystemExit(7)
    return number * number


def process(_: int) -> int:
    """The process that is at work."""
    return os.getpid()
