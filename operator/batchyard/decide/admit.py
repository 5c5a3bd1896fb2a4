"""Whether a job's queue takes it: it exists, is enabled, and the job's namespace may use it."""

from __future__ import annotations

from dataclasses import dataclass

from batchyard.decide.needs import matches_labels
from batchyard.model.phase import Phase
from batchyard.world.store import Store
from batchyard.world.views import Job, Queue

WAITING, NOT_FOUND = "WaitingForDependencies", "DependencyNotFound"  # told of jobs that their queues have let in
_CLOSED = {"Disabled": "disabled", "Draining": "being drained"}


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a job may not start whatever capacity there is."""

    phase: Phase
    reason: str
    message: str


def admission(store: Store, job: Job) -> Blocked | None:
    """Return what keeps the job out of its queue, None if nothing does."""
    if is_terminating(store, job.namespace):
        return Blocked(Phase.Pending, "NamespaceTerminating", f"namespace {job.namespace!r} is being deleted")
    queue = store.queues.get(job.spec.queue)
    if queue is None or queue.deleting:
        known = ", ".join(sorted(store.queues)) or "none"
        message = f"JobQueue {job.spec.queue!r} does not exist (there are: {known}); the job starts when it is created"
        return Blocked(Phase.Pending, "QueueNotFound", message)
    if queue.invalid:
        return Blocked(Phase.Pending, "QueueInvalid", f"JobQueue {queue.name!r}: {queue.invalid}")
    unfair = _without_policy(store, queue) or _without_share(job, queue)
    if unfair is not None:
        return unfair
    if not _allowed(store, queue, job.namespace):
        return Blocked(Phase.Pending, "NamespaceNotAllowed", f"namespace {job.namespace!r} may not use JobQueue "
                       f"{queue.name!r}: its labels do not match spec.namespaceSelector of the queue")  # fmt: skip
    if queue.state in _CLOSED and not let_in(job):
        return Blocked(Phase.Pending, f"Queue{queue.state}", f"JobQueue {queue.name!r} is {_CLOSED[queue.state]} and "
                       "takes no new jobs; set its spec.state to Enabled")  # fmt: skip
    return None


def _without_policy(store: Store, queue: Queue) -> Blocked | None:
    """In any other order than the one asked for nothing starts."""
    problem = policy_problem(store, queue)
    missing = "PolicyNotFound" if queue.policy not in store.policies else "PolicyInvalid"
    return Blocked(Phase.Pending, missing, f"JobQueue {queue.name!r}: {problem}") if problem else None


def policy_problem(store: Store, queue: Queue) -> str:
    """Say what is wrong with the policy that a queue names, with the fix; nothing if it names none."""
    if not queue.policy:
        return ""
    policy = store.policies.get(queue.policy)
    if policy is None:
        known = ", ".join(sorted(store.policies)) or "none"
        return f"SchedulingPolicy {queue.policy!r} does not exist (there are: {known}); jobs start when it is created"
    return f"SchedulingPolicy {queue.policy!r} is invalid: {policy.invalid}" if policy.invalid else ""


def _without_share(job: Job, queue: Queue) -> Blocked | None:
    if not queue.policy or job.spec.share:
        return None
    return Blocked(Phase.Pending, "ShareRequired", f"JobQueue {queue.name!r} has SchedulingPolicy {queue.policy!r}, so "
                   "its jobs need spec.share; submit the job anew with one")  # fmt: skip


def is_terminating(store: Store, namespace: str) -> bool:
    """Say whether the API server would refuse every new object in a namespace because it is being deleted."""
    view = store.namespaces.get(namespace)
    return view is not None and view.deleting is not None


def _allowed(store: Store, queue: Queue, namespace: str) -> bool:
    if queue.selector is None:
        return True
    view = store.namespaces.get(namespace)
    return view is not None and matches_labels(queue.selector, view.labels)  # unknown labels match nothing


def let_in(job: Job) -> bool:
    """Say whether its queue is on record as having let the job in: a closed queue finishes the jobs that it has."""
    depends = job.status.phase == Phase.Pending and job.status.reason in (WAITING, NOT_FOUND)
    return depends or job.status.phase in ("Runnable", "Starting", "Running")
