"""Karpenter's part of a NodeClaim's life, played in memory: a step at every look, as its controllers would take it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from batchyard.pools.objects import Body, Objects

CREATED = "2026-05-01T12:00:00Z"


@dataclass
class Claims:
    """A cluster's NodeClaims; `stocked` says whether the cloud has machines, `complaint` what it says instead."""

    stocked: bool = True
    complaint: str = ""
    tells: bool = True  # whether the event about a stock-out can be read
    bodies: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    _uids: itertools.count[int] = field(default_factory=itertools.count)

    def functions(self) -> Objects:
        return Objects(self.listed, self.find, self.create, self.merge, self.delete)

    async def listed(self, selector: str) -> Sequence[Body]:
        key, value = selector.split("=")
        for name in list(self.bodies):
            self._step(name, 1)
        return [copy.deepcopy(b) for b in self.bodies.values() if b["metadata"]["labels"].get(key) == value]

    async def find(self, name: str) -> Body | None:
        self._step(name, 2)
        return copy.deepcopy(self.bodies.get(name))

    async def create(self, body: Body) -> None:
        if body["metadata"]["name"] not in self.bodies:
            fresh = copy.deepcopy(dict(body))
            fresh["metadata"] |= {"uid": str(next(self._uids)), "creationTimestamp": CREATED}
            fresh["status"] = {}
            self.bodies[body["metadata"]["name"]] = fresh

    async def merge(self, name: str, patch: Body) -> None:
        if name in self.bodies:
            self.bodies[name]["metadata"].setdefault("annotations", {}).update(patch["metadata"]["annotations"])

    async def delete(self, name: str) -> None:
        if name in self.bodies:
            self.bodies[name]["metadata"].setdefault("deletionTimestamp", CREATED)

    async def complaints(self, name: str) -> Sequence[tuple[str, str]]:
        return [(why, text) for who, why, text in self.events if who == name and self.tells]

    def node_of(self, name: str) -> str:
        return str(self.bodies[name]["status"].get("nodeName", ""))

    def paid(self) -> list[str]:
        """The claims that cost, or soon will."""
        return [name for name, body in self.bodies.items() if "deletionTimestamp" not in body["metadata"] or _ran(body)]

    def _step(self, name: str, drained: int) -> None:
        """Draining ends slowly enough that two looks at all claims, one after the other, see the same of them."""
        body = self.bodies.get(name)
        if body is None:
            return
        status, meta = body["status"], body["metadata"]
        if "deletionTimestamp" in meta:
            if meta.setdefault("drained", 0) >= 4 or not _ran(body):
                del self.bodies[name]
                self.deleted.append(name)
            meta["drained"] += drained
        elif not status:
            status["conditions"] = [{"type": "Launched", "status": "Unknown", "reason": "AwaitingReconciliation"}]
        elif self.complaint:
            reason, message = self.complaint.split(": ")
            status["conditions"] = [{"type": "Launched", "status": "Unknown", "reason": reason, "message": message}]
        elif not self.stocked:
            meta["deletionTimestamp"] = CREATED
            self.events.append((name, "InsufficientCapacityError", f"NodeClaim {name} event: no offering"))
        elif not _ran(body):
            status["conditions"] = [{"type": "Launched", "status": "True", "reason": "Launched"}]
        else:
            status["nodeName"] = f"ip-{meta['uid']}.internal"


def _ran(body: Body) -> bool:
    return any(c["type"] == "Launched" and c["status"] == "True" for c in body["status"].get("conditions", ()))
