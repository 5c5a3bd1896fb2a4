"""Every value is described once, in the schema, has a default, and is shown in docs/install.md."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chart_tree import CHART, ROOT

sys.path.insert(0, str(ROOT))
from tools import values_table

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, node in schema["properties"].items():
        yield f"{path}{name}", node
        if "properties" in node:
            yield from nodes(node, f"{path}{name}.")


def test_every_value_is_described_in_sentences() -> None:
    assert [path for path, node in nodes(SCHEMA) if not node.get("description", "").endswith(".")] == []


@pytest.mark.parametrize("path", [path for path, _ in nodes(SCHEMA) if path != "global"])
def test_every_value_has_a_default(path: str) -> None:
    found: Any = VALUES
    for name in path.split("."):
        assert name in found, f"values.yaml has no {path}"
        found = found[name]


def test_the_page_shows_them_all() -> None:
    assert values_table.main(["--check"]) is None
