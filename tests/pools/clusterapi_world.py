"""Cluster API's part of a machine's life, played in memory: a step at every look, as its controllers would take it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchyard.pools.base import ProviderError
from batchyard.pools.clusterapi import Kinds
from batchyard.pools.clusterapi_set import CLOSED, NO_DRAIN, OWNER_NAME, SET_NAME
from batchyard.pools.objects import Body, Objects

CREATED = "2026-05-01T12:00:00Z"
UNINITIALISED = {"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}
LONG = 4  # draining; a look at all is 1, at one 2: two looks at all, one after the other, see the same


@dataclass
class Table:
    """One kind of object as the API server keeps it; `step` comes before every look at one or at all."""

    uids: itertools.count[int]
    step: Callable[[str, int], None] = lambda _, __: None
    bodies: dict[str, Any] = field(default_factory=dict)

    def functions(self) -> Objects:
        return Objects(self.listed, self.find, self.create, self.merge, self.delete)

    async def listed(self, selector: str) -> Sequence[Body]:
        key, value = selector.split("=")
        for name in list(self.bodies):
            self.step(name, 1)
        return [copy.deepcopy(b) for b in self.bodies.values() if b["metadata"]["labels"].get(key) == value]

    async def find(self, name: str) -> Body | None:
        self.step(name, 2)
        return copy.deepcopy(self.bodies.get(name))

    async def create(self, body: Body) -> None:
        if body["metadata"]["name"] not in self.bodies:
            fresh = copy.deepcopy(dict(body))
            fresh["metadata"] |= {"uid": f"{next(self.uids)}", "creationTimestamp": CREATED}
            fresh["metadata"].setdefault("resourceVersion", f"{next(self.uids)}")
            fresh.setdefault("status", {})
            self.bodies[body["metadata"]["name"]] = fresh

    async def merge(self, name: str, patch: Body) -> None:
        if name not in self.bodies:
            return
        body = self.bodies[name]
        if patch["metadata"].get("resourceVersion", version := body["metadata"]["resourceVersion"]) != version:
            raise ProviderError("the object has been modified", reason="Conflict")
        _merge(body, patch)
        body["metadata"]["resourceVersion"] = f"{next(self.uids)}"

    async def delete(self, name: str) -> None:
        if name in self.bodies:
            self.bodies[name]["metadata"].setdefault("deletionTimestamp", CREATED)


class World:
    """A management cluster that manages itself: `stocked` is whether the cloud has machines, `said` what it says."""

    def __init__(self) -> None:
        uids = itertools.count(1)
        self.sets, self.machines = Table(uids, self._step), Table(uids)
        self.deployments, self.nodes = Table(uids), Table(uids)
        self.stocked = True
        self.said: dict[str, Any] = {}  # status that each new Machine gets instead of coming up
        self.blocked: dict[str, Any] = {}  # status that each new MachineSet gets instead of a Machine
        self.rids_nodes = True  # whether a Node goes with its Machine: not where nobody manages the control plane
        self.here = True  # whether nodes join this cluster
        self.undrained: list[str] = []  # Machines that went without a drain

    def kinds(self, _: str = "") -> Kinds:
        return Kinds(self.sets.functions(), self.machines.functions(), self.deployments.functions())

    def of(self, owner: str) -> list[Any]:
        """Return the Machines of a MachineSet."""
        return [m for m in self.machines.bodies.values() if m["metadata"]["labels"][SET_NAME] == owner]

    def paid(self) -> list[str]:
        """Return the MachineSets whose machine costs, or soon will, once for each Machine."""
        coming = [n for n, s in self.sets.bodies.items() if not self.of(n) and not _going(s) and not _closed(s)]
        return [*coming, *(m["metadata"]["labels"][SET_NAME] for m in self.machines.bodies.values())]

    def going(self) -> list[str]:
        """Return the MachineSets that are being deleted."""
        return [name for name, found in self.sets.bodies.items() if _going(found)]

    def _step(self, name: str, weight: int) -> None:
        owner = self.sets.bodies.get(name)
        if owner is None:
            return
        machines = self.of(name)
        if _going(owner):
            for its in machines:
                its["metadata"].setdefault("deletionTimestamp", CREATED)
            if not machines:
                del self.sets.bodies[name]
        elif not machines and not _closed(owner):
            self._make(owner)
        for its in machines:
            if _going(its):
                self._end(its, weight)
            else:
                self._advance(its)

    def _make(self, owner: Any) -> None:
        if self.blocked:
            owner["status"] = copy.deepcopy(self.blocked)
            return
        uid = str(next(self.sets.uids))
        name, template = f"{owner['metadata']['name']}-{uid}", owner["spec"]["template"]
        meta = {**copy.deepcopy(template["metadata"]), "name": name, "uid": uid, "creationTimestamp": CREATED}
        meta["resourceVersion"] = uid
        self.machines.bodies[name] = {"metadata": meta, "spec": {}, "status": {}}

    def _advance(self, its: Any) -> None:
        status, uid = its["status"], its["metadata"]["uid"]
        if self.said:
            status |= copy.deepcopy(self.said)
        elif not self.stocked:
            words = "InsufficientInstanceCapacity: there is no c8 in this zone"
            ready = {"type": "InfrastructureReady", "status": "False", "reason": "NotReady", "message": words}
            status["conditions"] = [ready]
        elif "providerID" not in its["spec"]:
            its["spec"]["providerID"] = f"cloud:///{uid}"
            status["initialization"] = {"infrastructureProvisioned": True}
        elif "nodeRef" not in status:
            status["nodeRef"] = {"name": f"ip-{uid}.internal"}
            if self.here:
                self.nodes.bodies[f"ip-{uid}.internal"] = _node(its)

    def _end(self, its: Any, weight: int) -> None:
        meta = its["metadata"]
        if meta.setdefault("drained", 0) < LONG:
            meta["drained"] += weight
            return
        self.undrained += [meta["name"]] if NO_DRAIN in meta["annotations"] else []
        del self.machines.bodies[meta["name"]]
        if self.rids_nodes:
            self.nodes.bodies.pop((its["status"].get("nodeRef") or {}).get("name"), None)


def _node(its: Any) -> dict[str, Any]:
    meta = its["metadata"]
    return {
        "metadata": {
            "name": f"ip-{meta['uid']}.internal",
            "labels": {"kubernetes.io/os": "linux"},
            "annotations": {OWNER_NAME: meta["labels"][SET_NAME]},
            "resourceVersion": meta["uid"],
        },
        "spec": {"taints": [UNINITIALISED]},
        "status": {},
    }


def _going(body: Any) -> bool:
    return "deletionTimestamp" in body["metadata"]


def _closed(body: Any) -> bool:
    return CLOSED in body["metadata"].get("annotations", {})


def _merge(into: dict[str, Any], patch: Body) -> None:
    for key, value in patch.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = copy.deepcopy(value)
