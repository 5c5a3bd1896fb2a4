"""Advice from real kubelets and from a metrics API: what pods ask for beside what they use, and what is better."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from cluster.lab import Lab
from cluster.metrics_api import metrics_api
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, shell, simulated

THREE = range(3)


def _advice(lab: Lab, definition: str) -> dict[str, Any]:
    """What the command says to somebody who may read the kubelets' summaries."""
    words = ("advise", definition, "-n", lab.namespace, "-o", "json")
    said: dict[str, Any] = json.loads(lab.batchyard(*words, kubeconfig=lab.api.kubeconfig))
    return said


def _conditions(lab: Lab, definition: str) -> dict[str, dict[str, Any]]:
    status = lab.api.get("JobDefinition", definition, lab.namespace).get("status") or {}
    return {condition["type"]: condition for condition in status.get("conditions") or ()}


def test_pods_that_ask_for_much_more_than_they_use_are_told_what_would_do_and_what_it_saves(
    lab: Lab, tmp_path: Path
) -> None:
    lab = replace(lab, namespace=lab.new_namespace("advised"))
    lab.environment("roomy", managed("docker", [shape(2)], 2))
    lab.environment("played", managed("simulated", [shape(4)], 4))
    lab.queue("roomy", "roomy")
    lab.queue("played", "played")
    lab.definition("greedy", template=shell("sleep 120", cpu="600m", memory="256Mi"))
    lab.definition("idle", template=simulated(10_000))
    for number in THREE:
        lab.job(f"greedy-{number}", "roomy", definition={"name": "greedy"})
    with metrics_api(lab.api, lab.namespace, {f"idle-{n}-1": ("100m", "50Mi") for n in THREE}, tmp_path):
        for number in THREE:
            lab.job(f"idle-{number}", "played", definition={"name": "idle"})
        _the_operator_tells(lab)
        (told,) = _advice(lab, "idle")["items"]
        assert (told["pods"], told["seenBefore"]) == (0, 3), "what the operator saw counts after they have ended"
        assert told["suggested"] == {"cpu": "150m", "memory": "64Mi"}
    _the_command_asks_the_kubelets(lab)


def _the_operator_tells(lab: Lab) -> None:
    """It has looked by itself, and a definition says what came of it once its pods have ended."""
    sized = until(lambda: _conditions(lab, "idle").get("RightSized"), 60, lambda: _conditions(lab, "idle"))
    assert (sized["status"], sized["reason"]) == ("False", "RequestsTooLarge")
    assert "Ask for cpu 150m, memory 64Mi: that saves 0.85 an hour of a pod" in sized["message"]
    advice = lab.api.get("JobDefinition", "idle", lab.namespace)["status"]["advice"]
    assert (advice["pods"], advice["savesPerHour"]) == (3, "0.850000"), "of a node of 4 CPUs and 4 GiB at $4"
    assert _conditions(lab, "idle")["ImagesReady"]["reason"] == "ImageUnpinned"
    assert "RequestsTooLarge" in lab.kubectl("describe", "jobdefinition", "idle", "-n", lab.namespace)


def _the_command_asks_the_kubelets(lab: Lab) -> None:
    for number in THREE:
        lab.phase(f"greedy-{number}", "Running", seconds=90)
    until(lambda: _advice(lab, "greedy")["items"][0].get("suggested"), 60, lambda: _advice(lab, "greedy"))
    said = _advice(lab, "greedy")
    (told,) = said["items"]
    assert said["source"].startswith("the kubelet of node ")
    assert (told["definition"], told["pods"]) == ("greedy", 3)
    assert told["asked"] == {"cpu": "600m", "memory": "256Mi"}
    assert told["suggested"] == {"cpu": "50m", "memory": "64Mi"}
    # A pod has its largest share of a node at $2 an hour: 600m of 2 CPUs before, 64Mi of 2Gi afterwards.
    assert Decimal(told["savesPerHour"]) == Decimal("0.5375")
    assert any(line.startswith("asks for 600m cpu and uses") for line in told["advice"])
