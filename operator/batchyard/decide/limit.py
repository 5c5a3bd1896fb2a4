"""What holds a job back although there may be room: its queue's state, limits and budget, and what it consumes."""

from __future__ import annotations

from batchyard.decide.budget import held_by_budget
from batchyard.decide.consume import shortage
from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.explain import Outlook


def held_back(cycle: Cycle, ask: Ask) -> Outlook | None:
    """Return the limit that keeps one more pod of an ask from starting now, None if there is none."""
    queue = cycle.store.queues[ask.job.spec.queue]
    if queue.state == "Held":
        return Outlook(
            "QueueHeld", f"JobQueue {queue.name!r} is held and starts nothing; set its spec.state to Enabled"
        )
    running = cycle.running[queue.name]
    if queue.max_running is not None and running >= queue.max_running:
        sentence = f"{running} jobs of queue {queue.name!r} run; its maxRunningJobs is {queue.max_running}"
        return Outlook("MaxRunningJobs", sentence)
    return held_by_budget(cycle, ask.job) or shortage(cycle, ask)
