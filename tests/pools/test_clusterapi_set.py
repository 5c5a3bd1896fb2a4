"""What is sent to Cluster API, and which of its words mean what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from clusterapi_orders import NAME, OWN, SHAPE, deployment, order
from clusterapi_world import UNINITIALISED
from yard_simulated import KUBECONFIG

from batchyard.engine.objects import Kind
from batchyard.kube.paths import core
from batchyard.kube.session import Credentials, Session
from batchyard.model import labels as names
from batchyard.model.machine import Shape
from batchyard.pools.base import ProviderError
from batchyard.pools.clusterapi_complaint import complaint, is_stock_out
from batchyard.pools.clusterapi_set import deployment_name, dressed, machine_set
from batchyard.pools.objects import Objects


def copied(**changes: Any) -> dict[str, Any]:
    """The MachineSet of an order, copied from a MachineDeployment with these changes to its spec."""
    theirs = deployment("spot-c8")
    theirs["spec"] |= changes
    return machine_set(order(), theirs)


def test_a_machine_set_has_one_replica_of_the_deployments_template() -> None:
    body = copied(replicas=0)
    assert (body["apiVersion"], body["kind"], body["metadata"]["name"]) == (
        "cluster.x-k8s.io/v1beta2", "MachineSet", NAME
    )  # fmt: skip
    spec = body["spec"]
    assert (spec["replicas"], spec["clusterName"]) == (1, "yard")
    assert spec["template"]["spec"] == deployment("spot-c8")["spec"]["template"]["spec"]
    assert spec["template"]["metadata"]["annotations"] == {"cluster.x-k8s.io/skip-remediation": "true"}


def test_no_machine_deployment_takes_it_or_its_machine_for_one_of_its_own() -> None:
    given = {"pool": "batch", "node-role.kubernetes.io/worker": "", "topology.cluster.x-k8s.io/owned": ""}
    theirs = deployment("spot-c8")["spec"]["template"]
    body = copied(
        selector={"matchLabels": {"pool": "batch"}},
        template={**theirs, "metadata": {"labels": {**theirs["metadata"]["labels"], **given}}},
    )
    of_machine = body["spec"]["template"]["metadata"]["labels"]
    own = {"cluster.x-k8s.io/cluster-name": "yard", "cluster.x-k8s.io/set-name": NAME}
    assert body["spec"]["selector"] == {"matchLabels": own}
    assert own.items() <= of_machine.items()
    assert {"pool", "cluster.x-k8s.io/deployment-name", "topology.cluster.x-k8s.io/owned"}.isdisjoint(of_machine)
    assert of_machine["node-role.kubernetes.io/worker"] == ""
    assert of_machine[names.ENVIRONMENT] == "spot"
    assert "team" not in body["metadata"]["labels"], "a selector might ask for it"


@pytest.mark.parametrize(
    ("shape", "settings", "name"),
    [
        ("c8", {}, "spot-c8"),
        ("Standard_D8s_v5", {}, "spot-standard-d8s-v5"),
        ("c8", {"machineDeployments": [{"shape": "c8", "name": "workers"}]}, "workers"),
        ("c9", {"machineDeployments": [{"shape": "c8", "name": "workers"}]}, "spot-c9"),
    ],
)
def test_the_deployment_of_a_shape(shape: str, settings: dict[str, Any], name: str) -> None:
    given = order(**settings)
    assert deployment_name(replace(given, shape=Shape(shape, SHAPE.resources))) == name


def test_an_error_of_the_provider_is_told_from_its_progress() -> None:
    def status(severity: str) -> dict[str, Any]:
        bad = {"type": "BootstrapReady", "status": "False", "reason": "Bad", "message": "key", "severity": severity}
        return {"status": {"deprecated": {"v1beta1": {"conditions": [bad]}}}}

    assert complaint({}, status("Error")) == "Bad: key"
    assert complaint({}, status("Info")) == ""


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("InsufficientInstanceCapacity: We currently do not have sufficient m5.large capacity", True),
        ("VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit", True),
        ("SkuNotAvailable: The requested VM size is currently not available", True),
        ("ZONE_RESOURCE_POOL_EXHAUSTED", True),
        ("No valid host was found. There are not enough hosts available.", True),
        ("Quota exceeded for cores", True),
        ("RequestLimitExceeded: Request limit exceeded.", False),
        ("UnauthorizedOperation: You are not authorized to perform this operation", False),
        ("YardMachine status.initialization.provisioned is false", False),
    ],
)
def test_the_words_for_a_stock_out(text: str, means: bool) -> None:
    assert is_stock_out(text) is means


def test_an_order_for_another_provider_is_refused() -> None:
    with pytest.raises(ProviderError, match="not for Cluster API"):
        machine_set(replace(order(), labels={}), deployment("spot-c8"))


@pytest.mark.cluster
async def test_the_api_server_dresses_a_node_and_refuses_what_is_of_yesterday() -> None:
    name = f"bare-{uuid4().hex[:8]}"
    bare = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": [UNINITIALISED]}}
    async with Session(Credentials.load(KUBECONFIG)) as session:
        nodes = Kind(session, core("nodes"), "Kubernetes", "the test").functions()
        await nodes.create(bare)
        try:
            patch = await dress(nodes, name)
            node = await nodes.find(name)
            assert node is not None
            assert order().labels.items() <= node["metadata"]["labels"].items()
            assert {UNINITIALISED["key"], OWN.key} <= {taint["key"] for taint in node["spec"]["taints"]}
            with pytest.raises(ProviderError) as told:
                await nodes.merge(name, patch)
            assert told.value.reason == "Conflict"
        finally:
            await nodes.delete(name)


async def dress(nodes: Objects, name: str) -> dict[str, Any]:
    """Dress a Node, as often as somebody else is faster, who sees a new one not Ready; return what was sent."""
    while True:
        node = await nodes.find(name)
        assert node is not None
        patch = dressed(copied(), node)
        try:
            await nodes.merge(name, patch)
        except ProviderError as error:
            if error.reason != "Conflict":
                raise
        else:
            return patch
