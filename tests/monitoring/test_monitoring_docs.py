"""The tables, dashboards and alerts that are checked in are those of the code, and speak of metrics that exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml
from dashboards.__main__ import FILES
from dashboards.grafana import render
from dashboards.reading import HERE, shown

from batchyard.telemetry.catalogue import ALL, LABELS

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "charts" / "batchyard" / "files" / "rules.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
_NAME = re.compile(r"\bbatchyard_\w+")
_SUFFIXES = ("", "_bucket", "_count", "_sum")


def test_the_page_is_that_of_the_code() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    import metrics_table

    text = metrics_table.PAGE.read_text()
    assert text == metrics_table.page(text), "run make metrics-table"


@pytest.mark.parametrize("name", FILES)
def test_the_dashboards_are_those_of_the_code(name: str) -> None:
    assert (HERE / name).read_text() == render(FILES[name]), "run make dashboards"


def test_labels_are_explained_and_none_is_a_name_without_bound() -> None:
    labels = {label for metric in ALL for label in metric.labels}
    assert labels == set(LABELS)
    assert not labels & {"job", "pod", "node", "name", "namespace", "uid"}
    assert len({metric.name for metric in ALL}) == len(ALL)


def _strangers(text: str) -> set[str]:
    known = {metric.name + suffix for metric in ALL for suffix in _SUFFIXES}
    return set(_NAME.findall(text)) - known


@pytest.mark.parametrize("dashboard", ["users", "operators"])
def test_dashboards_ask_for_metrics_that_exist(dashboard: str) -> None:
    queries = [expression for panel in shown(dashboard) for expression, _ in panel.queries]
    assert queries
    assert _strangers(" ".join(queries)) == set()


def test_every_metric_of_jobs_and_environments_is_on_a_dashboard_or_in_an_alert() -> None:
    queries = [expression for name in ("users", "operators") for p in shown(name) for expression, _ in p.queries]
    text = " ".join([*queries, *(rule["expr"] for rule in ALERTS)])
    missing = [metric.name for metric in ALL if metric.name not in text]
    assert missing == ["batchyard_start_estimates_total"], "how often the p90 held: for who tunes estimates"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels'].get('cause', '')}")
def test_an_alert_says_what_with_numbers_and_what_to_do(rule: dict) -> None:
    notes = rule["annotations"]
    assert _strangers(rule["expr"] + notes["description"]) == set()
    assert notes["summary"]
    assert re.search(r"\$value|\| query", notes["description"]), "no number"
    page, _, section = notes["runbook"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert section in [heading.lower() for heading in headings]
    assert rule["labels"]["severity"] in ("warning", "critical")
