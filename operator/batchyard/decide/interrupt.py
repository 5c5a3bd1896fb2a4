"""Spot reclaims and sick nodes: who says that a node is going, and what is then done with it."""

from __future__ import annotations

from batchyard.model.labels import NOTICES
from batchyard.model.machine import MachineState
from batchyard.world.store import Store


def node_trouble(store: Store, name: str) -> str | None:
    """Return why the node is about to go, in words that follow its name, None if it is well."""
    machine, node = store.machines.get(name), store.nodes.get(name)
    if name in store.retiring:
        return store.retiring[name]
    if machine is not None and machine.state == MachineState.Interrupted:
        return "is being reclaimed (interruption notice)"
    if machine is not None and machine.state == MachineState.Failed:
        return f"has failed: {machine.message}".rstrip(": ")
    if node is None:
        return None
    for taint in node.taints:
        if taint.key in NOTICES:
            return f"is being reclaimed (taint {taint.key})"
    return None
