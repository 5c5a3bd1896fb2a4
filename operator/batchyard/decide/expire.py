"""Finished jobs whose time to live has passed go, and their pods with them; what became of them is kept first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from batchyard.decide.admit import is_terminating
from batchyard.decide.bookings import has_takes
from batchyard.decide.cycle import Cycle
from batchyard.model.plan import Bury, Forget
from batchyard.world.outcomes import CONFIGMAP, engrave, outcome
from batchyard.world.store import Store
from batchyard.world.views import Job, key

MOST = 5_000  # tombstones of a namespace
LARGEST = 700_000  # bytes of them; an object of the API server has room for 1 MiB
BATCH = 1_000  # jobs that are buried in one write
BATCH_BYTES = 250_000


def expire(cycle: Cycle) -> None:
    """Forget the finished jobs whose time has passed, or that are too many, and whose outcome is on record.

    One with a take that is still under way stays until it is settled: its record tells that its pod was there.
    """
    expired: dict[str, list[Job]] = {}
    for job in {job.uid: job for job in (*cycle.store.expired(cycle.now), *cycle.surplus)}.values():
        if has_takes(cycle.store, job):
            cycle.plan.wake_at(cycle.now + 1)
        elif _is_kept(cycle.store, job):
            cycle.do(Forget(job.namespace, job.name, job.uid))
        else:
            expired.setdefault(job.namespace, []).append(job)
    for namespace in sorted(expired.keys() | cycle.store.taken.keys()):
        _bury(cycle, namespace, expired.get(namespace, []))
    first = cycle.store.expiries.first
    if first is not None and first > cycle.now:
        cycle.plan.wake_at(first)


def _is_kept(store: Store, job: Job) -> bool:
    """Say whether nothing is lost with the job; of a namespace that goes, nothing needs to be kept."""
    if job.namespace not in store.namespaces or is_terminating(store, job.namespace):
        return True
    stone = store.tombstone(key(job))
    return stone is not None and stone.uid == job.uid


def _bury(cycle: Cycle, namespace: str, jobs: list[Job]) -> None:
    """Write the tombstones of a namespace: one write a second, and none while one is under way."""
    store, space = cycle.store, cycle.store.namespaces.get(namespace)
    due = store.burials.get(namespace, 0.0)
    if space is None or is_terminating(store, namespace):
        return
    if cycle.now < due:
        if due != float("inf"):
            cycle.plan.wake_at(due)
        return
    view = store.outcomes.get(CONFIGMAP + namespace)
    known = view.texts if view is not None else {}
    fresh = _texts(jobs)
    stale = known.keys() if view is not None and view.owner != space.uid else store.taken.get(namespace, ())
    kept = {name: text for name, text in known.items() if name not in fresh and name not in stale}
    gone = sorted({*stale, *_oldest(kept, fresh)} - fresh.keys())
    cycle.do(Bury(namespace, space.uid, {**dict.fromkeys(gone), **fresh}, anew=view is None))


def _texts(jobs: list[Job]) -> dict[str, str]:
    texts: dict[str, str] = {}
    size = 0
    for job in jobs[:BATCH]:
        texts[job.name] = engrave(outcome(job, job.status))
        size += _bytes(job.name, texts[job.name])
        if size > BATCH_BYTES:
            break
    return texts


def _oldest(kept: Mapping[str, str], fresh: Mapping[str, str]) -> Iterator[str]:
    """Yield the oldest names until the rest has room beside the new ones."""
    count = len(kept) + len(fresh)
    size = sum(_bytes(name, text) for texts in (kept, fresh) for name, text in texts.items())
    for name in sorted(kept, key=kept.__getitem__):  # texts begin with the time
        if count <= MOST and size <= LARGEST:
            return
        count, size = count - 1, size - _bytes(name, kept[name])
        yield name


def _bytes(name: str, text: str) -> int:
    return len(name) + len(text.encode()) + 8
