"""The reasons that the code can give, found where it gives them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from batchyard.decide.outcome import AWS_NAMES

PACKAGE = Path(__file__).resolve().parents[2] / "operator" / "batchyard"
_PLACES = ("decide", "engine", "pools", "world")
_TOKEN = re.compile(r"[A-Z][A-Za-z]*[a-z][A-Za-z]*")
# Who is told a reason -> which of his arguments it is.
_TOLD = {
    "Blocked": 1, "Outlook": 0, "RefusedError": 0, "Refusal": 0, "Standing": 2, "Verdict": 1, "Enough": 0, "Taken": 2,
}  # fmt: skip


def reasons() -> set[str]:
    """Return every reason that a job, an attempt or an environment of its queue can show."""
    trees = (ast.parse(path.read_text()) for place in _PLACES for path in (PACKAGE / place).glob("*.py"))
    return {*AWS_NAMES, *(token for tree in trees for token in _in(tree))}


def words() -> set[str]:
    """Return every text in the code that looks like a reason."""
    trees = (ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py"))
    return {token for tree in trees for node in ast.walk(tree)
            if isinstance(node, ast.expr) for token in _tokens(node, {})}  # fmt: skip


def _in(tree: ast.Module) -> Iterator[str]:
    constants = {node.targets[0].id: node.value for node in tree.body
                 if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TOLD:
            place = _TOLD[node.func.id]
            yield from _tokens(node.args[place], constants) if len(node.args) > place else ()
        elif isinstance(node, ast.Assign) and any(_is_reason(target) for target in node.targets):
            yield from _tokens(node.value, constants)


def _is_reason(target: ast.expr) -> bool:
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    return any(isinstance(part, ast.Attribute) and part.attr == "reason" for part in parts)


def _tokens(value: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    """Yield the reasons that an expression may be, also by a constant of the module."""
    if isinstance(value, ast.JoinedStr):
        return  # a part of a word is none
    if isinstance(value, ast.Name) and value.id in constants:
        yield from _tokens(constants[value.id], {})
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and _TOKEN.fullmatch(value.value):
        yield value.value
    for part in ast.iter_child_nodes(value):
        if isinstance(part, ast.expr):
            yield from _tokens(part, constants)
