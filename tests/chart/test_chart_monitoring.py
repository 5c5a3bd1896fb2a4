"""What Prometheus and Grafana are given is what lies in the chart's files, whatever braces it holds."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from chart_tree import CHART, Render

RULES = {
    "groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0", "annotations": {"s": "{{ $labels.queue }}"}}]}]
}
BOARD = {"title": "Users", "panels": [{"legend": "{{queue}}"}]}
ON = "metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true,metrics.dashboards.enabled=true"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The chart with rules and a dashboard of ours, whatever it has itself."""
    chart = tmp_path / "batchyard"
    shutil.copytree(CHART, chart)
    for folder in ("crds", "dashboards"):
        shutil.rmtree(chart / "files" / folder, ignore_errors=True)
    (chart / "files/dashboards").mkdir(parents=True)
    (chart / "files/rules.yaml").write_text(yaml.safe_dump(RULES))
    (chart / "files/dashboards/users.json").write_text(json.dumps(BOARD, indent=2))
    return chart


def test_rules_and_dashboards_arrive_whole(helm: str, copy: Path) -> None:
    command = [helm, "template", "batchyard", str(copy), "--set", ON]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {thing["kind"]: thing for thing in yaml.safe_load_all(rendered) if thing}
    assert found["PrometheusRule"]["spec"] == RULES
    assert json.loads(found["ConfigMap"]["data"]["users.json"]) == BOARD
    assert found["ConfigMap"]["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_prometheus_finds_the_service_that_has_all_replicas(render: Render) -> None:
    objects = render(ON)
    (monitor,) = [thing["spec"] for thing in objects if thing["kind"] == "ServiceMonitor"]
    wanted = monitor["selector"]["matchLabels"].items()
    services = [thing["metadata"] for thing in objects if thing["kind"] == "Service"]
    assert [meta["name"] for meta in services if wanted <= meta["labels"].items()] == ["batchyard-metrics"]
    assert monitor["namespaceSelector"]["matchNames"] == [services[0]["namespace"]]


def test_nothing_of_it_unless_asked_for(render: Render) -> None:
    assert {"ServiceMonitor", "PrometheusRule", "ConfigMap"}.isdisjoint(thing["kind"] for thing in render())
