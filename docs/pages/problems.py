"""The problems that policycheck can report: their codes and messages, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

SLUG = re.compile(r"[a-z]+(-[a-z]+)*")
MAKERS = {"Problem": 3, "problem": 2, "add": 5, "add_to_source": 4}
"""The calls that make a problem, and how many arguments they have at least."""


def problems_in(folders: Iterable[Path]) -> dict[str, list[str]]:
    """The messages by code, with three dots for what varies, in the order of the alphabet."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            for code, message in problems_of(ast.parse(file.read_text(encoding="utf-8"))):
                found.setdefault(code, set()).add(message)
    return {code: sorted(found[code]) for code in sorted(found)}


def problems_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Code and message of every problem that a module makes."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and is_maker(node):
                    yield from problem_of(node, function)


def is_maker(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in MAKERS and len(call.args) >= MAKERS[name]


def problem_of(call: ast.Call, function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """The code is the first argument that looks like one; the message stands behind it."""
    for argument, message in zip(call.args, call.args[1:], strict=False):
        if isinstance(argument, ast.Constant) and SLUG.fullmatch(str(argument.value)):
            yield from ((str(argument.value), text) for text in texts(message, function, call.lineno))
            return


def texts(node: ast.expr, function: ast.FunctionDef, line: int) -> list[str]:
    """What an expression can say."""
    match node:
        case ast.Constant(value=value):
            return [str(value)]
        case ast.JoinedStr(values=values):
            return ["".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in values)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*texts(body, function, line), *texts(orelse, function, line)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [a + b for a in texts(left, function, line) for b in texts(right, function, line)]
        case ast.Name(id=name):
            return [text for value in assigned(name, function, line) for text in texts(value, function, line)]
    return ["…"]


def assigned(name: str, function: ast.FunctionDef, line: int) -> list[ast.expr]:
    """What was put into a variable last before a line."""
    found = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and node.lineno <= line
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    return [max(found, key=lambda node: node.lineno).value] if found else []


def checks_of(data: Any) -> dict[str, list[str]]:
    """The checks of a record model, which are problems too: messages by code."""
    checks = (data.get("integrity") or {}).get("checks", ())
    return {check["check"]: [re.sub(r"\{.*?\}", "…", check["message"])] for check in checks}
