"""Jobs by queue and phase, what they wait for, and the oldest of them: from the sums that decide keeps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from time import time

from prometheus_client.core import Metric as Family

from batchyard.decide.explain import TOKENS
from batchyard.decide.roster import Roster
from batchyard.engine.count import OTHER
from batchyard.model.phase import Phase
from batchyard.telemetry import catalogue
from batchyard.telemetry.catalogue import UNKNOWN, gauge
from batchyard.world.store import Store

Counts = Counter[tuple[str, str]]
NEXT = "NextInLine"  # nothing is said of it yet
REASONS = frozenset({*TOKENS, NEXT, OTHER})


def jobs(store: Store) -> Iterable[Family]:
    """Return the families; what decide has just let go of is counted by the statuses on record."""
    roster: Roster | None = store.memo.roster
    counts = _by_status(store) if roster is None else _by_roster(roster)
    for queue, finished in store.finished.items():
        for phase, count in finished.items():
            counts[queue, phase] += count
    yield _phases(store, counts)
    yield from _ages(store, roster)
    yield _waiting(store, roster)
    held = gauge(catalogue.HELD)
    for view in store.queues.values():
        held.add_metric((view.name,), float(view.state == "Held"))
    yield held


def _by_roster(roster: Roster) -> Counts:
    found: Counts = Counter()
    for queue, phases in roster.phases.items():
        for phase, count in phases.items():
            if not Phase(phase).final:
                found[queue, phase] += count
    return found


def _by_status(store: Store) -> Counts:
    found: Counts = Counter()
    for job in (store.jobs[uid] for uid in store.active):
        if job.status.array is None:
            found[job.spec.queue, str(job.status.phase)] += not job.status.phase.final
            continue
        for name, count in job.status.array.counts.items():
            if not Phase(name.title()).final:
                found[job.spec.queue, name.title()] += count
    return found


def _phases(store: Store, counts: Counts) -> Family:
    """Jobs can name any queue: those of queues that do not exist are told together."""
    told: Counts = Counter()
    for (queue, phase), count in counts.items():
        told[queue if queue in store.queues else UNKNOWN, phase] += count
    strays = [UNKNOWN] if any(queue == UNKNOWN and count for (queue, _), count in told.items()) else []
    family = gauge(catalogue.JOBS)
    for queue in [*sorted(store.queues), *strays]:
        for phase in Phase:
            family.add_metric((queue, str(phase)), told[queue, str(phase)])
    return family


def _ages(store: Store, roster: Roster | None) -> Iterator[Family]:
    runnable, starting = gauge(catalogue.OLDEST_RUNNABLE), gauge(catalogue.OLDEST_STARTING)
    now, since = time(), _starting(store)
    for queue in sorted(store.queues):
        ages = roster.ages.get(queue) if roster is not None else None
        runnable.add_metric((queue,), max(now - ages[0], 0.0) if ages else 0.0)
        starting.add_metric((queue,), max(now - since[queue], 0.0) if queue in since else 0.0)
    yield runnable
    yield starting


def _starting(store: Store) -> dict[str, float]:
    """Return by queue since when the oldest pod has been there whose containers do not all run yet."""
    found: defaultdict[str, float] = defaultdict(lambda: float("inf"))
    tables = [*store.live_on.values(), store.unbound]
    for pod in (pod for table in tables for pod in table.values() if pod.job and pod.queue):
        if pod.created < found[pod.queue] and pod.running_since is None:
            found[pod.queue] = pod.created
    return {queue: at for queue, at in found.items() if at < float("inf")}


def _waiting(store: Store, roster: Roster | None) -> Family:
    told: Counts = Counter()
    lines = [line for queue in roster.lines.values() for line in queue.values()] if roster is not None else []
    for line in lines:
        reason = line.outlook.reason if line.outlook is not None else NEXT
        told[line.kind[0], reason if reason in REASONS else OTHER] += sum(a.count - a.started for a in line.asks)
    family = gauge(catalogue.WAITING)
    for queue in sorted(store.queues):
        for reason in sorted(REASONS):
            family.add_metric((queue, reason), told[queue, reason])
    return family
