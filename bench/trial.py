"""One run of one subject: a fresh cluster, what it needs, and what was measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bench import bodies
from bench.arena import Arena
from bench.client import Client
from bench.meter import Figures, Meter
from bench.operator import Operator
from bench.watch import Watch

READY_SECONDS = 120.0
_POLL_SECONDS = 0.1


@dataclass
class Trial:
    """The tools of a subject: `size` is how many jobs, pods or children it is to have."""

    arena: Arena
    client: Client
    operator: Operator
    size: int

    async def nodes(self) -> None:
        """Have the floors' nodes, all Ready."""
        await self.client.create_all("/api/v1/nodes", (bodies.node(number) for number in range(bodies.NODES)))
        await self._settled(bodies.NODES)

    async def pool(self, nodes: int = bodies.NODES, *, warm: bool = True) -> None:
        """Start the operator with an environment and a queue `bench`; return when its nodes are Ready, if warm."""
        self.operator.launch()
        await self.client.create(bodies.ENVIRONMENTS, bodies.environment(nodes, warm))
        await self.client.create(bodies.QUEUES, bodies.queue())
        await self.operator.ready()
        if warm:
            await self._settled(nodes)

    def watch(self, path: str) -> Watch:
        """Watch a collection while entered."""
        return Watch(self.client, path)

    def meter(self) -> Meter:
        """Begin to measure, the operator too if it runs."""
        return Meter(self.arena, self.operator.pid if self.operator.alive else None)

    async def warm_up(self, path: str, named: Any) -> None:
        """Create one object and wait until it is over: everybody is awake then."""
        name = named[0]
        async with self.watch(path) as watch:
            await self.client.create(path, named)
            await watch.until(lambda seen: name in seen.over)

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = READY_SECONDS) -> None:
        """Return once something holds that has to be asked for."""
        deadline = time.monotonic() + seconds
        while not await holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {what} within {seconds:.0f} s")
            await asyncio.sleep(_POLL_SECONDS)

    async def _settled(self, nodes: int) -> None:
        """Wait for the nodes, and until KWOK has each in hand: before that it plays no pods there."""
        await self.until(lambda: self._ready(nodes), "nodes")
        await self.until(lambda: self._leased(nodes), "leases of nodes")

    async def _leased(self, count: int) -> bool:
        listed = await self.client.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        return len(listed["items"]) >= count

    async def _ready(self, count: int) -> bool:
        listed = await self.client.get("/api/v1/nodes")
        return sum(_is_ready(node) for node in listed["items"]) >= count


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    tainted = any(taint["key"] == "node.kubernetes.io/not-ready" for taint in node["spec"].get("taints") or ())
    return not tainted and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


Subject = Callable[[Trial], Awaitable[Figures]]
