"""Where the children of an array stand, as sets of indexes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from batchyard.model.plan import Verb
from batchyard.world.children import ROUGH, Recorded
from batchyard.world.indexes import gather
from batchyard.world.views import Attempt

UNKNOWN = "Unknown"  # reason of an attempt that a merged record may have counted
LOST_NAMED = 20  # lost attempts that are told one by one; the others are counted


@dataclass(frozen=True, slots=True)
class Child:
    """A child whose ended attempts are known one by one, because their pods are; `new` are not on record yet."""

    attempts: tuple[Attempt, ...]
    new: tuple[Attempt, ...]

    @property
    def counted(self) -> int:
        """Return how many attempts used up one of retry.attempts."""
        return sum(1 for attempt in self.attempts if attempt.counted)

    @property
    def number(self) -> int:
        """Return the number of the latest attempt."""
        return self.attempts[-1].number

    @property
    def rough(self) -> int:
        """Return ROUGH if the record of its earlier attempts was."""
        return ROUGH if any(attempt.reason == UNKNOWN for attempt in self.attempts) else 0


@dataclass(slots=True)
class Tally:
    """The children of one array as sets; `waiting` neither live nor ended, `retried` by (attempts, counted)."""

    size: int
    all: int
    record: Recorded
    succeeded: int = 0
    failed: int = 0
    live: int = 0
    running: int = 0
    there: int = 0  # live, and the API server has the pod
    blocked: int = 0  # of the waiting ones those that something else than room keeps
    retried: dict[tuple[int, int], int] = field(default_factory=dict)
    known: dict[int, Child] = field(default_factory=dict)
    due: dict[int, float] = field(default_factory=dict)  # of the known ones that wait: when the next attempt may start
    lost: int = 0  # their pods vanished while no operator was watching
    new: list[Attempt] = field(default_factory=list)  # attempts whose end is not on record yet
    orders: tuple[Verb, ...] = ()
    until: float = float("inf")
    began: str | None = None  # when the first of those that run now began
    remark: str = ""  # what is wrong with the user's stop
    stopped: str = ""  # Cancelled or Terminated: what a stop of the whole array did to some children

    @property
    def ended(self) -> int:
        """Return the children that have ended for good."""
        return self.succeeded | self.failed

    @property
    def waiting(self) -> int:
        """Return the children that have no live pod and have not ended."""
        return self.all & ~self.ended & ~self.live

    @property
    def fresh(self) -> int:
        """Return the waiting children that were never started."""
        started = gather(self.known, self.size)
        for group in self.retried.values():
            started |= group
        return self.waiting & ~started

    @property
    def begun(self) -> bool:
        """Say whether any child was ever started."""
        return bool(self.live or self.succeeded or self.retried or self.known)

    def fail(self, children: int) -> None:
        """Have these children end badly."""
        self.failed |= children
        self._end(children)

    def succeed(self, children: int) -> None:
        """Have these children end well."""
        self.succeeded |= children
        self._end(children)

    def _end(self, children: int) -> None:
        self.retried = {kind: left for kind, group in self.retried.items() if (left := group & ~children)}

    def counts(self) -> dict[str, int]:
        """Return `status.array.counts` (AWS statusSummary)."""
        waiting, live, running = self.waiting.bit_count(), self.live.bit_count(), self.running.bit_count()
        blocked = (self.blocked & self.waiting).bit_count()
        return {
            "pending": blocked,
            "runnable": waiting - blocked,
            "starting": live - running,
            "running": running,
            "succeeded": self.succeeded.bit_count(),
            "failed": self.failed.bit_count(),
        }

    def live_counts(self) -> dict[str, int]:
        """Return the children that have not ended, by the names of phases."""
        return {name.title(): count for name, count in self.counts().items() if name not in ("succeeded", "failed")}

    def ends(self) -> Counter[str]:
        """Return by reason how many attempts have ended since the last record."""
        found = Counter(attempt.reason or "Error" for attempt in self.new)
        found["NodeLost"] += max(self.lost.bit_count() - LOST_NAMED, 0)
        return +found
