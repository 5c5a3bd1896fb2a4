"""How a MachineSet of ours and its Machine are read: which machine they are, and how it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from batchyard.model import labels as names
from batchyard.model.machine import Machine, MachineState
from batchyard.pools import clusterapi_set as capi
from batchyard.pools.clusterapi_complaint import complaint, is_lost
from batchyard.pools.objects import Body


def machine(found: Body, its: Body | None, node: str = "") -> Machine:
    """Return the machine of a MachineSet and its Machine; `node` is the node that it is known to have by now."""
    meta, labels = found["metadata"], found["metadata"].get("labels") or {}
    node = node or capi.annotation(found, capi.NODE)
    said = _against(found, its, node)
    deadline = capi.annotation(found, names.DEADLINE)
    return Machine(
        name=node or meta["name"],
        environment=labels.get(names.ENVIRONMENT, ""),
        instance_type=labels.get(names.INSTANCE_TYPE, ""),
        capacity_type=labels.get(names.CAPACITY_TYPE, ""),
        state=_state(found, its, said, node),
        launched_at=datetime.fromisoformat(meta["creationTimestamp"]).timestamp(),
        message=said,
        gone_at=float(deadline) if deadline else None,
        configuration=labels.get(names.CONFIGURATION, ""),
        ordered_as=meta["name"],
    )


def _against(found: Body, its: Body | None, node: str) -> str:
    """Say what stands against a machine; what goes wrong for a while beside a node is the node's to tell."""
    if not node:
        return complaint(found, its)
    return is_lost(its) if its is not None else ""


def _state(found: Body, its: Body | None, said: str, node: str) -> MachineState:
    if is_going(found, its) or is_reclaimed(found, its):
        return MachineState.Interrupted
    if said:
        return MachineState.Failed
    return MachineState.Running if node else MachineState.Launching


def is_going(found: Body, its: Body | None) -> bool:
    """Say whether a machine has had notice, or somebody has deleted its MachineSet or its Machine."""
    noticed = bool(capi.annotation(found, names.DEADLINE))
    return noticed or capi.is_deleting(found) or (its is not None and capi.is_deleting(its))


def is_reclaimed(found: Body, its: Body | None) -> bool:
    """Say whether the cloud has taken a spot machine: its provider gives it up after its node was there."""
    spot = (found["metadata"].get("labels") or {}).get(names.CAPACITY_TYPE) == "Spot"
    return spot and its is not None and bool(capi.annotation(found, capi.NODE)) and bool(is_lost(its))


def is_over(found: Body, its: Body | None, now: float) -> bool:
    """Say whether whoever sees a machine is to end it: its notice has passed, or it has been reclaimed."""
    deadline = capi.annotation(found, names.DEADLINE)
    noticed = bool(deadline) and float(deadline) <= now
    return not capi.is_deleting(found) and (noticed or is_reclaimed(found, its))


def never_was(found: Body, its: Body | None) -> bool:
    """Say whether a MachineSet is on its way out before there was a machine that cost anything."""
    return capi.is_deleting(found) and (its is None or not is_provisioned(its))


def is_provisioned(its: Body) -> bool:
    """Say whether a Machine's infrastructure has been made."""
    status = its.get("status") or {}
    return bool(its["spec"].get("providerID") or (status.get("initialization") or {}).get("infrastructureProvisioned"))


def node_ref(its: Body | None) -> str:
    """Return the name of a Machine's Node, empty until it has joined."""
    reference = ((its.get("status") or {}).get("nodeRef") or {}) if its is not None else {}
    return str(reference.get("name") or "")


def by_set(machines: Iterable[Body]) -> dict[str, Body]:
    """Return the newest Machine of each MachineSet."""
    ordered = sorted(machines, key=lambda body: str(body["metadata"]["creationTimestamp"]))
    return {body["metadata"]["labels"].get(capi.SET_NAME, ""): body for body in ordered}


def newest(machines: Iterable[Body]) -> Body | None:
    """Return the newest Machine of one MachineSet, None if it has none."""
    return next(iter(by_set(machines).values()), None)
