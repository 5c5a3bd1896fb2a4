"""Spot reclaims and sick nodes: who says that a node is going, and what is then done with it."""

from __future__ import annotations

from batchyard.model.labels import NOTICE_SECONDS, NOTICES
from batchyard.model.machine import MachineState
from batchyard.world.store import Store

LATELY_SECONDS = 300.0
RESERVE_SECONDS = 10.0  # of a notice that the node needs for itself; half of a notice that is shorter than two of these


def node_trouble(store: Store, name: str) -> str | None:
    """Return why the node is about to go, in words that follow its name, None if it is well."""
    if name in store.retiring:
        return store.retiring[name]
    machine = store.machines.get(name)
    if machine is not None and machine.state is MachineState.Interrupted:
        return "is being reclaimed (interruption notice)"
    if machine is not None and machine.state is MachineState.Failed:
        return f"has failed: {machine.message}".rstrip(": ")
    node = store.nodes.get(name)
    for taint in node.taints if node is not None else ():
        if taint.key in NOTICES:
            return f"is being reclaimed (taint {taint.key})"
    return None


def must_end(store: Store, name: str, now: float) -> float | None:
    """Return when what runs on a node that goes must have ended, a while before the node; None where nobody knows."""
    gone = _gone_at(store, name, now)
    if gone is None or gone <= now:
        return None
    left = gone - now
    return gone - min(RESERVE_SECONDS, left / 2)


def _gone_at(store: Store, name: str, now: float) -> float | None:
    machine, node = store.machines.get(name), store.nodes.get(name)
    if machine is not None and machine.gone_at is not None:
        return machine.gone_at
    known = (NOTICE_SECONDS[taint.key] for taint in (node.taints if node else ()) if taint.key in NOTICE_SECONDS)
    seconds = min(known, default=None)
    return None if seconds is None else now + seconds


def reclaimed_lately(store: Store, now: float) -> frozenset[str]:
    """Return the environments of which a node got a reclaim notice within five minutes: more may follow.

    To be asked in each decision, for the time of a notice is when one first saw it.
    """
    for name, count in store.interruptions.items():
        if store.reclaims.get(name, (0, 0.0))[0] != count:
            store.reclaims[name] = (count, now)
    return frozenset(name for name, (_, at) in store.reclaims.items() if now < at + LATELY_SECONDS)
