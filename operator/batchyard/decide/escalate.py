"""Spot first: when a job may leave spot for the on-demand environments of its queue, and which rule says so.

Nothing is kept but `status.escalatedBy`: the rules follow from times and attempts that are on record. Once open to a
job they stay open. An array is open while a rule says so, and each child by its own interruptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from math import inf

import msgspec

from batchyard.decide.cycle import Ask, Cycle, Escalation, Standing
from batchyard.decide.needs import SPOT_FIRST, Needs
from batchyard.model.phase import Phase
from batchyard.world.parse import moment
from batchyard.world.specs import SpotFirst
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Job, Key, Queue

P90 = 0.9
_WORDS = {
    "MaxWaitSeconds": "it waited {spot.max_wait_seconds} s for spot (spec.spot.maxWaitSeconds of JobQueue {queue!r})",
    "MaxInterruptions": "spot took its node {spot.max_interruptions} times "
    "(spec.spot.maxInterruptions of JobQueue {queue!r})",
    "Deadline": "the {deadline} s of spec.deadlineSeconds leave no time to wait for spot",
}


def escalate(cycle: Cycle, standing: Standing) -> None:
    """Keep what a job asks for on spot until a rule of its queue opens the rest to it; say which rule has."""
    job, queue = standing.job, cycle.store.queues.get(standing.job.spec.queue)
    if queue is None or queue.spot is None or job.spec.capacity_type != "Any":
        return
    rule = job.status.escalated_by or _by_time(cycle, standing, queue.spot)
    if rule is None and job.spec.array is None and _has_been(standing.attempts, queue.spot):
        rule = "MaxInterruptions"
    if rule is not None:
        standing.escalation = Escalation(rule, f"it may use on-demand: {_words(job, queue, rule)}")
        return
    for ask in standing.asks:
        if queue.spot.max_interruptions is None or ask.interruptions < queue.spot.max_interruptions:
            _keep_on_spot(ask)


def _words(job: Job, queue: Queue, rule: str) -> str:
    return _WORDS[rule].format(spot=queue.spot, queue=queue.name, deadline=job.spec.deadline_seconds)


def rules_of(queue: Queue) -> str:
    """Say when jobs of a queue may use its on-demand environments."""
    assert queue.spot is not None
    wait, times = queue.spot.max_wait_seconds, queue.spot.max_interruptions
    told = [f"{wait} s of waiting" if wait is not None else "", f"{times} interruptions" if times is not None else ""]
    return f"after {' or '.join(filter(None, told))} (spec.spot of JobQueue {queue.name!r})"


def _keep_on_spot(ask: Ask) -> None:
    ask.needs = _spot_first(ask.needs)
    ask.sets = tuple(replace(pods, needs=_spot_first(pods.needs)) for pods in ask.sets)


@lru_cache(maxsize=4096)
def _spot_first(needs: Needs) -> Needs:
    """Return the one object that stands for these needs with spot first."""
    return msgspec.structs.replace(needs, capacity_type=SPOT_FIRST)


def interruptions(attempts: Iterable[Attempt]) -> int:
    """Return how many attempts spot ended by taking their nodes."""
    return sum(_spot_ended(attempt) for attempt in attempts)


def _spot_ended(attempt: Attempt) -> bool:
    """Neither an on-demand node that went nor an update of the environment (ADR 39) tells anything of spot."""
    return attempt.reason == "Interrupted" and attempt.capacity_type != "OnDemand"


def _has_been(attempts: Sequence[Attempt], spot: SpotFirst) -> bool:
    return spot.max_interruptions is not None and interruptions(attempts) >= spot.max_interruptions


def _by_time(cycle: Cycle, standing: Standing, spot: SpotFirst) -> str | None:
    """Return the rule whose time has come by now, or by when the job was placed; else have it judged again then."""
    at, before = _placed(cycle, standing)
    dues = sorted(_dues(cycle.store, standing, spot, before))
    if dues and dues[0][0] <= at:
        return dues[0][1]
    if dues and standing.asks:
        standing.until = min(standing.until, dues[0][0])
    return None


def _placed(cycle: Cycle, standing: Standing) -> tuple[float, tuple[Attempt, ...]]:
    """Return when a job was placed, now if it is not, and the attempts before that."""
    attempts = standing.attempts
    if standing.phase.final:
        started = moment(attempts[-1].started_at) if attempts else None
        return (-inf if started is None else started), attempts[:-1]
    placed = standing.phase in (Phase.Starting, Phase.Running) and standing.children is None
    return (standing.since if placed else cycle.now), attempts


def _dues(store: Store, standing: Standing, spot: SpotFirst, before: Sequence[Attempt]) -> Iterator[tuple[float, str]]:
    job, effective = standing.job, standing.effective
    if spot.max_wait_seconds is not None:
        yield _waits_since(store, job, before) + spot.max_wait_seconds, "MaxWaitSeconds"
    if job.spec.deadline_seconds is not None:
        lasts = store.histories.lasts(job, P90, 0.0) or (effective.timeout if effective else None) or 0.0
        yield job.created + job.spec.deadline_seconds - lasts, "Deadline"


def _waits_since(store: Store, job: Job, before: Sequence[Attempt]) -> float:
    """Return since when a job waits for room: submission, its dependencies' ends, its latest attempt or child."""
    array = job.status.array
    ends = [attempt.stopped_at for attempt in (*before, *(array.attempts if array else ()))]
    for needed in job.spec.depends_on:
        outcome = store.outcome(Key(job.namespace, needed.job)) if needed.job else None
        ends.append(outcome.stopped_at if outcome else None)
    pods = store.pods_of.get(job.uid, {}).values() if job.spec.array is not None else ()
    return max([job.created, *(moment(end) or -inf for end in ends), *(pod.created for pod in pods)])
