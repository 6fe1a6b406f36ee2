"""The README says what is so: its two commands are there, and its output is the program's own."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.support import ROOT, Ran

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(kind: str, name: str) -> str:
    found = re.search(rf"<!-- {kind}: {name} -->\n```\w+\n(.*?)\n```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_output_is_what_the_command_prints(command: Callable[..., Ran]) -> None:
    records = re.search(r"policycheck run (\S+)", block("command", "judge"))
    assert records is not None
    printed = [line.rstrip() for line in command("run", records[1]).out.splitlines()]
    shown = block("output", "judge").splitlines()
    assert shown == printed[: len(shown)]


def test_commands_install_what_they_need() -> None:
    for name in ("judge", "test"):
        text = block("command", name)
        assert text.startswith("python3 -m venv .venv && .venv/bin/python -m pip install")
        assert "-c constraints.txt" in text


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_constraints_name_no_host() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")
