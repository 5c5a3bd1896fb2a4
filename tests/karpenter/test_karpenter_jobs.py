"""Jobs on nodes that the real Karpenter makes of our NodeClaims, and what it does with such nodes: nothing."""

from __future__ import annotations

from typing import Any

from cluster.lab import Lab
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, simulated
from karpenter.conftest import NODE_CLASS

SECONDS = 240.0  # the machine may have much else to do
SHAPES = [shape(4, "8Gi", "c-4x")]


def reference(name: str = NODE_CLASS) -> Body:
    return {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": name}


def environment(yard: Lab, name: str, node_class: str = NODE_CLASS, **spec: Any) -> None:
    settings = {"nodeClassRef": reference(node_class), "zones": ["zone-b"]}
    yard.environment(name, managed("karpenter", SHAPES, 8, settings=settings, **spec))
    yard.queue(name, name)


def claims(yard: Lab, name: str) -> list[Body]:
    return yard.api.list("NodeClaim", labelSelector=f"batchyard.dev/compute-environment={yard.named(name)}")


def test_a_job_runs_on_a_node_that_karpenter_made_and_the_node_leaves_again(yard: Lab) -> None:
    environment(yard, "runs")
    yard.job("runs", "runs", template=simulated(15_000))
    yard.phase("runs", "Running", seconds=SECONDS)
    (claim,) = claims(yard, "runs")
    (node,) = yard.nodes("runs")
    assert "ownerReferences" not in claim["metadata"]
    assert claim["status"]["nodeName"] == node["metadata"]["name"] != claim["metadata"]["name"]
    labels = node["metadata"]["labels"]
    assert (labels["node.kubernetes.io/instance-type"], labels["topology.kubernetes.io/zone"]) == ("c-4x", "zone-b")
    assert labels["karpenter.sh/capacity-type"] == "on-demand"
    assert "karpenter.sh/nodepool" not in labels
    assert "batchyard.dev/compute-environment" in {taint["key"] for taint in node["spec"]["taints"]}
    assert yard.status("ComputeEnvironment", "runs")["vCpus"]["provisioned"] == 4
    (attempt,) = yard.succeeded("runs", SECONDS)["attempts"]
    assert (attempt["node"], attempt["instanceType"]) == (node["metadata"]["name"], "c-4x")
    until(lambda: not claims(yard, "runs"), SECONDS)
    assert yard.nodes("runs") == []


def test_a_stock_out_is_the_reason_of_the_wait(yard: Lab) -> None:
    """The KWOK cloud has no capacity where the node class is missing."""
    environment(yard, "empty", node_class="there-is-none")
    yard.job("waits", "empty", template=simulated())
    yard.reason("waits", "InsufficientCapacity", SECONDS)
    (refused,) = until(lambda: yard.status("ComputeEnvironment", "empty").get("unavailable"), SECONDS)
    assert refused["instanceType"] == "c-4x"
    assert "InsufficientCapacity" in refused["reason"]
    until(lambda: not claims(yard, "empty"), SECONDS)


def test_a_claim_that_somebody_deletes_costs_its_job_no_attempt(yard: Lab) -> None:
    environment(yard, "taken", capacityType="Spot")
    yard.job("taken", "taken", template=simulated(15_000))
    yard.phase("taken", "Running", seconds=SECONDS)
    (claim,) = claims(yard, "taken")
    yard.api.delete("NodeClaim", claim["metadata"]["name"])
    first, second = yard.succeeded("taken", SECONDS)["attempts"]
    assert first["node"] != second["node"]
    assert first["capacityType"] == "Spot"
    assert yard.read("taken")["status"]["phase"] == "Succeeded"  # with the one attempt that it may use


def test_karpenter_consolidates_its_own_empty_node_and_leaves_ours_alone(yard: Lab) -> None:
    environment(yard, "kept", minVCpus=4)
    (ours,) = until(lambda: claims(yard, "kept"), SECONDS)
    name = yard.named("eager")
    yard.api.create({"kind": "NodePool", "metadata": {"name": name}, "spec": pool(name)})
    namespace = yard.namespace
    try:
        yard.api.create(pending(name), namespace)
        selector = f"karpenter.sh/nodepool={name}"
        until(lambda: yard.api.get("Pod", name, namespace)["spec"].get("nodeName"), SECONDS)
        yard.api.delete("Pod", name, namespace)
        until(lambda: not yard.api.list("NodeClaim", labelSelector=selector), SECONDS)
    finally:
        yard.api.delete("Pod", name, namespace)
        yard.api.delete("NodePool", name)
    (still,) = claims(yard, "kept")
    assert still["metadata"]["uid"] == ours["metadata"]["uid"]
    assert "deletionTimestamp" not in still["metadata"]
    assert {c["type"] for c in still["status"]["conditions"]}.isdisjoint({"Consolidatable", "Drifted"})


def pool(name: str) -> Body:
    """A NodePool that consolidates as soon as it can."""
    requirements = [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]
    template = {
        "metadata": {"labels": {"pool": name}},
        "spec": {"nodeClassRef": reference(), "requirements": requirements, "expireAfter": "Never"},
    }
    return {"template": template, "disruption": {"consolidateAfter": "0s", "budgets": [{"nodes": "100%"}]}}


def pending(name: str) -> Body:
    """A Pod that only the pool's nodes can take."""
    container = {"name": "main", "image": "x", "resources": {"requests": {"cpu": "1"}}}
    note = {"batchyard.dev/simulated-duration": "600s"}
    spec = {"nodeSelector": {"pool": name}, "containers": [container], "terminationGracePeriodSeconds": 0}
    return {"kind": "Pod", "metadata": {"name": name, "annotations": note}, "spec": spec}
