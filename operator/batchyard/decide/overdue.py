"""The first job of a queue is cancelled when it has waited too long for one reason (AWS jobStateTimeLimitActions)."""

from __future__ import annotations

from batchyard.decide.cycle import Cycle, Standing, tell
from batchyard.decide.order import waiting
from batchyard.decide.record import waits_since
from batchyard.model.phase import Phase
from batchyard.world.specs import TimeLimit
from batchyard.world.views import Queue

# AWS's own words, and what of ours they mean.
AWS_REASONS = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": frozenset({"InsufficientCapacity"}),
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": frozenset({"JobTooLarge"}),
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": frozenset({"JobTooLarge", "NoMatchingNode"}),
}


def overdue(cycle: Cycle) -> None:
    """Cancel the first job of each queue if it has waited there for one reason for longer than the queue allows.

    The time counts from when the job was first in line and had the reason, so that each job has all of it, and not the
    whole line goes at once. An array of which children have started is left alone.
    """
    for queue in [queue for queue in cycle.store.queues.values() if queue.limits]:
        first = next((ask for ask in waiting(cycle, queue.name) if ask.waits), None)
        if first is not None:
            tell(first.standing)
            _judge(cycle, queue, first.standing)


def _judge(cycle: Cycle, queue: Queue, standing: Standing) -> None:
    limit = limit_of(queue, standing.reason)
    if limit is None or standing.phase != Phase.Runnable:
        return
    cycle.heads.add(standing.job.uid)
    due = waits_since(cycle, standing) + limit.max_seconds
    if cycle.now < due:
        cycle.plan.wake_at(due)
        return
    cycle.shift[queue.name, standing.phase] -= 1
    standing.phase, standing.reason, standing.outlook = Phase.Failed, "Cancelled", None
    cycle.roster.fresh[standing.job.uid] = None
    standing.message = f"Canceled by JobStateTimeLimit action due to reason: {limit.reason}"
    cycle.store.memo.pop(standing.job.uid, None)


def limit_of(queue: Queue, reason: str) -> TimeLimit | None:
    """Return the shortest limit on a reason, in our words or in AWS's; None if there is none."""
    fitting = [limit for limit in queue.limits if reason in AWS_REASONS.get(limit.reason, (limit.reason,))]
    return min(fitting, key=lambda limit: limit.max_seconds, default=None)
