"""Jobs on nodes that the real core controllers of Cluster API make of our MachineSets."""

from __future__ import annotations

from typing import Any

from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, simulated
from clusterapi.cloud import NAMESPACE
from clusterapi.conftest import Yard

SECONDS = 240.0  # the machine may have much else to do
SHAPES = [shape(4, "8Gi", "c-4x")]


def environment(yard: Yard, name: str, spec: dict[str, Any] | None = None, **fields: Any) -> str:
    """Make an environment, its queue, and the MachineDeployment that goes by their name."""
    deployment = yard.deployment(f"{yard.lab.named(name)}-c-4x", **(spec or {}))
    yard.lab.environment(name, managed("clusterAPI", SHAPES, 8, **fields))
    yard.lab.queue(name, name)
    return deployment


def test_a_job_runs_on_a_node_that_cluster_api_made_and_the_node_leaves_again(yard: Yard) -> None:
    deployment = environment(yard, "runs")
    lab = yard.lab
    lab.job("runs", "runs", template=simulated(15_000))
    lab.phase("runs", "Running", seconds=SECONDS)
    (found,) = yard.sets("runs")
    (its,) = yard.machines("runs")
    (node,) = lab.nodes("runs")
    name = node["metadata"]["name"]
    assert its["status"]["nodeRef"]["name"] == name != found["metadata"]["name"]
    assert found["metadata"]["annotations"]["batchyard.dev/node"] == name
    assert not any(owner.get("controller") for owner in found["metadata"]["ownerReferences"])
    assert node["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "c-4x"
    taints = {taint["key"] for taint in node["spec"]["taints"]}
    assert "batchyard.dev/compute-environment" in taints
    assert "node.cluster.x-k8s.io/uninitialized" not in taints
    assert not replicas(yard, deployment), "the MachineDeployment takes our Machine for its own"
    (attempt,) = lab.succeeded("runs", SECONDS)["attempts"]
    assert (attempt["node"], attempt["instanceType"]) == (name, "c-4x")
    until(lambda: not yard.sets("runs"), SECONDS)
    assert lab.api.find("Node", name) is None


def replicas(yard: Yard, deployment: str) -> int:
    body: Body = yard.lab.api.get("MachineDeployment", deployment, NAMESPACE)
    return int((body.get("status") or {}).get("replicas") or 0)


def test_a_stock_out_is_the_reason_of_the_wait(yard: Yard) -> None:
    environment(yard, "empty", {"stock": "none"})
    yard.lab.job("waits", "empty", template=simulated())
    yard.lab.reason("waits", "InsufficientCapacity", SECONDS)
    (refused,) = until(lambda: yard.lab.status("ComputeEnvironment", "empty").get("unavailable"), SECONDS)
    assert refused["instanceType"] == "c-4x"
    assert "InsufficientCapacity" in refused["reason"]
    until(lambda: not yard.machines("empty"), SECONDS)


def test_a_machine_that_somebody_deletes_costs_its_job_no_attempt_and_does_not_come_again(yard: Yard) -> None:
    environment(yard, "taken", capacityType="Spot")
    yard.lab.job("taken", "taken", template=simulated(15_000))
    yard.lab.phase("taken", "Running", seconds=SECONDS)
    (found,) = yard.sets("taken")
    (its,) = yard.machines("taken")
    yard.lab.api.delete("Machine", its["metadata"]["name"], NAMESPACE)
    first, second = yard.lab.succeeded("taken", SECONDS)["attempts"]
    assert first["node"] != second["node"]
    assert yard.lab.read("taken")["status"]["phase"] == "Succeeded"  # with the one attempt that it may use
    name = found["metadata"]["name"]
    made = {m["metadata"]["name"] for m in yard.machines("taken") if m["metadata"]["name"].startswith(f"{name}-")}
    assert made <= {its["metadata"]["name"]}, "the Machine was replaced"
    until(lambda: name not in {each["metadata"]["name"] for each in yard.sets("taken")}, SECONDS)


def test_a_health_check_that_finds_all_nodes_sick_leaves_ours_alone(yard: Yard) -> None:
    environment(yard, "sick", minVCpus=4)
    node = until(lambda: yard.lab.nodes("sick"), SECONDS)[0]["metadata"]["name"]
    name = yard.lab.named("sick")
    selector = {"matchLabels": {"batchyard.dev/compute-environment": name}}
    sick = {"type": "Ready", "status": "True", "timeoutSeconds": 1}  # as all nodes are
    checks = {"unhealthyNodeConditions": [sick]}
    body = {"kind": "MachineHealthCheck", "metadata": {"name": name},
            "spec": {"clusterName": "yard", "selector": selector, "checks": checks}}  # fmt: skip
    yard.lab.api.create(body, NAMESPACE)
    try:
        status = until(lambda: looked_at(yard, name), SECONDS)
    finally:
        yard.lab.api.delete("MachineHealthCheck", name, NAMESPACE)
    assert status.get("expectedMachines") == 0, "ours is one of those that it would replace"
    assert [each["metadata"]["name"] for each in yard.lab.nodes("sick")] == [node]
    assert not any("deletionTimestamp" in its["metadata"] for its in yard.machines("sick"))


def looked_at(yard: Yard, check: str) -> Body:
    """Return the status of a MachineHealthCheck that has looked at its Machines."""
    status: Body = yard.lab.api.get("MachineHealthCheck", check, NAMESPACE).get("status") or {}
    return status if status.get("observedGeneration") else {}
