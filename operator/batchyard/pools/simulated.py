"""Simulated nodes for tests of scale: Node objects whose kubelets are played by KWOK."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Machine, MachineState
from batchyard.pools.base import ProviderError

SHAPE = f"{names.GROUP}/shape"  # annotation read by KWOK's stages
GROUP_NAME = "simulated"


@dataclass(frozen=True, slots=True)
class Nodes:
    """The API server's nodes, as far as this provider needs them; bodies are JSON objects."""

    listed: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]  # label selector -> nodes
    create: Callable[[Mapping[str, Any]], Awaitable[None]]  # exists already: done
    delete: Callable[[str], Awaitable[None]]  # gone already: done
    taint: Callable[[str, Mapping[str, str]], Awaitable[None]]


class SimulatedProvider:
    """Machines that are nothing but their Node objects."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    async def observe(self) -> Sequence[Machine]:
        """Return the machines; a node that is being deleted no longer counts."""
        bodies = await self._nodes.listed(f"{names.PROVIDER}={GROUP_NAME}")
        return [_machine(body) for body in bodies if not body["metadata"].get("deletionTimestamp")]

    async def launch(self, order: LaunchOrder) -> None:
        """Create the node; KWOK makes it Ready."""
        if order.labels.get(names.PROVIDER) != GROUP_NAME:
            raise ProviderError(f"order {order.name} is not for simulated nodes")
        await self._nodes.create(_node(order))

    async def retire(self, name: str) -> None:
        """Delete the node; with it everything that was simulated on it ends."""
        await self._nodes.delete(name)

    async def interrupt(self, name: str, notice_seconds: float) -> None:
        """Put the notice on the node; there is no machine that could die, so the notice is all."""
        await self._nodes.taint(name, {"key": names.INTERRUPTED, "effect": "NoSchedule"})


def _node(order: LaunchOrder) -> dict[str, Any]:
    resources = order.shape.resources
    shape = {"cpu": f"{resources.cpu}m", "memory": str(resources.memory), "pods": str(resources.pods)}
    shape |= {name: str(amount) for name, amount in resources.extended}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": order.name,
            "labels": {**order.labels, "kubernetes.io/hostname": order.name},
            "annotations": {SHAPE: json.dumps(shape)},
        },
        "spec": {"taints": [{"key": t.key, "value": t.value, "effect": t.effect} for t in order.taints]},
    }


def _machine(body: Mapping[str, Any]) -> Machine:
    meta, labels = body["metadata"], body["metadata"].get("labels") or {}
    conditions = (body.get("status") or {}).get("conditions") or ()
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return Machine(
        name=meta["name"],
        environment=labels.get(names.ENVIRONMENT, ""),
        instance_type=labels.get(names.INSTANCE_TYPE, ""),
        capacity_type=labels.get(names.CAPACITY_TYPE, ""),
        state=MachineState.Running if ready else MachineState.Launching,
        launched_at=datetime.fromisoformat(meta["creationTimestamp"]).timestamp(),
        configuration=labels.get(names.CONFIGURATION, ""),
    )
