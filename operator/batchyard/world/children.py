"""What the record says of an array's children, and which finished pods of theirs the API server still has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from batchyard.world.indexes import full, parse
from batchyard.world.views import ArrayStatus, Attempt, Job, Pod

ROUGH = 100  # added to a recorded number of attempts that was merged: there were at most so many, how many is not known
CHUNK = 100  # indexes whose finished pods go together
CHILDREN = "/children"  # after a job's uid: the key in the memo of what was concluded of its children one by one


@dataclass(frozen=True, slots=True)
class Recorded:
    """The sets of `status.array`; `retried` has (attempts, counted, indexes)."""

    succeeded: int = 0
    failed: int = 0
    running: int = 0
    retried: tuple[tuple[int, int, int], ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def ended(self) -> int:
        """Return the children that have ended for good."""
        return self.succeeded | self.failed


def recorded(job: Job) -> Recorded:
    """Return what is on record of a job's children."""
    status = job.status.array or ArrayStatus()
    groups = tuple((group.attempts, group.counted, parse(group.indexes)) for group in status.retried)
    return Recorded(
        parse(status.succeeded), parse(status.failed), parse(status.running), groups, status.attempts
    )  # fmt: skip


def has_ended(job: Job, index: int) -> bool:
    """Say whether a child has ended for good on record."""
    status = job.status.array
    if status is None:
        return False
    ended = _ended(status.succeeded, status.failed)
    return index >> 3 < len(ended) and bool(ended[index >> 3] >> (index & 7) & 1)


def attempts_on_record(job: Job, index: int) -> int:
    """Return how many attempts of an unfinished child have ended on record."""
    groups = job.status.array.retried if job.status.array else ()
    return next((group.attempts % ROUGH for group in groups if parse(group.indexes) >> index & 1), 0)


@lru_cache(maxsize=64)
def _ended(succeeded: str, failed: str) -> bytes:
    ended = parse(succeeded) | parse(failed)
    return ended.to_bytes((ended.bit_length() + 7) // 8, "little")


def to_run(job: Job) -> int:
    """Return the children that are to run; ValueError says what is wrong with `spec.array.indexes`."""
    array = job.spec.array
    assert array is not None
    return full(array.size) if array.indexes is None else chosen(job, array.indexes, "array.indexes")


def chosen(job: Job, written: str, field: str) -> int:
    """Return the children that a field of the spec names; ValueError when it names none, or one that is not there."""
    assert job.spec.array is not None
    size = job.spec.array.size
    try:
        found = parse(written)
    except ValueError as error:
        raise ValueError(f"spec.{field}: {error}") from error
    if found >> size:
        raise ValueError(f"spec.{field} names index {found.bit_length() - 1}; the last one is {size - 1} (array.size)")
    if not found:
        raise ValueError(f"spec.{field} names no index")
    return found


def place_of(pod: Pod) -> tuple[int, bool]:
    """Return the chunk that a child's finished pod is of, and whether it succeeded."""
    return (pod.index or 0) // CHUNK, pod.phase == "Succeeded"
