"""When those who wait are expected to start: a replay in a thread of its own, every half minute and when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import time

from batchyard.decide.replay import replay
from batchyard.world.estimates import Estimate
from batchyard.world.snapshot import fork
from batchyard.world.store import Store

EVERY_SECONDS = 30.0
FIRST_SECONDS = 5.0  # after the operator's start, and between looks for somebody who waits
EFFORT = 100_000  # jobs, pods and nodes looked at, times decisions: about two seconds of one core
HALF, MOST = 0.5, 0.9


class Forecast:
    """Keeps the estimates of the jobs at the front of each queue."""

    def __init__(self, store: Store, now: Callable[[], float] = time) -> None:
        self._store = store
        self._now = now

    async def run(self) -> None:
        """Estimate for ever."""
        while True:
            waiting = [uid for uid in self._store.front if uid in self._store.active]
            if waiting:
                self._store.estimates = await self.estimate(waiting)
            await asyncio.sleep(EVERY_SECONDS if waiting else FIRST_SECONDS)

    async def estimate(self, jobs: Iterable[str]) -> dict[str, Estimate]:
        """Return the estimates of some waiting jobs; those whose start cannot be foreseen have none."""
        wanted, now = tuple(jobs), self._now()
        early = await self._replay(wanted, now, HALF)
        late = await self._replay(wanted, now, MOST)
        return {uid: Estimate(at, max(late[uid], at)) for uid, at in early.items() if uid in late}

    async def _replay(self, jobs: tuple[str, ...], now: float, part: float) -> dict[str, float]:
        store = self._store
        size = len(jobs) + len(store.nodes) + sum(len(pods) for pods in store.live_on.values())
        twin = fork(store, jobs)  # here and not in the thread: the store must not change meanwhile
        return await asyncio.to_thread(replay, twin, (now, part), jobs, max(EFFORT // (size + 100), 20))
