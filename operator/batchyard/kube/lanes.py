"""The queue of waiting writes: by lane, then first come first served, one per key, the latest wins."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from batchyard.kube.outcome import Intent


@dataclass(slots=True)
class Waiting:
    """An intent on its way: how often it was tried, how that last failed, and the clock's time when we give up."""

    intent: Intent
    tries: int = 0
    status: int = 0
    message: str = ""
    deadline: float | None = None


class Lanes:
    """Holds at most one intent per key; within a lane, the later takes the place in the queue of the one it replaces.

    `opened` is told of each lane when it is first used.
    """

    def __init__(self, opened: Callable[[int], None] = lambda _: None) -> None:
        self._lanes: dict[int, OrderedDict[Hashable, Waiting]] = {}
        self._order: list[int] = []
        self._lane_of: dict[Hashable, int] = {}
        self._opened = opened

    def __len__(self) -> int:
        return len(self._lane_of)

    def keys(self) -> list[Hashable]:
        """Return the keys that wait."""
        return list(self._lane_of)

    def depth(self, lane: int) -> int:
        """Return how many wait in a lane."""
        return len(self._lanes.get(lane, ()))

    def put(self, waiting: Waiting) -> Waiting | None:
        """Add one; return the one it replaces."""
        key, lane = waiting.intent.key, waiting.intent.lane
        replaced = self._replaced(key, lane)
        self._lane(lane)[key] = waiting
        self._lane_of[key] = lane
        return replaced

    def take(self) -> Waiting | None:
        """Remove and return the next one."""
        for lane in self._order:
            if self._lanes[lane]:
                key, waiting = self._lanes[lane].popitem(last=False)
                del self._lane_of[key]
                return waiting
        return None

    def remove(self, key: Hashable) -> Waiting | None:
        """Remove and return the one of this key, if it waits."""
        lane = self._lane_of.pop(key, None)
        return None if lane is None else self._lanes[lane].pop(key)

    def _replaced(self, key: Hashable, lane: int) -> Waiting | None:
        if self._lane_of.get(key) == lane:
            return self._lanes[lane][key]
        return self.remove(key)

    def _lane(self, lane: int) -> dict[Hashable, Waiting]:
        if lane not in self._lanes:
            self._lanes[lane] = OrderedDict()
            self._order = sorted(self._lanes)
            self._opened(lane)
        return self._lanes[lane]
