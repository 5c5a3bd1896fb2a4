"""A real Prometheus scrapes a real run: every panel, choice and alert of ours has data of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dashboards.prometheus import Prometheus
from dashboards.reading import filled, shown, variables

from batchyard.telemetry.catalogue import ALL, Metric
from cluster.rest import until
from monitoring.prometheus_process import SCRAPE_SECONDS, prometheus
from monitoring.scene import Scene, scene

pytestmark = [pytest.mark.cluster, pytest.mark.nodes]

# Panels that have no data in this run, and why: none.
EMPTY: dict[str, str] = {}
PATIENCE = 120.0
_ADDED = {"instance", "job", "namespace", "le", "__name__"}  # by Prometheus


@dataclass(frozen=True)
class Run:
    """A Prometheus that scrapes what is going on since `begin`."""

    prometheus: Prometheus
    begin: float
    played: Scene

    def values(self, queries: dict[str, str]) -> dict[str, str]:
        """What Grafana puts in place of variables."""
        span = int(time.time() - self.begin) + 1
        return {"__rate_interval": f"{4 * SCRAPE_SECONDS}s", "__range": f"{span}s", **queries}

    def told(self, dashboard: str) -> bool:
        """Say whether all of a dashboard has had data; else see to it that there goes on to be something to tell."""
        if not self.silent(dashboard):
            return True
        self.played.go_on()
        return False

    def silent(self, dashboard: str) -> list[str]:
        """The queries of a dashboard that have had no data so far, each with its panel."""
        chosen = self.values({name: ".*" for name, _ in variables(dashboard)})
        found = []
        for panel in shown(dashboard):
            for expression, _ in panel.queries if panel.title not in EMPTY else ():
                series = self.prometheus.over(filled(expression, chosen), (self.begin, time.time()), 1)
                if not any(one.points for one in series):
                    found.append(f"{panel.title}: {expression}")
        return found


@pytest.fixture(scope="module")
def run(prometheus_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("run")
    with scene(folder) as played:
        target = f"127.0.0.1:{played.lab.operator.port}"
        with prometheus(prometheus_program, folder, target) as asked:
            begin = time.time()
            played.open()
            played.wave(40)
            until(lambda: played.reclaim() or played.go_on(), 120)
            played.stop()
            yield Run(asked, begin, played)


@pytest.mark.parametrize("dashboard", ["users", "operators"])
def test_every_panel_has_data(run: Run, dashboard: str) -> None:
    assert sum(bool(panel.queries) for panel in shown(dashboard)) >= 20
    until(lambda: run.told(dashboard), PATIENCE, lambda: "\n".join(run.silent(dashboard)))


@pytest.mark.parametrize("dashboard", ["users", "operators"])
def test_every_choice_has_values(run: Run, dashboard: str) -> None:
    for name, query in variables(dashboard):
        metric = query.removeprefix("label_values(").split(",")[0]
        found = run.prometheus.get(f"label/{name}/values", **{"match[]": metric})
        assert len([value for value in found if not value.startswith("(")]) >= 3, query


def test_a_panel_that_asks_for_what_is_not_there_would_be_found(run: Run) -> None:
    assert run.prometheus.over("batchyard_no_such_metric", (run.begin, time.time()), 1) == []


def test_every_metric_is_there_with_its_labels_and_no_other(run: Run) -> None:
    def told() -> dict[str, set[str]]:
        """By name of a family the labels of its series."""
        found: dict[str, set[str]] = {}
        series: list[dict[str, str]] = run.prometheus.get("series", **{"match[]": '{__name__=~"batchyard_.*"}'})
        for labels in series:
            found.setdefault(_family(labels["__name__"]), set()).update(labels.keys() - _ADDED)
        return found

    until(lambda: told().keys() >= {metric.name for metric in ALL}, 30, lambda: {m.name for m in ALL} - told().keys())
    assert told() == {metric.name: set(metric.labels) for metric in ALL}


def _family(series: str) -> str:
    histograms = (metric.name for metric in ALL if metric.type == "histogram")
    return next((name for name in histograms if series.rpartition("_")[0] == name), series)


def test_alerts_are_evaluated_and_the_refused_environment_is_noticed(run: Run) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in run.prometheus.get("rules")["groups"] for rule in group["rules"]]

    until(lambda: all(rule["health"] == "ok" for rule in rules()), 30, lambda: rules())
    assert len(rules()) >= 10

    def noticed() -> list[dict[str, str]]:
        return [alert["labels"] for rule in rules() for alert in rule["alerts"]]

    def refused() -> list[str]:
        return [labels["environment"] for labels in noticed() if labels.get("cause") == "refused"]

    until(lambda: any("scarce" in name for name in refused()), 60, noticed)
    assert not [labels for labels in noticed() if "Leader" in labels["alertname"] or "Stale" in labels["alertname"]]


def test_the_numbers_are_those_of_the_jobs(run: Run) -> None:
    """Attempts that succeeded, by the histogram of their run times and by the counter, are the same."""
    counted = 'sum(batchyard_attempts_total{outcome="Succeeded"})'
    timed = 'sum(batchyard_attempt_run_seconds_count{outcome="Succeeded"})'

    def one(query: str) -> float:
        return run.prometheus.at(query, time.time())[0].points[0][1]

    until(lambda: one(counted) > 30, PATIENCE, lambda: one(counted))
    until(lambda: one(counted) == one(timed), 20, lambda: (one(counted), one(timed)))


def test_a_metric_is_of_a_type_that_its_name_says() -> None:
    def fits(metric: Metric) -> bool:
        return (metric.type == "counter") == metric.name.endswith("_total")

    assert [metric.name for metric in ALL if not fits(metric)] == []
