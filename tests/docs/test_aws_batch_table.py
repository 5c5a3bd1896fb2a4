"""docs/aws-batch.md has a row for every field of AWS Batch, and every test that a row names exists."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "aws-batch.md"
FIELDS = ROOT / "docs" / "aws-fields.txt"
VERDICTS = {"same", "better", "not yet"}
_TEST = re.compile(r"`(\w+/test_\w+\.py(?:::\w+)+)`")


@dataclass(frozen=True)
class Row:
    """One row of the table, under the heading of its operation."""

    operation: str
    field: str
    ours: str
    verdict: str
    proof: str


def rows() -> list[Row]:
    found, operation = [], ""
    for line in TABLE.read_text().splitlines():
        if line.startswith("## "):
            operation = line[3:].strip()
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 4:
            found.append(Row(operation, cells[0].strip("`"), *cells[1:]))
    return found


@cache
def names(path: Path) -> frozenset[str]:
    """Return the tests of a file: `test_x` and `TestX::test_x`."""
    body = ast.parse(path.read_text()).body if path.exists() else []
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    inner = [f"{node.name}::{name}" for node in classes for name in _functions(node.body)]
    return frozenset([*_functions(body), *inner])


def _functions(body: list[ast.stmt]) -> list[str]:
    return [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("operation", sorted({line.split()[0] for line in FIELDS.read_text().splitlines()}))
def test_every_field_has_one_row(operation: str) -> None:
    fields = [line.split()[1] for line in FIELDS.read_text().splitlines() if line.split()[0] == operation]
    told = [row.field for row in rows() if row.operation == operation]
    assert sorted(told) == sorted(fields)
    assert len(set(fields)) == len(fields) > 3


def test_every_row_has_a_verdict_and_says_what_ours_is() -> None:
    assert [row for row in rows() if row.verdict not in VERDICTS or not row.ours] == []


def test_same_and_better_are_shown_by_tests_that_exist() -> None:
    claims = [row for row in rows() if row.verdict != "not yet"]
    assert [row for row in claims if not _TEST.search(row.proof)] == []
    named = {test for row in claims for test in _TEST.findall(row.proof)}
    missing = [test for test in named if _inner(test) not in names(ROOT / "tests" / test.partition("::")[0])]
    assert missing == []


def _inner(test: str) -> str:
    return test.partition("::")[2]


def test_not_yet_says_why() -> None:
    assert [row for row in rows() if row.verdict == "not yet" and len(row.proof.split()) < 3] == []


def test_the_sums_are_those_of_the_rows() -> None:
    counts = {verdict: sum(1 for row in rows() if row.verdict == verdict) for verdict in VERDICTS}
    told = re.findall(r"\*\*(\d+)\*\* are (same|better|not yet)", TABLE.read_text())
    assert {verdict: int(number) for number, verdict in told} == counts
