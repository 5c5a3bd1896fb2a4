"""Write to the API server: lane by lane, one request per key at a time, the latest intent wins, retried till clear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic

from batchyard.kube.backoff import Backoff
from batchyard.kube.concurrency import Concurrency
from batchyard.kube.lanes import Lanes, Waiting
from batchyard.kube.outcome import Intent, Kind, Outcome, outcome_of
from batchyard.kube.session import Response, Session, UnreachableError
from batchyard.telemetry import requests as telemetry

__all__ = ["Effort", "Intent", "Kind", "Outcome", "Writer"]


TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try: requests at once (`start`, `most`), seconds from the first try until the outcome is Unknown."""

    start: int = 16
    most: int = 32
    deadline: float = 60.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.1, longest=10.0))
    clock: Callable[[], float] = monotonic


class Writer:
    """Equivalent to sending each intent in turn until the answer is clear, and telling `settled` once how it ended.

    Differs for speed: many keys at a time, and what is overtaken while it waits is never sent. `guard` is asked right
    before every request; when it says no (we do not lead any more) nothing is sent. `settled` may be called from within
    `submit`, `withdraw` and `close`; an exception in it is our defect and ends `run`.
    """

    def __init__(
        self, session: Session, guard: Callable[[], bool] = lambda: True, effort: Effort | None = None
    ) -> None:
        self._session = session
        self._guard = guard
        self._effort = effort = effort or Effort()
        self._concurrency = Concurrency(effort.start, min(effort.most, session.connections))
        self._lanes = Lanes(lambda lane: telemetry.watch_queue(lane, lambda: self._lanes.depth(lane)))
        self._in_flight: set[Hashable] = set()
        self._behind: dict[Hashable, Waiting] = {}
        self._resting: dict[Hashable, tuple[Waiting, asyncio.TimerHandle]] = {}
        self._unsettled = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._bell = asyncio.Event()
        self._running = False
        self._closing = False
        telemetry.watch_limit(lambda: self._concurrency.limit)

    @property
    def unsettled(self) -> int:
        """How many intents have not ended yet."""
        return self._unsettled

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return self._concurrency.limit

    @property
    def resting(self) -> int:
        """How many wait for the time of their retry."""
        return len(self._resting)

    def submit(self, intent: Intent) -> None:
        """Queue an intent; the one of the same key that waits, or rests before a retry, is superseded."""
        self._unsettled += 1
        self._idle.clear()
        waiting = Waiting(intent)
        if self._closing:
            self._settle(waiting, Outcome(Kind.REFUSED, reason="Closed", message="the writer is closed"))
            return
        replaced = self._place(waiting)
        self._bell.set()
        if replaced is not None:
            self._settle(replaced, _superseded(replaced, "a later write took its place"))

    def withdraw(self, key: Hashable) -> bool:
        """Drop the intent of this key which is not in flight, as superseded; say whether there was one."""
        waiting = self._behind.pop(key, None) or self._lanes.remove(key) or self._rouse(key)
        if waiting is not None:
            self._settle(waiting, _superseded(waiting, "withdrawn"))
        return waiting is not None

    async def run(self) -> None:
        """Write until closed; what a `settled` callback raises ends it."""
        self._running = True
        try:
            async with asyncio.TaskGroup() as requests:
                while not (self._closing and self._idle.is_set()):
                    await self._bell.wait()
                    self._bell.clear()
                    while (waiting := self._next()) is not None:
                        requests.create_task(self._carry(waiting))
        finally:
            self._running = False

    async def drain(self) -> None:
        """Wait until every intent has settled, those from `settled` callbacks too; the caller sets the deadline."""
        while self._unsettled:
            await self._idle.wait()

    async def close(self) -> None:
        """Drop what waits, let what is in flight end, and have `run` return."""
        self._closing = True
        for key in [*self._behind, *self._resting, *self._lanes.keys()]:
            self.withdraw(key)
        self._bell.set()
        if self._running:
            await self._idle.wait()

    def _place(self, waiting: Waiting) -> Waiting | None:
        key = waiting.intent.key
        if key in self._in_flight:
            replaced = self._behind.get(key)
            self._behind[key] = waiting
            return replaced
        rested = self._rouse(key)
        return self._lanes.put(waiting) or rested

    def _rouse(self, key: Hashable) -> Waiting | None:
        resting = self._resting.pop(key, None)
        if resting is None:
            return None
        resting[1].cancel()
        return resting[0]

    def _next(self) -> Waiting | None:
        waiting = self._lanes.take() if self._concurrency.free() else None
        if waiting is not None:
            self._concurrency.active += 1
            self._in_flight.add(waiting.intent.key)
        return waiting

    async def _carry(self, waiting: Waiting | None) -> None:
        # A task goes on from write to write, because a task for each would cost more.
        while waiting is not None:
            outcome, pause = await self._try(waiting)
            self._land(waiting, outcome, pause)
            waiting = self._next()
            if len(self._lanes) and self._concurrency.free():
                self._bell.set()

    async def _try(self, waiting: Waiting) -> tuple[Outcome | None, float]:
        if not self._guard():
            return Outcome(Kind.REFUSED, reason="NotLeader", message="not leader"), 0.0
        intent, epoch = waiting.intent, self._concurrency.epoch
        waiting.tries += 1
        waiting.deadline = waiting.deadline or self._effort.clock() + self._effort.deadline
        body = intent.body() if callable(intent.body) else intent.body
        try:
            answer = await self._session.request(
                intent.method, intent.path, params=intent.params, body=body, content_type=intent.content_type
            )
        except UnreachableError as error:
            waiting.status, waiting.message = 0, str(error)
            return None, 0.0
        return self._read(waiting, answer, epoch), answer.retry_after

    def _read(self, waiting: Waiting, answer: Response, epoch: int) -> Outcome | None:
        if answer.status == TOO_MANY_REQUESTS:
            self._concurrency.overloaded(epoch)
        else:
            self._concurrency.succeeded()
        outcome = outcome_of(waiting.intent, answer)
        if outcome is None:
            waiting.status, waiting.message = answer.status, answer.failure().message
        return outcome

    def _land(self, waiting: Waiting, outcome: Outcome | None, pause: float) -> None:
        key = waiting.intent.key
        self._concurrency.active -= 1
        self._in_flight.discard(key)
        later = self._behind.pop(key, None)
        if later is not None:
            self._lanes.put(later)
            self._bell.set()
        outcome = outcome or self._end_or_rest(waiting, later, pause)
        if outcome is not None:
            self._settle(waiting, outcome)

    def _end_or_rest(self, waiting: Waiting, later: Waiting | None, pause: float) -> Outcome | None:
        if later is not None:
            return _superseded(waiting, "a later write took its place")
        delay = self._effort.backoff.delay(waiting.tries, pause)
        if self._closing or self._effort.clock() + delay > (waiting.deadline or 0):
            return Outcome(Kind.UNKNOWN, waiting.status, message=waiting.message)
        key = waiting.intent.key
        self._resting[key] = waiting, asyncio.get_running_loop().call_later(delay, self._return, key)
        return None

    def _return(self, key: Hashable) -> None:
        waiting, _ = self._resting.pop(key)
        self._lanes.put(waiting)
        self._bell.set()

    def _settle(self, waiting: Waiting, outcome: Outcome) -> None:
        self._unsettled -= 1
        if not self._unsettled:
            self._idle.set()
            self._bell.set()
        waiting.intent.settled(outcome)


def _superseded(waiting: Waiting, message: str) -> Outcome:
    return Outcome(Kind.SUPERSEDED, waiting.status, message=message)
