"""The front of each queue: who of those that wait is where, and how much stands before him."""

from __future__ import annotations

from batchyard.decide.cycle import Cycle, Position
from batchyard.decide.order import order, waiting
from batchyard.decide.settle import settle
from batchyard.world.store import Store

FRONT = 100  # jobs of a queue that are told their position (AWS: GetJobQueueSnapshot)


def line(store: Store, now: float) -> dict[str, Position]:
    """Return the positions of all jobs that wait for room, by uid, by queue and in order."""
    cycle = Cycle(store, now)
    settle(cycle)
    order(cycle)
    return front(cycle, len(store.active))


def front(cycle: Cycle, most: int = FRONT) -> dict[str, Position]:
    """Return the positions of the first jobs of each queue, by uid: queue by queue, in order."""
    positions: dict[str, Position] = {}
    for queue in sorted(cycle.roster.lines):
        positions |= _of(cycle, queue, most)
    return positions


def _of(cycle: Cycle, queue: str, most: int) -> dict[str, Position]:
    positions: dict[str, Position] = {}
    ahead = 0
    for ask in waiting(cycle, queue):
        if not ask.waits:
            continue
        if ask.job.uid not in positions:
            if len(positions) >= most:
                break
            positions[ask.job.uid] = Position(len(positions) + 1, ahead)
        ahead += ask.cpu * (ask.count - ask.started)
    return positions
