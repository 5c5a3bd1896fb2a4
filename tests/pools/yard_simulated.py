"""The yard of simulated machines: the real API server, and KWOK that plays the kubelets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance import ENVIRONMENT, Fault, Line

from batchyard.engine.providers import nodes
from batchyard.kube.paths import core
from batchyard.kube.session import Session
from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Shape
from batchyard.model.resources import Resources
from batchyard.pools.base import Provider
from batchyard.pools.simulated import Nodes, SimulatedProvider

KUBECONFIG = os.environ.get("KUBECONFIG") or str(Path(__file__).parents[2] / ".cluster/kubeconfig")
SHAPE = Shape("s1", Resources(cpu=1000, memory=2**30, pods=10))


class SimulatedYard:
    """A cluster sees its own simulated nodes only, and nothing of them can die."""

    faults: Sequence[Fault] = tuple(Fault)
    dies = False

    def __init__(self, session: Session) -> None:
        self.line = Line()
        self._session = session
        self._nodes = nodes(session)

    def provider(self) -> Provider:
        carry, real = self.line.carry, self._nodes
        return SimulatedProvider(
            Nodes(
                lambda selector: carry(lambda: real.listed(selector)),
                lambda body: carry(lambda: real.create(body)),
                lambda name: carry(lambda: real.delete(name)),
                lambda name, entry: carry(lambda: real.taint(name, entry)),
            )
        )

    def stranger(self) -> None:
        return None

    def order(self, name: str) -> LaunchOrder:
        labels = {
            names.PROVIDER: "simulated",
            names.ENVIRONMENT: ENVIRONMENT,
            names.INSTANCE_TYPE: SHAPE.name,
            names.CAPACITY_TYPE: "Spot",
        }
        return LaunchOrder(name, ENVIRONMENT, SHAPE, "Spot", labels, (), "simulated")

    async def existing(self) -> list[str]:
        query = {"labelSelector": f"{names.ENVIRONMENT}={ENVIRONMENT}"}
        found = (await self._session.list(core("nodes"), dict[str, Any], query)).items
        return [body["metadata"]["name"] for body in found]

    async def noticed(self, name: str) -> bool:
        node = await self._session.get_json(core("nodes", name=name))
        return any(taint["key"] == names.INTERRUPTED for taint in node["spec"].get("taints") or ())
