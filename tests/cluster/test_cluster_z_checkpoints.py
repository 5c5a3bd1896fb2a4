"""Checkpoints on a real kubelet: time to save until the node goes, and a next attempt that knows that it resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cluster.lab import Lab
from cluster.operator_process import ROOT
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, simulated

NOTICE = 20


def _example() -> Body:
    """The job of examples/resume.yaml with a state of its own, that has further to count than this test lasts."""
    bodies: list[Any] = list(yaml.safe_load_all((Path(ROOT) / "examples" / "resume.yaml").read_text()))
    spec: Body = bodies[-1]["spec"]["template"]["spec"]
    script = spec["containers"][0]["command"][-1]
    # The second attempt has seen all there is to see when it begins.
    spec["containers"][0]["command"][-1] = script.replace('while [ "$at" -lt 60 ]', 'while [ "$at" -lt "$most" ]')
    most = 'most=1000; [ -z "$BATCHYARD_RESUMED_FROM_ATTEMPT" ] || most=0\n'
    spec["containers"][0]["command"][-1] = most + spec["containers"][0]["command"][-1]
    return {"template": bodies[-1]["spec"]["template"], "checkpoint": bodies[-1]["spec"]["checkpoint"]}


def test_the_example_goes_on_where_it_stopped(lab: Lab) -> None:
    settings = {"sharedVolume": f"batchyard-{lab.run}"}
    lab.environment("sharing", managed("docker", [shape(1)], 2, capacityType="Spot", settings=settings))
    lab.queue("sharing", "sharing")
    lab.job("resumes", "sharing", **_example())
    node = lab.phase("resumes", "Running", seconds=90)["status"]["attempts"][-1]["node"]
    lab.batchyard("interrupt", node, "--notice", str(NOTICE))
    first, last = lab.succeeded("resumes", 90)["attempts"]
    assert (first["reason"], first["counted"]) == ("Interrupted", False)
    assert last["node"] != node


def test_a_claim_of_a_size_comes_before_the_pod_and_goes_with_the_job(lab: Lab) -> None:
    lab.environment("claims", managed("simulated", [shape(1)], 1))
    lab.queue("claims", "claims")
    lab.job("keeps", "claims", template=simulated(), checkpoint={"size": "1Gi", "storageClassName": "none-such"})
    path = f"/api/v1/namespaces/{lab.namespace}/persistentvolumeclaims"

    def claims() -> list[Body]:
        return [body for body in lab.api.call("GET", path)["items"] if body["metadata"]["name"] == "keeps-checkpoint"]

    until(claims)
    until(lambda: lab.pods("keeps"))
    assert claims()[0]["spec"]["resources"]["requests"]["storage"] == "1Gi"
    lab.api.delete("Job", "keeps", lab.namespace)
    until(lambda: all("deletionTimestamp" in body["metadata"] for body in claims()), 60)
