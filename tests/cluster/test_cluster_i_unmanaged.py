"""An Unmanaged environment: nodes that somebody else owns, found by their labels and never touched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from batchyard.engine.providers import bootstrap
from batchyard.kube.credentials import Credentials
from batchyard.kube.session import Session
from batchyard.model.machine import LaunchOrder, Shape
from batchyard.model.resources import Resources
from batchyard.pools.docker import Credentials as Bootstrap
from batchyard.pools.docker import DockerProvider
from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import template

NODE = "somebody-elses"
LABEL = "example.org/pool"


@pytest.fixture
def node(story: Lab) -> Iterator[str]:
    """A real node that is none of the operator's: its container carries another cluster's name."""
    cluster = story.api.get("Namespace", "kube-system")["metadata"]["uid"]

    async def mint() -> Bootstrap:
        async with Session(Credentials.load(str(story.operator.kubeconfig))) as session:
            return await bootstrap(session, "batchyard-system")

    shape = Shape("own", Resources(cpu=1000, memory=2**30, pods=20))
    order = LaunchOrder(NODE, "", shape, "", {LABEL: story.run}, (), "docker", {})
    provider = DockerProvider(f"{cluster}-unmanaged", mint)
    asyncio.run(provider.retire(NODE))
    story.api.delete("Node", NODE)
    asyncio.run(provider.launch(order))
    until(lambda: _ready(story), 60)
    yield NODE
    asyncio.run(provider.retire(NODE))
    story.api.delete("Node", NODE)


def _ready(lab: Lab) -> bool:
    node = lab.api.find("Node", NODE) or {}
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", ()))


def test_jobs_run_on_nodes_that_are_there(story: Lab, node: str) -> None:
    spec = {"type": "Unmanaged", "capacityType": "OnDemand", "nodeSelector": {LABEL: story.run}}
    name = story.environment("unmanaged", spec)
    story.queue("unmanaged", "unmanaged")
    story.job("on-theirs", "unmanaged", template=template("true"))
    story.job("too-big-for-theirs", "unmanaged", template=template("true", cpu="2"))
    (attempt,) = story.succeeded("on-theirs")["attempts"]
    assert (attempt["node"], attempt["computeEnvironment"]) == (NODE, name)
    why = story.reason("too-big-for-theirs", "JobTooLarge", 15)["status"]["message"]
    assert f"needs cpu 2; the largest node of '{name}' offers cpu 1" in why
    environment = story.api.get("ComputeEnvironment", name)
    assert environment["status"]["phase"] == "Valid"
    assert "finalizers" not in environment["metadata"], "its nodes cost us nothing"
    story.api.delete("ComputeEnvironment", name)
    until(lambda: story.api.find("ComputeEnvironment", name) is None, 10)
    assert _ready(story)
    story.api.delete("Job", "too-big-for-theirs", story.namespace)
