"""When finished jobs are to be forgotten: one entry a job, in the order of time."""

from __future__ import annotations

import bisect

from batchyard.world.parse import seconds
from batchyard.world.views import Job


def expiry(job: Job) -> float | None:
    """Return when a finished job's time to live ends, None if it never does."""
    ttl, stopped = job.spec.ttl_seconds_after_finished, job.status.stopped_at
    return None if ttl is None else (seconds(stopped) if stopped else job.created) + ttl


class Expiries:
    """Times by uid, soonest first; times are unix seconds."""

    def __init__(self) -> None:
        self._line: list[tuple[float, str]] = []
        self._when: dict[str, float] = {}

    def set(self, uid: str, when: float | None) -> None:
        """Have a job fall due at `when` and at no other time; None for never."""
        old = self._when.pop(uid, None)
        if old is not None:
            del self._line[bisect.bisect_left(self._line, (old, uid))]
        if when is not None:
            self._when[uid] = when
            bisect.insort(self._line, (when, uid))

    def due(self, now: float) -> list[str]:
        """Return the uids whose time has come."""
        return [uid for _, uid in self._line[: bisect.bisect_right(self._line, (now, "~"))]]

    @property
    def first(self) -> float | None:
        """Return the soonest time, None if there is none."""
        return self._line[0][0] if self._line else None

    def __contains__(self, uid: str) -> bool:
        return uid in self._when
