"""Jobs as the status page shows them: those that wait, those that run, those that have ended."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

from batchyard.decide.cycle import Standing
from batchyard.engine.status_walk import since, why
from batchyard.model.phase import Phase
from batchyard.world.parse import moment
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Job, Pod

Row = dict[str, Any]
MESSAGE = 240  # characters of a sentence that are shown; /v1/explain has the whole
_PODS = 100  # pods of an array that are looked at for its nodes


def in_line(store: Store, most: int) -> list[Row]:
    """Return the first in line of each queue, the queues by priority; each queue has its fair part of the rows."""
    front = [store.jobs[uid] for uid in store.front if uid in store.jobs and uid in store.active]
    queues = sorted({job.spec.queue for job in front}, key=lambda name: (-_priority(store, name), name))
    part = max(most // len(queues), 1) if queues else 0
    places: Counter[str] = Counter()
    rows: dict[str, list[Row]] = {queue: [] for queue in queues}
    for job in front:
        places[job.spec.queue] += 1
        if places[job.spec.queue] <= part:
            rows[job.spec.queue].append(waiting(store, job, places[job.spec.queue]))
    return [row for queue in queues for row in rows[queue]][:most]


def _priority(store: Store, queue: str) -> int:
    return store.queues[queue].priority if queue in store.queues else 0


def waiting(store: Store, job: Job, place: int | None = None) -> Row:
    """Return a job that waits: why, since when, and when it is expected to start; times are unix seconds."""
    standing, estimate = store.memo.get(job.uid), store.estimates.get(job.uid)
    reason, message = why(job, standing)
    return {
        **_who(job, standing),
        "reason": cut(reason, 80),
        "message": cut(message),
        "position": place,
        "created": job.created,
        "estimatedStart": {"p50": estimate.p50, "p90": estimate.p90} if place and estimate else None,
    }


def live(store: Store, job: Job) -> Row:
    """Return a job that starts or runs: where, since when, in which attempt."""
    pods = [pod for pod in store.pods_of.get(job.uid, {}).values() if not pod.final]
    first = min(islice(pods, _PODS), key=_order, default=None)
    return {
        **_who(job, store.memo.get(job.uid)),
        "since": (first.running_since if first and first.index is None else None) or since(store, job),
        "attempt": first.attempt if first else None,
        "node": cut(first.node, 80) if first else "",
        "nodes": len({pod.node for pod in islice(pods, _PODS) if pod.node}),
        "environment": cut(first.environment, 80) if first else "",
        "pods": len(pods),
    }


def _order(pod: Pod) -> tuple[float, str]:
    return pod.created, pod.name


def ended(store: Store, job: Job) -> Row:
    """Return a job that has ended: how, when, for how much."""
    status = job.status
    array = status.array.attempts if status.array else ()
    attempts: tuple[Attempt, ...] = status.attempts or array
    return {
        **_who(job, store.memo.get(job.uid)),
        "phase": str(status.phase),
        "reason": cut(status.reason or "", 80),
        "message": cut(status.message or ""),
        "stopped": moment(status.stopped_at),
        "attempts": attempts[-1].number if attempts else 0,
        "cost": (status.cost or {}).get("amount"),
    }


def _who(job: Job, standing: Standing | None) -> Row:
    array = job.status.array
    return {
        "uid": job.uid,
        "namespace": job.namespace,
        "name": job.name,
        "queue": cut(job.spec.queue, 80),
        "phase": str(standing.phase if standing is not None else job.status.phase or Phase.Submitted),
        "array": array.progress if array is not None else None,
    }


def cut(text: str, longest: int = MESSAGE) -> str:
    """Return a text, with an ellipsis where it was too long."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
