"""The yard of docker nodes: the real engine; whether their kubelets become Ready is for other tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import docker
from conformance import ENVIRONMENT, Fault, Line
from docker_nodes import Lab, order

from batchyard.model.machine import LaunchOrder, MachineState
from batchyard.pools.base import Provider
from batchyard.pools.docker import DockerProvider
from batchyard.pools.docker_engine import Engine

T = TypeVar("T")


class _Wired(Engine):
    """An engine at the far end of a line."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    async def call(self, work: Callable[[docker.DockerClient], T]) -> T:
        return await self._line.carry(lambda: super(_Wired, self).call(work))


class DockerYard:
    """The nodes of the tests' own cluster id; a container is half a second's work, so that one fault must do."""

    faults: Sequence[Fault] = (Fault.AnswerLost,)
    dies = True

    def __init__(self, lab: Lab) -> None:
        self.line = Line()
        self._lab = lab

    def provider(self) -> Provider:
        return DockerProvider(self._lab.cluster, self._lab.mint, engine=_Wired(self.line))

    def stranger(self) -> Provider:
        return DockerProvider(f"{self._lab.cluster}-other", self._lab.mint)

    def order(self, name: str) -> LaunchOrder:
        self._lab.names.append(name)
        ordered = order(name)
        return LaunchOrder(name, ENVIRONMENT, ordered.shape, "Spot", {}, ordered.taints, "docker")

    async def existing(self) -> list[str]:
        filters = {"label": f"batchyard.dev/cluster={self._lab.cluster}"}
        listed = await asyncio.to_thread(self._lab.engine.api.containers, all=True, filters=filters)
        return [container["Labels"]["batchyard.dev/node"] for container in listed]

    async def noticed(self, name: str) -> bool:
        seen = {machine.name: machine for machine in await self.provider().observe()}
        return name not in seen or seen[name].state is MachineState.Interrupted
