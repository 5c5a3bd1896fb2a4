"""Write the table of the chart's values into docs/install.md, from values.schema.json and values.yaml.

`python tools/values_table.py`; with --check it writes nothing and exits with 1 if the page is not up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
CHART, PAGE = ROOT / "charts" / "batchyard", ROOT / "docs" / "install.md"
BEGIN, END = "<!-- values: written by tools/values_table.py -->\n", "<!-- end of values -->\n"
_INTERNAL = ("global",)  # helm's own


def table() -> str:
    """Return the table: a row for each value, and one for each group of them."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = "\n".join(f"| {name} | {default} | {text} |" for name, default, text in _rows(schema, values, ""))
    return f"| value | default | what for |\n|---|---|---|\n{rows}\n"


def _rows(schema: dict[str, Any], values: Any, path: str) -> Iterator[tuple[str, str, str]]:
    for name, node in schema["properties"].items():
        if name in _INTERNAL and not path:
            continue
        where, value = f"{path}{name}", (values or {}).get(name)
        group = "properties" in node
        yield f"**`{where}`**" if group else f"`{where}`", "" if group else _shown(value), node["description"]
        if group:
            yield from _rows(node, value, f"{where}.")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return f"`{text}`" if text else ""


def page(text: str) -> str:
    """Return a page with the table put between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}"


def main(arguments: list[str]) -> str | None:
    """Return nothing if all is well, else the sentence that says what to do."""
    old = PAGE.read_text()
    new = page(old)
    if "--check" in arguments:
        return None if new == old else f"{PAGE.name} does not show the chart's values: run python tools/values_table.py"
    PAGE.write_text(new)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
