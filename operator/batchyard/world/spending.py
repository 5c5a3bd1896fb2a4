"""What was spent of one budget: money by when it was spent, pod by pod, and what runs now."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from batchyard.world.money import CENTS, NOTHING, exact, read_amount
from batchyard.world.parse import rfc3339, seconds
from batchyard.world.views import Key

PARTS = 48  # into which a window is cut: money leaves it part by part
SHORTEST_PART = 10  # seconds
LATE = 120.0  # seconds after which a pod that has ended is no longer heard of as if it lived


@dataclass(slots=True)
class Run:
    """The part of one live pod: money a second, since when it runs, and what it is expected to cost in all.

    `uid` is empty until the API server has answered; `ends` is 0 where nobody knows. What was spent before `since` was
    counted by another operator and is not taken back.
    """

    uid: str
    rate: Decimal
    started: float | None = None
    ends: float = 0.0
    expected: Decimal = NOTHING  # of one that has not started
    since: float = 0.0

    @property
    def running(self) -> bool:
        """Say whether money is spent."""
        return self.started is not None


@dataclass(slots=True)
class Spending:
    """What was spent of one budget: parts of the window by their ends (unix seconds), all of it counted until `at`.

    Every sum is kept up as pods come, start and go: nothing here costs more for what has not changed.
    """

    window: int
    at: float = 0.0
    told: float = 0.0  # until when the queue's status tells of it
    begun: bool = False
    dirty: bool = False  # a pod has started or ended since it was told
    parts: dict[int, Decimal] = field(default_factory=dict)
    runs: dict[Key, Run] = field(default_factory=dict)
    rate: Decimal = NOTHING  # of all that run
    awaited: Decimal = NOTHING  # what those that have not started are expected to cost
    counted: dict[str, float] = field(default_factory=dict)  # uids of pods that have lately ended -> when
    _pledged: Decimal = NOTHING  # rate of those whose end is expected
    _pledges: Decimal = NOTHING  # sum of these rates, each times its end
    _ends: list[tuple[float, Key, str]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Return the seconds of one part."""
        return max(-(-self.window // PARTS), SHORTEST_PART)

    def fork(self) -> Spending:
        """Return a copy of its own."""
        twin = Spending(self.window, self.at, self.told, self.begun, self.dirty, dict(self.parts))
        twin.runs = {
            where: Run(r.uid, r.rate, r.started, r.ends, r.expected, r.since) for where, r in self.runs.items()
        }
        twin.rate, twin.awaited, twin.counted = self.rate, self.awaited, dict(self.counted)
        twin._pledged, twin._pledges, twin._ends = self._pledged, self._pledges, list(self._ends)
        return twin

    # Time

    def begin(self, now: float) -> None:
        """Begin to count: where the status left off, or now."""
        self.begun = True
        if not self.at:
            self.at = self.told = now

    def advance(self, now: float) -> None:
        """Count what runs until now, and forget what has left the window."""
        self.spread(self.rate, self.at, now)
        self.at = now
        for end in [end for end in self.parts if end + self.window <= now]:
            del self.parts[end]

    def spread(self, rate: Decimal, start: float, end: float) -> None:
        """Count what is spent from start to end; where end comes first, take it back."""
        sign, first, last = (1, start, end) if end >= start else (-1, end, start)
        first = max(first, last - self.window - self.width)
        while rate and first < last:
            part = (int(first) // self.width + 1) * self.width
            until = min(float(part), last)
            self.parts[part] = self.parts.get(part, NOTHING) + sign * rate * exact(until - first)
            first = until

    def resize(self, window: int) -> None:
        """Go on with another window; parts become coarser with it, never earlier."""
        self.window = window
        old, self.parts = self.parts, {}
        for end, amount in old.items():
            coarse = -(-end // self.width) * self.width
            self.parts[coarse] = self.parts.get(coarse, NOTHING) + amount

    # Pods

    def knows(self, where: Key, uid: str, *, runs: bool) -> bool:
        """Say whether a live pod is counted as it is already."""
        run = self.runs.get(where)
        return run is not None and run.uid == uid and (run.running or not runs)

    def enter(self, where: Key, run: Run) -> None:
        """Take in a live pod, for the first time or as it is now."""
        if run.uid in self.counted:
            return
        old = self.runs.get(where)
        if old is not None and old.uid and run.uid and old.uid != run.uid:
            self.leave(where, self.at)
            old = None
        if old is not None and (old.running or not run.running):
            old.uid = old.uid or run.uid
            return
        if old is not None:
            self.awaited -= old.expected
        self.runs[where] = run
        # What ran before anybody here knew of it is counted until then by whoever wrote the status.
        run.since = old.since if old is not None else self.told
        if run.started is None:
            self.awaited += run.expected
            run.since = float(int(run.since))  # the kubelet's clock shows whole seconds
            return
        self.spread(run.rate, max(run.started, run.since), self.at)
        self.rate += run.rate
        self.dirty = True
        self._pledge(where, run)

    def end(self, where: Key, last: Run, ended: float) -> None:
        """Take in that a pod has ended; to hear it twice changes nothing."""
        run = self.runs.get(where)
        if run is not None and run.uid in ("", last.uid):
            self.leave(where, ended, last)
        elif last.started is None or not last.uid or last.uid in self.counted or ended <= self.told:
            return
        else:
            self.spread(last.rate, max(last.started, self.told), ended)
        self.dirty = True
        if last.uid:
            self.counted[last.uid] = max(ended, self.at)

    def leave(self, where: Key, ended: float, last: Run | None = None) -> None:
        """Count a pod as far as it ran; `last` has its start if nobody saw it run."""
        run = self.runs.pop(where)
        if run.started is None:
            self.awaited -= run.expected
            if last is not None and last.started is not None:
                self.spread(last.rate, max(last.started, run.since), max(ended, run.since))
            return
        self._withdraw(run)
        self.rate -= run.rate
        self.spread(run.rate, self.at, max(ended, min(run.since, self.at)))

    # What is expected

    def _pledge(self, where: Key, run: Run) -> None:
        if run.ends > self.at:
            self._pledged += run.rate
            self._pledges += run.rate * exact(run.ends)
            heapq.heappush(self._ends, (run.ends, where, run.uid))
            if len(self._ends) > 2 * len(self.runs) + 64:  # most are of pods that ended sooner
                self._ends = [(each.ends, pod, each.uid) for pod, each in self.runs.items() if each.ends]
                heapq.heapify(self._ends)
        else:
            run.ends = 0.0

    def _withdraw(self, run: Run) -> None:
        if run.ends:
            self._pledged -= run.rate
            self._pledges -= run.rate * exact(run.ends)
            run.ends = 0.0

    def overrun(self) -> Iterator[Key]:
        """Yield the pods that have run as long as was expected; `expect` says what to expect now."""
        while self._ends and self._ends[0][0] <= self.at:
            end, where, uid = heapq.heappop(self._ends)
            run = self.runs.get(where)
            if run is not None and run.uid == uid and run.ends == end:
                self._withdraw(run)
                yield where

    def expect(self, where: Key, ends: float) -> None:
        """Expect a pod that has overrun to end then."""
        run = self.runs[where]
        run.ends = ends
        self._pledge(where, run)

    def committed(self) -> Decimal:
        """Return what all that lives is expected to cost from now on."""
        return self.awaited + self._pledges - self._pledged * exact(self.at)

    def unforeseen(self) -> Decimal:
        """Return the money a second of those whose end nobody knows."""
        return self.rate - self._pledged

    def spent(self) -> Decimal:
        """Return what was spent in the window, the part at its far end as a whole."""
        return max(sum(self.parts.values(), NOTHING), NOTHING)


def parts_of(told: dict[str, Any]) -> Iterator[tuple[int, Decimal]]:
    """Yield the parts of the window that a budget's status tells of; what is no money is left out."""
    for entry in told.get("kept") or ():
        spent = read_amount(entry.get("amount"))
        if entry.get("before") and spent is not None:
            yield int(seconds(entry["before"])), spent


def kept(spending: Spending) -> list[dict[str, str]]:
    """Return `kept` of a budget's status: the parts of the window in which something was spent."""
    found = [(end, max(amount, NOTHING).quantize(CENTS)) for end, amount in sorted(spending.parts.items())]
    return [{"before": rfc3339(end), "amount": format(amount, "f")} for end, amount in found if amount]
