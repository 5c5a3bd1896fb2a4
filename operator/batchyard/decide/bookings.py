"""What is used up for ever: a take is written to the resource's status before its pod exists, and counted once.

An entry of `status.taking` is added together with its quantity in `status.consumed`, under the resource's version. It
lets one pod start, however often the operator begins anew, and goes when that pod is known; with its quantity, if the
pod can never come to be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

import msgspec

from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.stock import consumed
from batchyard.model.labels import pod_name
from batchyard.world.children import attempts_on_record, has_ended
from batchyard.world.indexes import parse
from batchyard.world.store import Store
from batchyard.world.views import Consumable, Job, Key

MOST_TAKING = 2000  # entries at a time: the object stays below 300 KB
_PARTS = re.compile(r"((?P<long>.+)-(?P<index>\d+)|(?P<short>.+))-(?P<attempt>\d+)")


class Fate(Enum):
    """What has become of a take: its pod may still come, has come, or will never come."""

    OPEN = "open"
    SPENT = "spent"
    VOID = "void"


def entry(ask: Ask, index: int | None = None) -> str:
    """Return the key under which a pod of an ask is booked; a multi-node job takes once, on its main pod."""
    gang = ask.standing.effective.gang if ask.standing.effective else None
    return f"{ask.job.namespace}/{pod_name(ask.job.name, ask.attempt, gang.main if gang else index)}"


def on_record(cycle: Cycle, view: Consumable, ask: Ask) -> int:
    """Return the pods of an ask that have their take and have not come to be with it: indexes, or 1 of a plain job."""
    known = cycle.stock.recorded.get((view.name, id(ask)))
    if known is None:
        known = cycle.stock.recorded[view.name, id(ask)] = _find(cycle.store, view, ask)
    return known & ask.indexes if ask.indexes else known


def _find(store: Store, view: Consumable, ask: Ask) -> int:
    booked = taking(view)
    if not ask.indexes:
        key = entry(ask)
        return int(key in booked and not _has_come(store, view, key))
    head, tail, found = f"{ask.job.namespace}/{ask.job.name}-", f"-{ask.attempt}", 0
    for key in booked:
        index = key[len(head) : -len(tail)] if key.startswith(head) and key.endswith(tail) else ""
        if index.isdigit() and not _has_come(store, view, key):
            found |= 1 << int(index)
    return found


def taking(view: Consumable) -> Mapping[str, int]:
    """Return the takes on record whose pods are not known to have come."""
    return view.status.get("taking") or {}


def has_takes(store: Store, job: Job) -> bool:
    """Say whether a take of one of a job's pods is on record and not settled."""
    for view in store.consumables.values():
        for key in taking(view):
            namespace, _, pod = key.partition("/")
            owner = _owner(store, namespace, pod) if pod.startswith(f"{job.name}-") else None
            if owner is not None and owner.job.uid == job.uid:
                return True
    return False


def settle(cycle: Cycle, view: Consumable) -> tuple[dict[str, int | None], int]:
    """Return the changes of `taking` that are due, and what `consumed` comes to with them."""
    changes: dict[str, int | None] = {}
    total, open_ = consumed(view), 0
    for key, quantity in taking(view).items():
        fate = _fate(cycle.store, view, key)
        open_ += fate is Fate.OPEN
        if fate is not Fate.OPEN:
            changes[key] = None
        if fate is Fate.VOID:
            total -= quantity
    for key, quantity in cycle.stock.bookings.get(view.name, {}).items():
        # A key that is still on record belongs to a pod that has come; the next of that name waits until it is out.
        if key not in taking(view) and open_ < MOST_TAKING:
            changes[key], open_, total = quantity, open_ + 1, total + quantity
    return changes, total


def write_down(cycle: Cycle) -> bool:
    """Write the bookings of a decision straight into its store, as a forecast does; say whether there were any."""
    for name, booked in cycle.stock.bookings.items():
        view = cycle.store.consumables[name]
        fresh = {key: quantity for key, quantity in booked.items() if key not in taking(view)}
        total = consumed(view) + sum(fresh.values())
        status = {**view.status, "taking": {**taking(view), **fresh}, "consumed": total}
        cycle.store.apply(msgspec.structs.replace(view, status=status))
    return bool(cycle.stock.bookings)


def _has_come(store: Store, view: Consumable, key: str) -> bool:
    namespace, _, name = key.partition("/")
    pod = store.pods.get(Key(namespace, name))
    there = pod is not None and pod.uid != "" and view.name in pod.consumables
    return there or key in store.arrived.get(view.name, ())


def _fate(store: Store, view: Consumable, key: str) -> Fate:
    if _has_come(store, view, key):
        return Fate.SPENT
    namespace, _, name = key.partition("/")
    pod = store.pods.get(Key(namespace, name))
    if pod is not None and not pod.uid:
        return Fate.OPEN  # being created
    owner = _owner(store, namespace, name)
    if owner is None:
        return Fate.VOID
    if _tells_of(owner, name):
        return Fate.SPENT
    unfinished = owner.job.uid in store.active or owner.job.uid in store.pending
    return Fate.VOID if not unfinished or _is_over(owner) else Fate.OPEN


class _Owner(NamedTuple):
    """The job of a pod, as its name tells: `<job>-<attempt>` or `<job>-<index>-<attempt>`."""

    job: Job
    attempt: int
    child: int | None = None


def _owner(store: Store, namespace: str, pod: str) -> _Owner | None:
    parts = _PARTS.fullmatch(pod)
    if parts is None:
        return None
    attempt, stem = int(parts["attempt"]), pod.rsplit("-", 1)[0]
    whole = store.jobs.get(store.named.get(Key(namespace, stem), ""))
    if whole is not None and whole.spec.array is None:
        return _Owner(whole, attempt)
    several = store.jobs.get(store.named.get(Key(namespace, parts["long"] or ""), ""))
    return _Owner(several, attempt, int(parts["index"])) if several is not None else None


def _tells_of(owner: _Owner, pod: str) -> bool:
    """Say whether the job's record tells of the pod as one that was there."""
    job, array = owner.job, owner.job.status.array
    if any(attempt.pod == pod for attempt in (*job.status.attempts, *(array.attempts if array else ()))):
        return True
    if array is None or owner.child is None:
        return False
    return bool(parse(array.succeeded) >> owner.child & 1) or attempts_on_record(job, owner.child) >= owner.attempt


def _is_over(owner: _Owner) -> bool:
    """Say whether a child ended without ever starting, as one that is stopped before."""
    return owner.child is not None and has_ended(owner.job, owner.child)
