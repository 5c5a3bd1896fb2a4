"""The loop: wait for the bell, decide, apply; the only place where time enters a decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, time

import structlog

from batchyard.decide import decide
from batchyard.decide.settle import judge
from batchyard.engine.apply import apply
from batchyard.engine.hands import Hands
from batchyard.telemetry import metrics

log = structlog.get_logger(__name__)

LONGEST_SLEEP = 5.0  # a cycle at least so often, so that probes see the loop alive
REST = 3.0  # times the last cycle: deciding takes a quarter of the core at most, the rest is for reading and writing
REST_A_RING = 0.002  # where much happens one decision serves for all of it: each costs a look at every node
BUSY_REST = 0.025
LONGEST_REST = 0.25
SLOW_CYCLE = 0.5
AT_ONCE = 5_000  # jobs judged in a row: 50 ms, several times that on a busy machine


def rest_after(cycle: float, rings: int) -> float:
    """Return how long the loop rests after a cycle of so many seconds that so many rings have asked for."""
    return min(max(REST * cycle, min(REST_A_RING * rings, BUSY_REST)), LONGEST_REST)


class Loop:
    """One cycle after another; `last_cycle` is the monotonic time of the latest that ended."""

    def __init__(self, hands: Hands, now: Callable[[], float] = time, clock: Callable[[], float] = monotonic) -> None:
        self._hands = hands
        self._now = now
        self._clock = clock
        self.last_cycle = clock()
        self._step_began = 0.0

    async def run(self) -> None:
        """Decide and apply for ever; an exception is a defect of ours and ends the process."""
        wake: float | None = None
        rest = 0.0
        while True:
            rings = await self._hands.bell.wait(self._sleep(wake), rest)
            await self._judge_ahead()
            began = self._clock()
            wake = self.cycle()
            rest = rest_after(self._clock() - began, rings)

    async def _judge_ahead(self) -> None:
        """Where a decision would judge very many jobs, let the Lease and the probes have their turn in between."""
        while self._hands.leads() and judge(self._hands.store, self._now(), AT_ONCE):
            self.last_cycle = self._clock()
            await asyncio.sleep(0)

    def cycle(self) -> float | None:
        """Run one cycle; return when the next is due though nothing happened. Who no longer leads decides nothing."""
        if not self._hands.leads():
            return None
        now, began = self._now(), self._clock()
        self._step_began = began
        plan = decide(self._hands.store, now, self._done)
        apply(self._hands, plan, now)
        for whose, what in plan.defects:
            log.error("defect: an object cannot be dealt with and is left as it is", object=whose, error=what)
        self._done("apply")
        self.last_cycle = self._clock()
        metrics.cycle_took(self.last_cycle - began, len(plan.defects))
        if self.last_cycle - began > SLOW_CYCLE:
            log.warning("slow cycle", seconds=round(self.last_cycle - began, 3), verbs=len(plan.verbs))
        return plan.wake

    def _sleep(self, wake: float | None) -> float:
        if wake is None:
            return LONGEST_SLEEP
        return min(max(wake - self._now(), 0.001), LONGEST_SLEEP)

    def _done(self, step: str) -> None:
        now = self._clock()
        metrics.step_took(step, now - self._step_began)
        self._step_began = now
