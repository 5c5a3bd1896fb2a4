"""The bell: a stream of rings sliced into windows, so that many events make one decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

IDLE = 0.005  # a window closes when it was quiet for so long
LONGEST = 0.050  # and at the latest after so long (Karpenter's batcher)


class Bell:
    """Rung by everything that changes what is known; `wait` returns once per window."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._rings = 0
        self._rung = asyncio.Event()
        self._clock = clock

    def ring(self) -> None:
        """Ask for a decision."""
        self._rings += 1
        self._rung.set()

    async def wait(self, longest: float | None, rest: float = 0.0) -> int:
        """Return when rung and quiet again, or after `longest` seconds of silence; not before `rest` has passed.

        Returns how often it was rung since the last window. A loop that rests in proportion to its last
        cycle leaves most of the core to reading and writing.
        """
        await asyncio.sleep(rest)
        try:
            async with asyncio.timeout(longest):
                await self._rung.wait()
        except TimeoutError:
            return 0
        closes = self._clock() + LONGEST
        while self._rung.is_set() and self._clock() < closes:
            self._rung.clear()
            await asyncio.sleep(IDLE)
        self._rung.clear()
        rings, self._rings = self._rings, 0
        return rings
