"""Where any job stands, for `/v1/explain`: by the latest decision, written or not, and with what is expected."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from time import time
from typing import Any

import msgspec

from batchyard.decide.cycle import Position, tell
from batchyard.decide.front import line
from batchyard.decide.summary import array_status
from batchyard.engine.forecast import Forecast
from batchyard.world.estimates import Estimate, estimated
from batchyard.world.store import Store
from batchyard.world.views import Job

FARTHEST = 5_000  # place in line up to which a start is foreseen


class Explain:
    """Explains jobs, also those behind the front, whose status does not tell their position."""

    def __init__(self, store: Store, forecast: Forecast, now: Callable[[], float] = time) -> None:
        self._store = store
        self._forecast = forecast
        self._now = now

    async def job(self, job: Job) -> dict[str, Any]:
        """Return where a job stands, and when it is expected to start if it waits for room."""
        known = standing(self._store, job)
        positions = {} if job.status.phase.final else line(self._store, self._now())
        place = positions.get(job.uid)
        if place is None:
            return known
        estimate = self._store.estimates.get(job.uid) or await self._estimate(job, positions)
        ahead = {"position": place.number, "vCpusAhead": -(-place.ahead // 1000)}
        return {**known, **ahead, "estimatedStart": estimated(estimate) if estimate else None}

    async def _estimate(self, job: Job, positions: dict[str, Position]) -> Estimate | None:
        ahead = list(takewhile(lambda uid: uid != job.uid, positions))
        if len(ahead) > FARTHEST:
            return None
        return (await self._forecast.estimate([*ahead, job.uid])).get(job.uid)


def standing(store: Store, job: Job) -> dict[str, Any]:
    """Return where a job stands by the latest decision."""
    known = store.memo.get(job.uid)
    if known is None:
        return {"phase": str(job.status.phase), "reason": job.status.reason, "message": job.status.message}
    tell(known)
    verdicts = known.outlook.verdicts if known.outlook else ()
    return {
        "phase": str(known.phase),
        "reason": known.reason,
        "message": known.message,
        "attempts": [msgspec.to_builtins(attempt) for attempt in known.attempts],
        "environments": [verdict.status() for verdict in verdicts],
        **({"array": array_status(known.children)} if known.children is not None else {}),
    }
