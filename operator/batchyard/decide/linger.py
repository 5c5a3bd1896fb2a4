"""Which nodes are left to run empty, so that they can be retired: a pod goes where others stay as long anyway.

Nodes are compared by how much longer a pod would keep them up than what is there already: in quarters of its own run,
so that what ends at about the same time counts as one. Among those that are equal the fullest is taken. So long jobs
gather, and where only short ones are left, or none, the node becomes empty. What is expected of a job is what half of
its kind did not pass, its timeout at most; of whose run nobody knows anything, that it lasts for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from batchyard.world.store import Store
from batchyard.world.views import Job

PARTS = 4  # of a run: nodes that it keeps up by less than one of these are as good as those that it does not keep up
_LONGEST = 1e9  # seconds: for ever


@dataclass(frozen=True, slots=True)
class Stay:
    """When a pod that starts now is expected to have ended (unix seconds), and a part of its run in seconds."""

    end: float
    part: float


NO_STAY = Stay(0.0, 1.0)  # of a pod that keeps up no node: nobody retires them, or all are kept anyway


def stay(store: Store, job: Job, lasts: float, now: float) -> Stay:
    """Return the stay of a job's pod that starts now and has ended after `lasts` seconds at the latest."""
    half = store.histories.half_last(job)
    seconds = max(min(inf if half is None else half, lasts, _LONGEST), 1.0)
    return Stay(now + seconds, seconds / PARTS)
