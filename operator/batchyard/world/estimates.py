"""What is expected: how long attempts run by what their kind has run, and when waiting jobs will start."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

from batchyard.world.money import read_amount
from batchyard.world.parse import moment, rfc3339
from batchyard.world.views import Attempt, Job, Pod

SAMPLES = 50  # run times that are kept of a kind
KINDS = 5_000  # kinds of jobs whose run times are kept
Family = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """When a job is expected to start: half of such jobs by `p50`, nine of ten by `p90` (unix seconds)."""

    p50: float
    p90: float


def estimated(estimate: Estimate) -> dict[str, str]:
    """Return status.waiting.estimatedStart."""
    return {"p50": rfc3339(int(estimate.p50)), "p90": rfc3339(int(estimate.p90))}


def families(job: Job) -> Iterator[Family]:
    """Yield the kinds that a job is of, the closest first: its definition, then its queue."""
    if job.spec.definition is not None:
        yield job.namespace, job.spec.definition.name
    yield (job.spec.queue,)


@dataclass(slots=True)
class Histories:
    """The latest run times of each kind of job, in seconds; rebuilt after a restart from the finished jobs."""

    samples: OrderedDict[Family, deque[float]] = field(default_factory=OrderedDict)
    costs: OrderedDict[str, deque[Decimal]] = field(default_factory=OrderedDict)  # queue -> of its attempts
    learnt: dict[str, None] = field(default_factory=dict)  # uids of jobs that are there: each is learnt from once
    halves: dict[Family, float] = field(default_factory=dict)  # what half of the samples did not pass, if it was asked
    closed: bool = False  # what happens in a replay is no experience

    def learn(self, job: Job) -> None:
        """Take in how long the attempts of a finished job ran."""
        if self.closed or job.uid in self.learnt:
            return
        self.learnt[job.uid] = None
        array = job.status.array.attempts if job.status.array else ()
        for attempt in (*job.status.attempts, *array):
            seconds = _ran(attempt)
            if seconds is not None:
                self._add(job, seconds)
                self._price(job.spec.queue, attempt)

    def forget(self, uid: str) -> None:
        """Keep what a job that is gone has taught, and not its uid: nobody will tell of it again."""
        self.learnt.pop(uid, None)

    def _add(self, job: Job, seconds: float) -> None:
        for family in families(job):
            self.samples.setdefault(family, deque(maxlen=SAMPLES)).append(seconds)
            self.samples.move_to_end(family)
            self.halves.pop(family, None)
        while len(self.samples) > KINDS:
            self.halves.pop(self.samples.popitem(last=False)[0], None)

    def _price(self, queue: str, attempt: Attempt) -> None:
        cost = read_amount(attempt.cost)
        if cost is not None:
            self.costs.setdefault(queue, deque(maxlen=SAMPLES)).append(cost)
            self.costs.move_to_end(queue)
        while len(self.costs) > KINDS:
            self.costs.popitem(last=False)

    def costing(self, queue: str) -> Decimal | None:
        """Return what half of a queue's latest attempts cost at most, None if unknown."""
        known = sorted(self.costs.get(queue, ()))
        return known[len(known) // 2] if known else None

    def fork(self) -> Histories:
        """Return the same, which learns nothing more."""
        return Histories(OrderedDict((family, deque(runs)) for family, runs in self.samples.items()), closed=True)

    def half_last(self, job: Job) -> float | None:
        """Return the run time that half of a job's kind did not pass, None if unknown; asked for every pod."""
        for family in families(job):
            if family in self.halves:
                return self.halves[family]
            known = self.samples.get(family)
            if known:
                self.halves[family] = sorted(known)[len(known) // 2]
                return self.halves[family]
        return None

    def end_of(self, pod: Pod, job: Job | None) -> float:
        """Return when a pod is expected to have ended, at its timeout at the latest; infinite where nobody knows."""
        half = self.half_last(job) if job is not None else None
        known = [seconds for seconds in (half, pod.timeout) if seconds is not None]
        return (pod.running_since or pod.created) + min(known, default=inf)

    def lasts(self, job: Job, part: float, already: float) -> float | None:
        """Return the run time that a `part` of those that ran at least `already` seconds did not pass, None if unknown.

        One that has outrun all is expected to take as long again.
        """
        for family in families(job):
            known = self.samples.get(family)
            if known:
                longer = sorted(seconds for seconds in known if seconds > already)
                return longer[min(int(part * len(longer)), len(longer) - 1)] if longer else already * 2
        return None


def _ran(attempt: Attempt) -> float | None:
    start, stop = moment(attempt.started_at), moment(attempt.stopped_at)
    complete = attempt.reason in ("Completed", "Error") and start is not None and stop is not None
    return max(stop - start, 0.0) if complete and start is not None and stop is not None else None
