"""The documentation says what is so: pages are current, commands print what is shown, nothing is left out."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from policycheck.cli import app
from policycheck.errors import Problem
from policycheck.policy import bodies
from policycheck.policy.find import shipped
from policycheck.records.model import load_model
from policycheck.structure import schema, structure_problems
from policycheck.waivers import Status
from policycheck.yamlfile import load

from tests.support import ROOT, Ran

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SCHEMAS = ("policy", "section", "records", "scene", "scenario")


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def page_name(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def test_made_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "make_pages.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0


# What the program has, the pages name


def options() -> Iterator[str]:
    """Every option of every command."""
    group: Any = typer.main.get_command(app)
    for command in (group, *group.commands.values()):
        for parameter in command.params:
            yield from (name for name in parameter.opts if name.startswith("-"))


def test_every_option_is_described() -> None:
    pages = read("using.md") + read("reference.md")
    assert [name for name in dict.fromkeys(options()) if f"`{name}`" not in pages] == []


def test_every_command_is_described() -> None:
    group: Any = typer.main.get_command(app)
    assert [name for name in group.commands if f"## policycheck {name}\n" not in read("reference.md")] == []


def keywords() -> dict[str, list[str]]:
    """The words of bodies, patterns and terms, by what they are."""
    calendars = list(load_model(shipped() / "records.yaml").calendars)
    return {
        "tests": list(bodies.TESTS),
        "special keys": list(bodies.SPECIAL),
        "aggregate keys": list(bodies.AGGREGATE_KEYS),
        "shifts": [*bodies.SHIFTS, *calendars],
        "distances": [f"{unit}_from" for unit in ("days", "weeks", "minutes", *calendars)],
        "parts": list(bodies.PARTS),
        "pairs": list(bodies.PAIRS),
    }


def said_in_code(page: str) -> str:
    """What stands in code type on a page."""
    blocks = re.findall(r"(?ms)^```.*?^```", page)
    return "\n".join([*blocks, *re.findall(r"`[^`\n]+`", re.sub(r"(?ms)^```.*?^```", "", page))])


@pytest.mark.parametrize(("kind", "words"), keywords().items(), ids=lambda x: x if isinstance(x, str) else "")
def test_every_keyword_is_in_the_language(kind: str, words: list[str]) -> None:
    code = said_in_code(read("language.md"))
    assert [word for word in words if not re.search(rf"(?<!\w){word}(?!\w)", code)] == []


def keys_of(node: Any) -> Iterator[str]:
    """Every key, and every word of a list to choose from, that a schema knows."""
    if isinstance(node, dict):
        yield from node.get("properties", ())
        yield from map(str, node.get("enum", ()))
        if "const" in node:
            yield str(node["const"])
        for value in node.values():
            yield from keys_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_of(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_of_the_files_is_in_the_language(name: str) -> None:
    code = said_in_code(read("language.md"))
    words = dict.fromkeys(keys_of(schema(name)))
    assert [word for word in words if not re.search(rf"(?<!\w){word}(?!\w)", code)] == []


def test_every_module_is_in_the_architecture() -> None:
    page = read("architecture.md")
    modules = [
        file.relative_to(folder).as_posix()
        for folder in (ROOT / "engine" / "policycheck_engine", ROOT / "checks" / "policycheck")
        for file in sorted(folder.rglob("*.py"))
        if file.name != "__init__.py" and file.parent.name != "commands"
    ]
    assert [module for module in modules if f"`{module}`" not in page] == []


# Problems


@pytest.fixture(scope="module")
def problems() -> dict[str, list[str]]:
    """The messages of every problem code in the sources."""
    sys.path.insert(0, str(DOCS))
    try:
        found: dict[str, list[str]] = importlib.import_module("pages.problems").problems_in(
            [ROOT / "engine", ROOT / "checks"]
        )
    finally:
        sys.path.remove(str(DOCS))
    return found


def test_every_problem_is_described(problems: dict[str, list[str]]) -> None:
    page = read("errors.md")
    assert len(problems) > 50
    assert [code for code in problems if f"### `{code}`\n" not in page] == []
    assert "(to be written)" not in page


def test_no_problem_is_described_twice() -> None:
    codes = re.findall(r"(?m)^### `(.+)`$", read("errors.md"))
    assert sorted(codes) == sorted(set(codes))


def test_a_message_has_one_code(problems: dict[str, list[str]]) -> None:
    by_message: dict[str, list[str]] = {}
    for code, messages in problems.items():
        for message in messages:
            by_message.setdefault(message, []).append(code)
    assert {message: codes for message, codes in by_message.items() if len(codes) > 1} == {}


# Links, commands and examples


def anchors(page: str) -> set[str]:
    """The places of a page that a link can point to."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", said_outside_code(text)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def said_outside_code(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", text)


@dataclass(frozen=True, slots=True)
class Shown:
    """A command that a page shows, with what it is said to print."""

    command: str
    output: str
    code: int | None


RUN = ("policycheck", "cp", "cat", "sed")
"""The commands of console blocks that are run, one after the other for each page."""


def shown(page: Path) -> Iterator[Shown]:
    """Every command in the console blocks of a page."""
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", page.read_text(encoding="utf-8")):
        parts = re.split(r"(?m)^\$ ", block)[1:]
        for part, after in zip(parts, [*parts[1:], ""], strict=True):
            command, _, output = part.partition("\n")
            if command.split()[0] in RUN:
                code = int(after.split("\n")[1]) if after.startswith("echo $?") else None
                yield Shown(command, output, code)
            else:
                assert command == "echo $?", f"{page.name} shows `{command}`, which no test runs"


def copy_of_the_project(folder: Path) -> Path:
    """A folder in which commands may write, and see the project's files as if it were its root."""
    for entry in ROOT.iterdir():
        if not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.mark.parametrize("page", [p for p in PAGES if list(shown(p))], ids=page_name)
def test_commands_print_what_the_page_shows(page: Path, command: Callable[..., Ran], tmp_path: Path) -> None:
    here = copy_of_the_project(tmp_path)
    for example in shown(page):
        words = shlex.split(example.command)
        if words[0] == "policycheck":
            ran = command(*words[1:], cwd=here)
        else:
            done = subprocess.run(words, cwd=here, capture_output=True, encoding="utf-8", check=False)
            ran = Ran(done.returncode, done.stdout, done.stderr)
        printed = ran.out + ran.err
        said = f"$ {example.command}\nprinted:\n{printed}"
        assert example.code in (None, ran.code), said
        lines = [pattern(line) for line in example.output.splitlines()]
        fits = [bool(re.match("".join(lines[:n]), printed)) for n in range(1, len(lines) + 1)]
        lost = [line for line, fit in zip(example.output.splitlines(), fits, strict=True) if not fit]
        assert lost == [], said
        assert re.fullmatch("".join(lines), printed), f"more than the page shows: {said}"


def pattern(line: str) -> str:
    """A line as it is; three dots stand for the rest of it, or for any lines."""
    if line == "...":
        return r"(?:.*\n)*?"
    if line.endswith("..."):
        return re.escape(line.removesuffix("...").rstrip()) + r".*\n"
    return re.escape(line) + r"\n"


def yaml_blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for i, block in enumerate(re.findall(r"(?ms)^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"))):
            yield f"{page_name(page)} {i + 1}", block


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in yaml_blocks()])
def test_yaml_can_be_read(block: str, tmp_path: Path) -> None:
    file = tmp_path / "block.yaml"
    file.write_text(block, encoding="utf-8")
    found: list[Problem] = []
    document = load(file, found)
    assert found == []
    for key, name in (("relations", "records"), ("policy", "policy"), ("section", "section")):
        if isinstance(document.data, dict) and key in document.data:
            assert structure_problems(document, name) == []


def test_every_key_of_the_settings_is_described() -> None:
    code = said_in_code(read("using.md"))
    words = dict.fromkeys(keys_of(schema("settings")))
    assert [word for word in words if not re.search(rf"(?<!\w){word}(?!\w)", code)] == []


def test_every_status_of_a_waiver_is_described() -> None:
    statuses = schema("findings")["properties"]["waivers"]["items"]["properties"]["status"]["enum"]
    assert tuple(statuses) == get_args(Status)
    assert [status for status in statuses if f"`{status}`" not in read("using.md")] == []


def test_pages_of_what_was_measured_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "measure.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
