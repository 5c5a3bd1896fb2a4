"""Checkpoints on real kubelets: time to save, word of it in the file, and a next attempt that finds what was saved."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.lab import Lab
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, shell, simulated

NOTICE = "20"  # seconds; half of them are for the program, which without a notice has two
_SAVES = (
    'if [ -n "$BATCHYARD_RESUMED_FROM_ATTEMPT" ]; then exec rm /state/saved; fi; '
    """trap '[ -s "$BATCHYARD_INTERRUPTION_FILE" ] && sleep 4 && touch /state/saved; exit 0' TERM; """
    "while true; do sleep 0.2; done"
)


def _saves(run: str) -> dict[str, Any]:
    """A program that takes longer to save than its own grace, and whose next attempt fails unless it has saved."""
    state = {"name": "state", "hostPath": {"path": f"/shared/{run}", "type": "DirectoryOrCreate"}}
    mounts = {"volumeMounts": [{"name": "state", "mountPath": "/state"}]}
    return shell(_SAVES, cpu="600m", volumes=[state], container=mounts)


@pytest.fixture(scope="module")
def sharing(lab: Lab) -> str:
    """The queue of two nodes that share a volume."""
    spec = managed("docker", [shape(1)], 3, capacityType="Spot", minVCpus=2)
    lab.environment("sharing", {**spec, "provider": {"docker": {"sharedVolume": "batchyard-shared"}}})
    lab.queue("sharing", "sharing")
    return "sharing"


def test_the_next_attempt_finds_what_the_interrupted_one_saved(lab: Lab, sharing: str) -> None:
    lab.job("saves", sharing, template=_saves(lab.run), checkpoint={})
    node = lab.phase("saves", "Running", seconds=90)["status"]["attempts"][-1]["node"]
    lab.batchyard("interrupt", node, "--notice", NOTICE)
    first, last = lab.succeeded("saves", 90)["attempts"]
    assert (first["reason"], first["counted"]) == ("Interrupted", False)
    assert last["node"] != node


def test_a_program_that_exits_with_0_because_its_node_is_drained_is_not_done(lab: Lab, sharing: str) -> None:
    """By somebody else: Karpenter, Cluster API and kubectl drain evict."""
    program = '[ -n "$BATCHYARD_RESUMED_FROM_ATTEMPT" ] && exit 0; trap "exit 0" TERM; while true; do sleep 0.2; done'
    lab.job("drained", sharing, template=shell(program))
    lab.phase("drained", "Running", seconds=90)
    (pod,) = lab.pods("drained")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name}}
    lab.api.call("POST", f"/api/v1/namespaces/{lab.namespace}/pods/{pod.name}/eviction", eviction)
    first, last = lab.succeeded("drained", 60)["attempts"]
    assert (first["reason"], first["counted"]) == ("Interrupted", False)
    assert (last["number"], last["reason"]) == (2, "Completed")


def test_a_claim_of_a_size_comes_before_the_pod_and_goes_with_the_job(lab: Lab) -> None:
    lab.environment("claims", managed("simulated", [shape(1)], 1))
    lab.queue("claims", "claims")
    lab.job("keeps", "claims", template=simulated(), checkpoint={"size": "1Gi", "storageClassName": "none-such"})
    path = f"/api/v1/namespaces/{lab.namespace}/persistentvolumeclaims"

    def claims() -> list[Body]:
        return [body for body in lab.api.call("GET", path)["items"] if body["metadata"]["name"] == "keeps-checkpoint"]

    until(lambda: lab.pods("keeps"))
    (claim,) = claims()
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    lab.api.delete("Job", "keeps", lab.namespace)
    until(lambda: all("deletionTimestamp" in body["metadata"] for body in claims()), 60)
