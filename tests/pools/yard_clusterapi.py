"""The yards of Cluster API's machines: its part played in memory, and the real controllers in a played cloud."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from clusterapi_orders import deployment
from clusterapi_world import World
from conformance import ENVIRONMENT, Fault, Line, Yard
from yard_simulated import KUBECONFIG

from batchyard.engine.objects import Kind
from batchyard.engine.providers import machinery
from batchyard.kube.paths import core
from batchyard.kube.session import Credentials, Session
from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Machine, Shape, Taint
from batchyard.model.resources import Resources
from batchyard.pools.base import Provider
from batchyard.pools.clusterapi import ClusterApiProvider, Kinds
from batchyard.pools.clusterapi_set import CLOSED, SET_NAME, annotation, is_deleting
from batchyard.pools.objects import Objects

CLUSTERAPI = "BATCHYARD_CLUSTERAPI" in os.environ
NAMESPACE = "default"
SHAPE = Shape("c-4x", Resources(cpu=4000, memory=2**33, pods=110))


class AsOrdered(ClusterApiProvider):
    """The suite knows machines by the names of their orders, and so do all verbs."""

    async def observe(self) -> Sequence[Machine]:
        return [replace(machine, name=machine.ordered_as) for machine in await super().observe()]


class ClusterApiYard:
    """A cluster sees its own MachineSets only, and Cluster API ends the machines that were given notice."""

    dies = True

    def __init__(
        self, kinds: Kinds, nodes: Objects, paid: Callable[[], Awaitable[list[str]]], faults: Sequence[Fault],
        poll_seconds: float,
    ) -> None:  # fmt: skip
        self.line = Line()
        self.faults = faults
        self._kinds, self._nodes, self._paid, self._poll_seconds = kinds, nodes, paid, poll_seconds
        self._faster = 0.25 / poll_seconds  # a second of the suite's, in a world where all is faster

    def provider(self) -> Provider:
        real = self._kinds
        kinds = Kinds(*map(self._carried, (real.sets, real.machines, real.deployments)))
        settings = ({"namespace": NAMESPACE},)
        nodes, now = self._carried(self._nodes), lambda: time.time() * self._faster
        return AsOrdered(lambda _: kinds, nodes, lambda: settings, now=now, poll_seconds=self._poll_seconds)

    def _carried(self, real: Objects) -> Objects:
        carry = self.line.carry
        return Objects(
            lambda selector: carry(lambda: real.listed(selector)),
            lambda name: carry(lambda: real.find(name)),
            lambda body: carry(lambda: real.create(body)),
            lambda name, patch: carry(lambda: real.merge(name, patch)),
            lambda name: carry(lambda: real.delete(name)),
        )

    def stranger(self) -> None:
        return None

    def order(self, name: str) -> LaunchOrder:
        labels = {
            names.PROVIDER: "clusterAPI",
            names.ENVIRONMENT: ENVIRONMENT,
            names.INSTANCE_TYPE: SHAPE.name,
            names.CAPACITY_TYPE: "Spot",
            "node.kubernetes.io/instance-type": SHAPE.name,
        }
        taints = (Taint(names.ENVIRONMENT, ENVIRONMENT),)
        settings = {"namespace": NAMESPACE}
        return LaunchOrder(name, ENVIRONMENT, SHAPE, "Spot", labels, taints, "clusterAPI", settings)

    async def existing(self) -> list[str]:
        return await self._paid()

    async def noticed(self, name: str) -> bool:
        body = await self._kinds.sets.find(name)
        return body is None or names.DEADLINE in body["metadata"]["annotations"]


@asynccontextmanager
async def played_clusterapi(request: pytest.FixtureRequest) -> AsyncIterator[Yard]:
    world = World()
    await world.deployments.create(deployment(f"{ENVIRONMENT}-{SHAPE.name}"))

    async def paid() -> list[str]:
        await world.sets.listed(f"{names.PROVIDER}=clusterAPI")
        return world.paid()

    yield ClusterApiYard(world.kinds(), world.nodes.functions(), paid, tuple(Fault), 0.001)


@asynccontextmanager
async def real_clusterapi(request: pytest.FixtureRequest) -> AsyncIterator[Yard]:
    """No line is cut here: a machine takes seconds, and what follows a cut is the same provider's in memory."""
    from cluster.rest import Api  # the tests in memory are to start without the client of all Kubernetes
    from clusterapi.cloud import opened

    ours = f"{names.ENVIRONMENT}={ENVIRONMENT}"
    with opened(Api.load(KUBECONFIG)) as cloud:
        cloud.deployment(f"{ENVIRONMENT}-{SHAPE.name}")
        async with Session(Credentials.load(KUBECONFIG)) as session:
            kinds = machinery(session, NAMESPACE)

            async def paid() -> list[str]:
                sets = await kinds.sets.listed(ours)
                made = [its["metadata"]["labels"][SET_NAME] for its in await kinds.machines.listed(ours)]
                alive = [each for each in sets if not is_deleting(each) and not annotation(each, CLOSED)]
                return [*made, *({each["metadata"]["name"] for each in alive} - set(made))]

            nodes = Kind(session, core("nodes"), "Kubernetes", "the test").functions()
            yield ClusterApiYard(kinds, nodes, paid, (), 0.25)
