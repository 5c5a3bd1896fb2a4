"""All unfinished jobs at once: what follows from their standings together, kept up job by job as they change.

A decision costs what has changed since the last one, not what there is: 100,000 jobs that wait cost nothing.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from batchyard.decide.lines import Kind, Line, Rank
from batchyard.model.phase import Phase

if TYPE_CHECKING:
    from batchyard.decide.cycle import Ask, Standing

_LIVE = (Phase.Starting, Phase.Running)
WAITS = ("Submitted", "Pending", "Runnable")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one job was counted as, so that it can be taken off again."""

    standing: Standing
    counted: bool  # else it is being deleted, and nothing of it starts or is told
    busy: bool  # it is unfinished
    alive: int
    phases: Mapping[str, int]
    lined: bool  # it stands in line


@dataclass(slots=True)
class Roster:
    """The sums over all standings; tables by queue unless said otherwise."""

    entries: dict[str, Entry] = field(default_factory=dict)  # by uid
    lines: defaultdict[str, dict[Kind, Line]] = field(default_factory=lambda: defaultdict(dict))
    running: Counter[str] = field(default_factory=Counter)
    phases: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    shares: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # of unfinished jobs
    waiting: defaultdict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )  # shares: pods to come
    ages: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # of jobs in line, sorted
    live: set[str] = field(default_factory=set)  # uids of jobs that start or run
    ordering: dict[str, Standing] = field(default_factory=dict)  # those whose pods must be told something
    keeping: dict[str, Standing] = field(default_factory=dict)  # those that room is kept for
    fresh: dict[str, None] = field(default_factory=dict)  # uids to be looked at, because something of them changed
    touched: list[Ask] = field(default_factory=list)  # those whose turn it was in the last decision
    seen: dict[str, tuple[str, bool]] = field(default_factory=dict)  # at the front: reason and whether first in line
    crowded: bool = False
    _untils: list[tuple[float, str]] = field(default_factory=list)
    _looks: list[tuple[float, str]] = field(default_factory=list)
    _look_at: dict[str, float] = field(default_factory=dict)

    def enter(self, standing: Standing, asks: Iterable[tuple[Kind, Rank, Ask]]) -> None:
        """Count a job; `asks` are its asks with the lines in which they stand."""
        job, uid = standing.job, standing.job.uid
        counted = job.deleting is None or standing.phase in _LIVE
        lined, busy = self._line_up(asks), not standing.phase.final
        entry = Entry(standing, counted, busy, standing.alive, _phases(standing), lined)
        self.entries[uid] = entry
        if standing.until < inf:
            heapq.heappush(self._untils, (standing.until, uid))
        if standing.orders:
            self.ordering[uid] = standing
        if counted:
            self._count(entry, 1)
            self.fresh[uid] = None

    def _line_up(self, asks: Iterable[tuple[Kind, Rank, Ask]]) -> bool:
        lined = False
        for kind, rank, ask in asks:
            queue = self.lines[kind[0]]
            line = queue.get(kind) or queue.setdefault(kind, Line(kind))
            line.join(rank, ask)
            lined = True
        return lined

    def leave(self, uid: str) -> None:
        """Take a job off again."""
        entry = self.entries.pop(uid, None)
        for table in (self.ordering, self.keeping, self.fresh, self._look_at):
            table.pop(uid, None)
        self.live.discard(uid)
        if entry is None:
            return
        if entry.counted:
            self._count(entry, -1)
        for ask in entry.standing.asks if entry.lined else ():
            assert ask.line is not None
            ask.line.leave(ask)
            if not ask.line.asks:
                del self.lines[ask.line.kind[0]][ask.line.kind]
        _part(entry.standing)

    def dissolve(self) -> None:
        """Leave nothing behind that only the garbage collector could find: with many jobs it seldom looks."""
        for entry in self.entries.values():
            _part(entry.standing)
        for line in [line for queue in self.lines.values() for line in queue.values()]:
            line.asks.clear()

    def _count(self, entry: Entry, change: int) -> None:
        standing, job = entry.standing, entry.standing.job
        queue = job.spec.queue
        self.running[queue] += change * entry.alive
        for phase, count in entry.phases.items():
            self.phases[queue][phase] += change * count
        if job.spec.share and entry.busy:
            self.shares[queue][job.spec.share] += change
            self.waiting[queue][job.spec.share] += change * sum(entry.phases.get(phase, 0) for phase in WAITS)
        if entry.lined:
            ages = self.ages[queue]
            insort(ages, job.created) if change > 0 else ages.pop(bisect_left(ages, job.created))
        if change > 0 and standing.phase in _LIVE:
            self.live.add(job.uid)
        if change > 0 and standing.kept is not None:
            self.keeping[job.uid] = standing

    def due(self, now: float) -> Iterator[str]:
        """Yield the jobs whose conclusion holds no longer."""
        while self._untils and self._untils[0][0] <= now:
            until, uid = heapq.heappop(self._untils)
            if self._holds(until, uid):
                yield uid

    def _holds(self, until: float, uid: str) -> bool:
        entry = self.entries.get(uid)
        return entry is not None and entry.standing.until == until

    def look(self, uid: str, when: float) -> None:
        """Have a job looked at again at `when`, or before if something of it changes."""
        self._look_at[uid] = when
        heapq.heappush(self._looks, (when, uid))

    def to_look_at(self, now: float) -> Iterator[str]:
        """Yield the jobs that are to be looked at by now."""
        while self._looks and self._looks[0][0] <= now:
            when, uid = heapq.heappop(self._looks)
            if self._look_at.get(uid) == when:
                del self._look_at[uid]
                yield uid

    def not_look(self, uid: str) -> None:
        """Forget that a job was to be looked at."""
        self._look_at.pop(uid, None)

    def next_until(self) -> float:
        """Return when the next conclusion ceases to hold."""
        while self._untils and not self._holds(*self._untils[0]):
            heapq.heappop(self._untils)
        return self._untils[0][0] if self._untils else inf

    def next_look(self) -> float:
        """Return when the next job is to be looked at."""
        while self._looks and self._look_at.get(self._looks[0][1]) != self._looks[0][0]:
            heapq.heappop(self._looks)
        return self._looks[0][0] if self._looks else inf


_ONE = {phase: {str(phase): 1} for phase in Phase}


def _phases(standing: Standing) -> Mapping[str, int]:
    if standing.children is not None:  # of an array its children are counted
        return standing.children.live_counts()
    return _ONE[standing.phase]


def _part(standing: Standing) -> None:
    """Part a standing that no longer counts from its asks: they refer to each other."""
    standing.asks = ()
