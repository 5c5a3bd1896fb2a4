"""Consumable resources: what a pod takes when it starts, all together or nothing, first come first served."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from heapq import nlargest
from operator import and_

from batchyard.decide.bookings import entry, on_record
from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.explain import Outlook
from batchyard.decide.stock import Shortage, Takes, consumed, in_use, left
from batchyard.world.indexes import first
from batchyard.world.store import Store
from batchyard.world.views import Consumable

_NAMED = 3  # holders that a sentence names


def shortage(cycle: Cycle, ask: Ask) -> Outlook | None:
    """Return what keeps the next pod of an ask from taking its consumables now, None if nothing does.

    A job that waits for more than is left has all its takes set aside, so that those behind it share only what is over:
    they cannot starve it, and who needs nothing of that goes on. One that only the user can help keeps nothing.
    """
    due = _due(cycle, ask)
    found = (cycle.stock.short.get(due) or _look(cycle, due)) if due else None
    if found is None:
        return None
    cycle.stock.short[due] = found
    for name in found.names:
        cycle.stock.waiting[name].add(ask.job.uid)
    if not found.outlook.hopeless:
        set_aside(cycle, ask)
    return found.outlook


def take(cycle: Cycle, ask: Ask) -> None:
    """Count what a pod that has found room takes."""
    cycle.stock.given.update(dict(_due(cycle, ask)))


def booked(cycle: Cycle, ask: Ask) -> bool:
    """Say whether all that the pod uses up for which room was just found is on record; if not, have it recorded first.

    Of an array the children that are booked start first: `ask.booked`.
    """
    records = {view.name: on_record(cycle, view, ask) for view, _ in _used_up_by(cycle.store, ask)}
    ask.booked = reduce(and_, records.values(), ask.indexes or 1)
    if records and not ask.booked:
        _book(cycle, ask, records)
    return bool(ask.booked)


def _book(cycle: Cycle, ask: Ask, records: dict[str, int]) -> None:
    index, one = None, 1
    if ask.indexes:
        chosen = cycle.stock.chosen[id(ask)]
        if not ask.indexes & ~chosen:
            return
        index = first(ask.indexes & ~chosen)
        one = 1 << index
        cycle.stock.chosen[id(ask)] = chosen | one
    for view, quantity in _used_up_by(cycle.store, ask):
        if not records[view.name] & one:
            cycle.stock.bookings[view.name][entry(ask, index)] = quantity


def _used_up_by(store: Store, ask: Ask) -> list[tuple[Consumable, int]]:
    takes = ask.standing.effective.consumables if ask.standing.effective else ()
    views = ((store.consumables.get(name), quantity) for name, quantity in takes)
    return [(view, quantity) for view, quantity in views if view is not None and not view.replenishable]


def _due(cycle: Cycle, ask: Ask) -> Takes:
    """Return what the next pod has yet to take: of what is used up for ever it may have its part already."""
    takes = ask.standing.effective.consumables if ask.standing.effective else ()
    if not takes:
        return ()
    before = ask.served - ask.started  # pods of this ask that have found room and wait for their node
    views = _used_up_by(cycle.store, ask)
    has = {view.name for view, _ in views if on_record(cycle, view, ask).bit_count() > before}
    return tuple(each for each in takes if each[0] not in has)


def set_aside(cycle: Cycle, ask: Ask) -> None:
    """Keep what the next pod of an ask takes from those behind it."""
    for name, quantity in _due(cycle, ask):
        cycle.stock.kept[name] += quantity
        cycle.stock.first.setdefault(name, f"{ask.job.namespace}/{ask.job.name}")


def _look(cycle: Cycle, due: Takes) -> Shortage | None:
    """Try each resource; what only the user can mend is said first."""
    lacks = [(name, said) for name, quantity in due if (said := _try(cycle, name, quantity)) is not None]
    if not lacks:
        return None
    lacks.sort(key=lambda lack: not lack[1].hopeless)
    sentence = "; ".join(said.message for _, said in lacks)
    return Shortage(Outlook(lacks[0][1].reason, sentence), tuple(name for name, _ in lacks))


def _try(cycle: Cycle, name: str, quantity: int) -> Outlook | None:
    store, stock = cycle.store, cycle.stock
    view = store.consumables.get(name)
    if view is None or view.deleting:
        return _unknown(store, name)
    if quantity > view.total:
        advice = "ask for less, or raise its spec.total"
        sentence = f"needs {quantity} of ConsumableResource {name!r}, whose total is {view.total}; {advice}"
        return Outlook("ConsumableTooLarge", sentence)
    if not view.replenishable and quantity > left(store, view):
        return _used_up(view, quantity)
    if quantity <= left(store, view) - stock.given[name] - stock.kept[name]:
        return None
    return Outlook("ConsumableUnavailable", _unavailable(cycle, view, quantity))


def _unknown(store: Store, name: str) -> Outlook:
    known = ", ".join(sorted(store.consumables)[:20]) or "none"
    sentence = f"ConsumableResource {name!r} does not exist (there are: {known}); the job starts when it is created"
    return Outlook("ConsumableNotFound", sentence)


def _used_up(view: Consumable, quantity: int) -> Outlook:
    sentence = (
        f"needs {quantity} of ConsumableResource {view.name!r}: {consumed(view)} of {view.total} are used up for ever; "
        "raise its spec.total"
    )
    return Outlook("ConsumableUsedUp", sentence)


def _unavailable(cycle: Cycle, view: Consumable, quantity: int) -> str:
    free = left(cycle.store, view) - cycle.stock.given[view.name]
    have = f"needs {quantity} of ConsumableResource {view.name!r}, {max(free, 0)} of {view.total} free"
    if quantity <= free:
        return f"{have} and kept for {cycle.stock.first.get(view.name, 'others')}, which came first"
    over = in_use(cycle.store, view) - view.total
    lowered = f" (its total was lowered, {over} more than that are in use)" if over > 0 else ""
    return f"{have}, {quantity - free} missing{lowered}{held_by(cycle.store, view.name)}"


def held_by(store: Store, name: str) -> str:
    """Say who holds a resource: those that hold most, and how many more there are."""
    named = holders(store, name, _NAMED)
    if not named:
        return ""
    more = len(store.held[name]) - len(named)
    text = ", ".join(f"{job} ({quantity})" for job, quantity in named)
    return f"; held by {text}" + (f" and {more} more jobs" if more else "")


def holders(store: Store, name: str, most: int) -> list[tuple[str, int]]:
    """Return the jobs that hold most of a resource, as <namespace>/<name> with their quantities."""
    held = store.held.get(name)
    if not held:
        return []
    rank: Callable[[tuple[str, int]], tuple[int, str]] = lambda each: (each[1], each[0])  # noqa: E731
    return [(_job_name(store, uid), quantity) for uid, quantity in nlargest(most, held.items(), key=rank)]


def _job_name(store: Store, uid: str) -> str:
    """Of a job that is deleted while its pods still stop only these are known."""
    job = store.jobs.get(uid)
    if job is not None:
        return f"{job.namespace}/{job.name}"
    pods = store.pods_of.get(uid)
    return next((f"{pod.namespace}/{pod.name}" for pod in pods.values()), uid) if pods else uid
