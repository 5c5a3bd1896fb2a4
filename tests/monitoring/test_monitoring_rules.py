"""promtool's own opinion of the alerts, and what they do on series."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "charts" / "batchyard" / "files" / "rules.yaml"


def _run(promtool: Path, *words: str) -> str:
    done = subprocess.run([str(promtool), *words], cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_are_valid(promtool: Path) -> None:
    assert "SUCCESS" in _run(promtool, "check", "rules", "--lint=all", "--lint-fatal", str(RULES))


def test_each_alert_fires_when_it_should(promtool: Path) -> None:
    assert "SUCCESS" in _run(promtool, "test", "rules", "rules_test.yaml")


def test_every_alert_is_tested_with_and_without_reason() -> None:
    tested = yaml.safe_load((HERE / "rules_test.yaml").read_text())["tests"]
    cases = [case for test in tested for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case["exp_alerts"]}
    quiet = {case["alertname"] for case in cases if not case["exp_alerts"]}
    rules = yaml.safe_load(RULES.read_text())
    assert fires == quiet == {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
