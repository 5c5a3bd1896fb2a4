"""The dashboards as they are shipped, read back from their JSON: what each panel asks Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1] / "charts" / "batchyard" / "files" / "dashboards"
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class Shown:
    """One panel, or the heading of a row; `place` is x, y, width and height in the grid's units."""

    title: str
    kind: str  # row, stat, timeseries
    unit: str
    stacked: bool
    place: tuple[int, int, int, int]
    queries: tuple[tuple[str, str], ...]  # PromQL with variables, name of its series


def shown(name: str, folder: Path = HERE) -> list[Shown]:
    """Return the panels of `operators` or `users`, in their order."""
    body = json.loads((folder / f"{name}.json").read_text())
    return [_shown(panel) for panel in body["panels"]]


def _shown(panel: Mapping[str, Any]) -> Shown:
    grid = panel["gridPos"]
    defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
    stacking = ((defaults.get("custom") or {}).get("stacking") or {}).get("mode")
    queries = tuple((target["expr"], target["legendFormat"]) for target in panel.get("targets") or ())
    place = (grid["x"], grid["y"], grid["w"], grid["h"])
    return Shown(panel["title"], panel["type"], defaults.get("unit", ""), stacking == "normal", place, queries)


def filled(expression: str, values: Mapping[str, str]) -> str:
    """Return a query with its variables replaced; KeyError names one that has no value."""
    return _VARIABLE.sub(lambda found: values[found[1]], expression)


def variables(name: str, folder: Path = HERE) -> Iterator[tuple[str, str]]:
    """Yield the choices of a dashboard: name, and the metric and label that its values are of."""
    for entry in json.loads((folder / f"{name}.json").read_text())["templating"]["list"]:
        if entry["type"] == "query":
            yield entry["name"], entry["query"]
