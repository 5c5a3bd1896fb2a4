"""How many finished pods of an array stay until its time to live: a hundred; those that succeeded go first."""

from __future__ import annotations

from collections import Counter

from batchyard.decide.cycle import Cycle
from batchyard.model.plan import Purge
from batchyard.world.children import CHUNK, recorded, to_run
from batchyard.world.indexes import full
from batchyard.world.views import Job

KEPT = 100  # finished pods that a job keeps
FEW = 20  # of a chunk are not worth a request while the array runs: mostly they are on their way out already
FAILED_KEPT = 1000  # failed ones that it keeps while it runs, for which its successful ones go first


def retain(cycle: Cycle) -> None:
    """Delete what arrays have too many of: whole chunks, and only of children whose end is on record."""
    store = cycle.store
    for uid, pods in list(store.kept.items()):
        job = store.jobs.get(uid)
        if len(pods) > KEPT and job is not None and job.deleting is None and store.is_confirmed(uid):
            _purge(cycle, job, Counter(pods.values()))


def _purge(cycle: Cycle, job: Job, pods: Counter[tuple[int, bool]]) -> None:
    try:
        open_ = to_run(job) & ~recorded(job).ended
    except ValueError:
        return
    most = KEPT if job.status.phase.final else KEPT + FAILED_KEPT
    few = 0 if job.status.phase.final else FEW
    excess = pods.total() - KEPT
    done = sorted(
        place for place, count in pods.items() if count > few and not open_ >> (place[0] * CHUNK) & full(CHUNK)
    )
    for chunk, succeeded in [place for place in done if place[1]] + [place for place in done[::-1] if not place[1]]:
        if excess <= (0 if succeeded else most - KEPT):
            return
        excess -= pods[chunk, succeeded]
        cycle.do(Purge(job.namespace, job.uid, chunk, succeeded))
