"""One walk over all jobs for the status page, in slices so short that nobody waits for it: sums, and who is shown."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import nlargest, nsmallest
from math import isfinite
from time import perf_counter

from batchyard.decide.cycle import Standing
from batchyard.model.phase import Phase
from batchyard.world.store import Store
from batchyard.world.views import Job

SLICE = 250  # jobs looked at before others have their turn: under a millisecond
KEPT = 60  # jobs of each sort that may be shown
_LIVE = (Phase.Starting, Phase.Running)


@dataclass(slots=True)
class Spent:
    """What jobs that are still there have cost, all attempts and those that did not succeed; for show, so floats."""

    jobs: int = 0
    amount: float = 0.0
    wasted: float = 0.0

    def add(self, job: Job) -> None:
        """Count a job."""
        self.jobs += 1
        if job.status.cost:
            self.amount += _number(job.status.cost.get("amount"))
            self.wasted += _number(job.status.cost.get("wasted"))


@dataclass(slots=True)
class Survey:
    """What a walk has found; `seconds` are those of the core that it took."""

    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)  # queue and reason -> jobs that wait for it
    spent: defaultdict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))  # by queue
    aside: list[Job] = field(default_factory=list)  # the oldest that wait for something else than room
    live: list[Job] = field(default_factory=list)  # the latest that start or run
    ended: list[Job] = field(default_factory=list)  # the latest that ended
    counts: Counter[str] = field(default_factory=Counter)  # of jobs: aside, live, ended
    seconds: float = 0.0

    def add(self, store: Store, jobs: Sequence[Job]) -> None:
        """Take in some jobs, and keep of each sort those that are shown."""
        found: dict[str, list[Job]] = {"aside": [], "live": [], "ended": []}
        for job in jobs:
            self.spent[job.spec.queue].add(job)
            sort = self._sort(job, store.memo.get(job.uid))
            if sort:
                found[sort].append(job)
        self.counts.update({sort: len(those) for sort, those in found.items()})
        self.aside = nsmallest(KEPT, [*self.aside, *found["aside"]], key=lambda job: job.created)
        self.live = nlargest(KEPT, [*self.live, *found["live"]], key=lambda job: since(store, job))
        self.ended = nlargest(KEPT, [*self.ended, *found["ended"]], key=lambda job: job.status.stopped_at or "")

    def _sort(self, job: Job, standing: Standing | None) -> str:
        """Return where a job is shown; those in line for room are known without a walk."""
        phase = standing.phase if standing is not None else job.status.phase
        if job.status.phase.final or phase.final:
            return "ended"
        waits = phase not in _LIVE
        if waits or _has_waiting_children(standing):
            self.reasons[job.spec.queue, why(job, standing)[0] or str(phase)] += 1
        if not waits:
            return "live"
        return "" if standing is not None and standing.asks else "aside"


def _has_waiting_children(standing: Standing | None) -> bool:
    return standing is not None and standing.children is not None and bool(standing.asks)


def why(job: Job, standing: Standing | None) -> tuple[str, str]:
    """Return reason and message by the latest decision, written or not; nothing is changed by looking."""
    if standing is None:
        return job.status.reason or "", job.status.message or ""
    for ask in standing.asks:
        if not ask.touched and ask.line is not None and ask.line.outlook is not None:
            return ask.line.outlook.reason, ask.line.outlook.message
    return standing.reason, standing.message


def since(store: Store, job: Job) -> float:
    """Return when the phase of a job that starts or runs began, else when it was submitted (unix seconds)."""
    standing: Standing | None = store.memo.get(job.uid)
    return (standing.since if standing is not None else 0.0) or job.created


def _number(written: str | None) -> float:
    """Return an amount on record; nothing where somebody has written what is none."""
    try:
        found = float(written or 0)
    except ValueError:
        return 0.0
    return found if isfinite(found) else 0.0


async def walk(store: Store, clock: Callable[[], float] = perf_counter) -> Survey:
    """Look at all jobs; those that come or change meanwhile are seen by the next walk."""
    survey = Survey()
    jobs = list(store.jobs.values())
    for first in range(0, len(jobs), SLICE):
        began = clock()
        survey.add(store, jobs[first : first + SLICE])
        survey.seconds += clock() - began
        await asyncio.sleep(0)
    return survey
