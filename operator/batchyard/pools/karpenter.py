"""Nodes by Karpenter: every machine is a NodeClaim of ours that no NodePool owns (ADR 36)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Machine, MachineState
from batchyard.pools.base import ProviderError
from batchyard.pools.objects import Body, Objects, condition
from batchyard.world.parse import rfc3339

NAME = "karpenter"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
DEADLINE = "karpenter.sh/nodeclaim-termination-timestamp"  # Karpenter ends what then still runs on a node that leaves
STOCK_OUT = "InsufficientCapacityError"  # the event's reason
POLL_SECONDS = 0.25
EVENT_SECONDS = 2.0  # Karpenter's events are written beside its work: one may come after what it tells of
_UNDECIDED = ("", "AwaitingReconciliation")  # reasons of a launch that nothing has been tried for yet
_CAPACITY = {"OnDemand": "on-demand", "Spot": "spot"}
_REQUIRED = ("node.kubernetes.io/instance-type", "kubernetes.io/os", "kubernetes.io/arch")
_ZONE, _REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"

Complaints = Callable[[str], Awaitable[Sequence[tuple[str, str]]]]  # NodeClaim -> (reason, message) of its events


class KarpenterProvider:
    """The four verbs on NodeClaims; a machine goes by its claim's name, and by its node's as soon as it has one."""

    def __init__(
        self,
        claims: Objects,
        complaints: Complaints,
        now: Callable[[], float] = time.time,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._claims = claims
        self._complaints = complaints
        self._now = now
        self._poll_seconds = poll_seconds
        self._claim_of: dict[str, str] = {}  # node -> claim, as last observed

    async def observe(self) -> Sequence[Machine]:
        """Return the machines; a claim that was given up before its launch never was one."""
        bodies = await self._ours()
        self._claim_of = {_node(body): body["metadata"]["name"] for body in bodies if _node(body)}
        return [machine(body) for body in bodies if _launched(body) or not _deleting(body)]

    async def launch(self, order: LaunchOrder) -> None:
        """Make the claim and wait until Karpenter has a machine for it: one it finds none for, it deletes."""
        await self._claims.create(claim(order))
        while True:
            body = await self._claims.find(order.name)
            if body is None or (_deleting(body) and not _launched(body)):
                raise await self._refusal(order)
            if _launched(body):
                return
            if complaint := _complaint(body):
                raise ProviderError(complaint)
            await asyncio.sleep(self._poll_seconds)

    async def retire(self, name: str) -> None:
        """Delete the claim, and what is left on the node at once; Karpenter lets go of it when the machine is gone."""
        body = await self._find(name)
        if body is None:
            return
        await self._end(body, self._now())
        while True:
            now = await self._claims.find(body["metadata"]["name"])
            if now is None or now["metadata"]["uid"] != body["metadata"]["uid"]:
                return
            await asyncio.sleep(self._poll_seconds)

    async def interrupt(self, name: str, notice_seconds: float) -> None:
        """Delete the claim with a deadline: Karpenter taints the node, lets Pods end, and ends the rest by then."""
        body = await self._find(name)
        if body is None:
            raise ProviderError(f"there is no machine {name}", reason="NotFound")
        if not _deleting(body):
            await self._end(body, self._now() + notice_seconds)

    async def _end(self, body: Body, at: float) -> None:
        name = body["metadata"]["name"]
        await self._claims.merge(name, {"metadata": {"annotations": {DEADLINE: rfc3339(int(at))}}})
        await self._claims.delete(name)

    async def _find(self, name: str) -> Body | None:
        body = await self._claims.find(self._claim_of.get(name, name))
        if body is not None:
            return body if _is_ours(body) else None
        return next((body for body in await self._ours() if _node(body) == name), None)

    async def _ours(self) -> Sequence[Body]:
        return [body for body in await self._claims.listed(f"{names.PROVIDER}={NAME}") if _is_ours(body)]

    async def _refusal(self, order: LaunchOrder) -> ProviderError:
        ask_until = time.monotonic() + EVENT_SECONDS
        while True:
            told = next((text for why, text in await self._complaints(order.name) if why == STOCK_OUT), None)
            if told is not None:
                return ProviderError(told, reason="InsufficientCapacity")
            if time.monotonic() > ask_until:
                break
            await asyncio.sleep(self._poll_seconds)
        reference = order.settings.get("nodeClassRef") or {}
        which = f"{reference.get('kind')} {reference.get('name')}"
        return ProviderError(f"Karpenter gave up {order.name} before its launch; see whether {which} is Ready")


def claim(order: LaunchOrder) -> dict[str, Any]:
    """Return the NodeClaim of an order: exactly its shape, never expired, never consolidated."""
    settings = order.settings
    if order.labels.get(names.PROVIDER) != NAME or not settings.get("nodeClassRef"):
        raise ProviderError(f"order {order.name} is not for Karpenter")
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {
            "name": order.name,
            "labels": dict(order.labels),
            "annotations": {DO_NOT_DISRUPT: "true"},
        },
        "spec": {
            "nodeClassRef": dict(settings["nodeClassRef"]),
            "requirements": _requirements(order),
            "taints": [{"key": t.key, "value": t.value, "effect": t.effect} for t in order.taints],
            "expireAfter": "Never",
        },
    }


def _requirements(order: LaunchOrder) -> list[dict[str, Any]]:
    wanted = {key: [order.labels[key]] for key in (*_REQUIRED, _ZONE, _REGION) if key in order.labels}
    wanted["karpenter.sh/capacity-type"] = [_CAPACITY[order.capacity_type]]
    if order.settings.get("zones"):
        wanted.setdefault(_ZONE, list(order.settings["zones"]))
    return [{"key": key, "operator": "In", "values": values} for key, values in sorted(wanted.items())]


def machine(body: Body) -> Machine:
    """Return the machine of a claim."""
    meta, labels = body["metadata"], body["metadata"].get("labels") or {}
    complaint = _complaint(body)
    return Machine(
        name=_node(body) or meta["name"],
        environment=labels.get(names.ENVIRONMENT, ""),
        instance_type=labels.get(names.INSTANCE_TYPE, ""),
        capacity_type=labels.get(names.CAPACITY_TYPE, ""),
        state=_state(body, complaint),
        launched_at=datetime.fromisoformat(meta["creationTimestamp"]).timestamp(),
        message=complaint,
        gone_at=_gone_at(body),
        configuration=labels.get(names.CONFIGURATION, ""),
        ordered_as=meta["name"],
    )


def _state(body: Body, complaint: str) -> MachineState:
    if _deleting(body):
        return MachineState.Interrupted
    if complaint:
        return MachineState.Failed
    return MachineState.Running if _node(body) else MachineState.Launching


def _complaint(body: Body) -> str:
    """Say what Karpenter says against a claim that has no node; empty if nothing."""
    launch, registration = condition(body, "Launched"), condition(body, "Registered")
    if launch["status"] != "True" and launch.get("reason", "") not in _UNDECIDED:
        return f"{launch['reason']}: {launch.get('message', '')}".rstrip(": ")
    if registration["status"] == "False":
        return f"{registration.get('reason')}: {registration.get('message', '')}".rstrip(": ")
    return ""


def _gone_at(body: Body) -> float | None:
    deadline = (body["metadata"].get("annotations") or {}).get(DEADLINE)
    return datetime.fromisoformat(deadline).timestamp() if deadline and _deleting(body) else None


def _is_ours(body: Body) -> bool:
    """A label alone makes no claim ours to delete: a NodePool's template may have got it."""
    labels = body["metadata"].get("labels") or {}
    named = names.is_machine_name(body["metadata"]["name"], labels.get(names.ENVIRONMENT, ""))
    return named and bool(labels.get(names.PROVIDER) == NAME)


def _launched(body: Body) -> bool:
    return bool(condition(body, "Launched")["status"] == "True")


def _deleting(body: Body) -> bool:
    return bool(body["metadata"].get("deletionTimestamp"))


def _node(body: Body) -> str:
    """Return the claim's node, empty until Karpenter has put our labels and taints on it."""
    return str((body.get("status") or {}).get("nodeName") or "")
