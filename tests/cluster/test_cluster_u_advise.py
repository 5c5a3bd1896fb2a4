"""Advice from real kubelets: what pods ask for beside what they use, and what a better request would save."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, shell


def _advice(lab: Lab) -> dict[str, Any]:
    """What the command says to somebody who may read the kubelets' summaries."""
    told = lab.batchyard("advise", "-n", lab.namespace, "-o", "json", kubeconfig=lab.api.kubeconfig)
    said: dict[str, Any] = json.loads(told)
    return said


def test_pods_that_ask_for_much_more_than_they_use_are_told_what_would_do_and_what_it_saves(lab: Lab) -> None:
    lab = replace(lab, namespace=lab.new_namespace("advised"))
    lab.environment("roomy", managed("docker", [shape(2)], 2))
    lab.queue("roomy", "roomy")
    lab.definition("greedy", template=shell("sleep 120", cpu="600m", memory="256Mi"))
    for number in range(3):
        lab.job(f"greedy-{number}", "roomy", definition={"name": "greedy"})
    for number in range(3):
        lab.phase(f"greedy-{number}", "Running", seconds=90)
    until(lambda: _advice(lab)["items"][0].get("suggested"), 60, lambda: _advice(lab))
    said = _advice(lab)
    (told,) = said["items"]
    assert said["source"].startswith("the kubelet of node ")
    assert (told["definition"], told["pods"]) == ("greedy", 3)
    assert told["asked"] == {"cpu": "600m", "memory": "256Mi"}
    assert told["suggested"] == {"cpu": "50m", "memory": "64Mi"}
    # A pod has its largest share of a node at $2 an hour: 600m of 2 CPUs before, 64Mi of 2Gi afterwards.
    assert Decimal(told["savesPerHour"]) == Decimal("0.5375")
    assert any(line.startswith("asks for 600m cpu and uses") for line in told["advice"])
