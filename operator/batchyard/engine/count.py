"""What a job's status is the first to put on record: that it started, and how its attempts ended.

Everything is at hand when the status is written, with the times that the kubelet wrote into the pods; nothing is
sampled. A write that fails and is made anew is counted anew.
"""

from __future__ import annotations

import msgspec
import structlog

from batchyard.decide.outcome import AWS_NAMES, INFRASTRUCTURE
from batchyard.model.plan import Record
from batchyard.telemetry.catalogue import UNKNOWN
from batchyard.telemetry.metrics import ATTEMPTS, COST, NAMESPACE_COST, RUN, SHARE_COST, WAIT, WASTED
from batchyard.world.parse import seconds
from batchyard.world.views import Attempt, Job

log = structlog.get_logger(__name__)

OTHER = "Other"
OUTCOMES = {
    reason: "Infrastructure" if reason in INFRASTRUCTURE else "Failed" for reason in (*AWS_NAMES, OTHER)
} | {"Completed": "Succeeded", "Terminated": "Stopped"}  # fmt: skip
ENDS = [(outcome, reason) for reason, outcome in OUTCOMES.items()]


def count(job: Job, verb: Record) -> None:
    """Count what this write is the first to record; of an array its children."""
    if job.spec.array is None:
        _plain(job, verb)
        return
    queue = job.spec.queue
    for attempt in verb.ended:
        _ended(job, attempt)
        if attempt.number == 1 and attempt.started_at:
            _waited(job, attempt.started_at)
    for reason, lost in _untold(verb).items():
        ATTEMPTS.add((queue, UNKNOWN, *_end(reason)), lost)
    if verb.ends:
        log.info("children ended", job=f"{job.namespace}/{job.name}", **verb.ends)


def _plain(job: Job, verb: Record) -> None:
    started = verb.status.get("startedAt")
    if started and job.status.started_at is None:
        _waited(job, started)
    known = {attempt.number for attempt in job.status.attempts if attempt.ended}
    for written in verb.status.get("attempts") or ():
        if written.get("reason") and written["number"] not in known:
            attempt = msgspec.convert(written, Attempt)
            _ended(job, attempt)
            log.info(
                "attempt ended", job=f"{job.namespace}/{job.name}", attempt=attempt.number, reason=attempt.reason,
                exit_code=attempt.exit_code, node=attempt.node,
            )  # fmt: skip


def _untold(verb: Record) -> dict[str, int]:
    """Return by reason the attempts that are counted but not told one by one: lost while no operator watched."""
    told = len(verb.ended)
    counted = sum((verb.ends or {}).values())
    return {"NodeLost": counted - told} if counted > told else {}


def _waited(job: Job, started: str) -> None:
    WAIT.add((job.spec.queue,), max(seconds(started) - job.created, 0.0))


def _end(reason: str | None) -> tuple[str, str]:
    known = reason if reason in OUTCOMES else OTHER
    return OUTCOMES[known], known


def _ended(job: Job, attempt: Attempt) -> None:
    outcome, reason = _end(attempt.reason)
    queue = job.spec.queue
    place = (queue, attempt.compute_environment or UNKNOWN)
    ATTEMPTS.add((*place, outcome, reason))
    if attempt.started_at and attempt.stopped_at:
        RUN.add((queue, outcome), max(seconds(attempt.stopped_at) - seconds(attempt.started_at), 0.0))
    if attempt.cost is not None:
        cost = float(attempt.cost)
        COST.add(place, cost)
        NAMESPACE_COST.add((job.namespace,), cost)
        if job.spec.share:
            SHARE_COST.add((queue, job.spec.share), cost)
        if outcome != "Succeeded":
            WASTED.add(place, cost)
