"""One cycle's count of consumable resources: what is free, what is set aside, and for whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from batchyard.decide.explain import Outlook
from batchyard.world.store import Store
from batchyard.world.views import Consumable

Takes = tuple[tuple[str, int], ...]  # names and quantities


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why these takes cannot be had together, and which of the resources lack."""

    outlook: Outlook
    names: tuple[str, ...]


@dataclass(slots=True)
class Stock:
    """What this cycle has given away and set aside; within a cycle less and less is free."""

    given: Counter[str] = field(default_factory=Counter)  # to pods that have found room
    kept: Counter[str] = field(default_factory=Counter)  # for jobs that wait for more than there is
    first: dict[str, str] = field(default_factory=dict)  # resource -> the first job that something is kept for
    short: dict[Takes, Shortage] = field(default_factory=dict)
    waiting: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # resource -> uids of jobs
    recorded: dict[tuple[str, int], int] = field(default_factory=dict)  # resource and ask -> pods that have their take
    chosen: defaultdict[int, int] = field(
        default_factory=lambda: defaultdict(int)
    )  # ask -> children that are booked now
    bookings: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))  # see bookings.py


def consumed(view: Consumable) -> int:
    """Return what is used up for ever, as recorded."""
    return 0 if view.replenishable else int(view.status.get("consumed") or 0)


def in_use(store: Store, view: Consumable) -> int:
    """Return what live pods hold and will give back."""
    return store.in_use[view.name] if view.replenishable else 0


def left(store: Store, view: Consumable) -> int:
    """Return what nobody holds or has used up; negative when the total was lowered below that."""
    return view.total - in_use(store, view) - consumed(view)
