"""A copy of the store to play with: what is done to it is never seen by the original."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from copy import copy, deepcopy
from typing import Any

from batchyard.world.expiries import Expiries
from batchyard.world.memo import Memo
from batchyard.world.sightings import Sightings
from batchyard.world.store import Store


def fork(store: Store, jobs: Iterable[str]) -> Store:
    """Return a store in which of all unfinished jobs only these are left, and those with live pods.

    Views are immutable and shared; tables are copied, two levels deep. What decide concluded is not taken along, nor
    what was seen of pods: what ends in a play has not been seen.
    """
    twin = copy(store)
    own: dict[str, Any] = {
        "memo": Memo(), "expiries": Expiries(), "histories": store.histories.fork(), "sightings": Sightings(),
    }  # fmt: skip
    vars(twin).update(own)
    for name, value in vars(store).items():
        if name not in own:
            setattr(twin, name, _table(value))
    live = {pod.job for pods in store.live_on.values() for pod in pods.values()}
    live |= {pod.job for pod in store.unbound.values()}
    wanted = (uid for uid in (*sorted(live), *jobs) if uid in store.active)
    twin.active = {uid: number for number, uid in enumerate(dict.fromkeys(wanted))}
    return twin


def _table(value: Any) -> Any:
    if isinstance(value, (set, list, deque)):
        return copy(value)
    if not isinstance(value, dict):
        return value if isinstance(value, (int, float, str, tuple, frozenset)) else deepcopy(value)
    twin = copy(value)
    if _changes(next(iter(value.values()), None)):  # values of one table are of one kind
        twin.update((key, copy(inner)) for key, inner in value.items())
    return twin


def _changes(value: Any) -> bool:
    """Say whether a value of a table can change in place; views never do."""
    dataclass = getattr(type(value), "__dataclass_params__", None)
    return isinstance(value, (dict, set, list, deque)) or (dataclass is not None and not dataclass.frozen)
