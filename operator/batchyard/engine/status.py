"""What /v1/status says and the status page shows: everything at a glance, in a bounded answer.

A walk over all jobs is good for twenty times as long as it took, and a second at least: whoever looks takes a twentieth
of one core from the operator at most, however many jobs there are and however many people look; who does not, nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from time import monotonic, time
from typing import Any

import msgspec

from batchyard.engine.status_jobs import ended, in_line, live, waiting
from batchyard.engine.status_pools import environments, money, queues
from batchyard.engine.status_walk import KEPT, Spent, Survey, walk
from batchyard.world.store import Store

LARGEST = 180_000  # bytes of an answer
FRESH = 1.0  # seconds that a walk is good for at least
REST = 20.0  # times the seconds that it took
_REASONS = 12
_PARTS = (1.0, 0.5, 0.2, 0.05, 0.0)  # of the rows that are shown, until the answer is small enough


class Overview:
    """Answers with the latest walk; those who ask while one is under way wait for the same."""

    def __init__(self, store: Store, now: Callable[[], float] = time, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._now = now
        self._clock = clock
        self._making: asyncio.Task[bytes] | None = None
        self._made = b""
        self._good_until = float("-inf")
        self.walks = 0

    async def sections(self) -> bytes:
        """Return everything but who we are, as JSON."""
        if self._clock() < self._good_until:
            return self._made
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
        return await asyncio.shield(self._making)

    async def _make(self) -> bytes:
        survey = await walk(self._store)
        began = self._clock()
        self._made = fitting(self._store, survey, self._now())
        self.walks += 1
        took = survey.seconds + self._clock() - began
        self._good_until = self._clock() + max(FRESH, REST * took)
        return self._made


def fitting(store: Store, survey: Survey, now: float) -> bytes:
    """Return all sections with as many rows as fit into LARGEST bytes."""
    whole = b"{}"
    for part in _PARTS:
        whole = msgspec.json.encode(_sections(store, survey, now, int(KEPT * part)))
        if len(whole) <= LARGEST:
            break
    return whole


def _sections(store: Store, survey: Survey, now: float, most: int) -> dict[str, Any]:
    rows = queues(store, survey, now)
    pools = environments(store)
    waits = [*in_line(store, most), *(waiting(store, job) for job in survey.aside)][: 2 * most]
    reasons: Counter[str] = Counter()
    for (_, reason), count in survey.reasons.items():
        reasons[reason] += count
    return {
        "at": now,
        "queues": {"total": len(rows), "items": rows[:most]},
        "environments": {"total": len(pools), "items": pools[:most]},
        "waiting": {
            "total": sum(survey.reasons.values()),
            "reasons": [{"reason": reason[:80], "jobs": count} for reason, count in reasons.most_common(_REASONS)],
            "items": waits,
        },
        "running": {"total": survey.counts["live"], "items": [live(store, job) for job in survey.live[:most]]},
        "ended": {"total": survey.counts["ended"], "items": [ended(store, job) for job in survey.ended[:most]]},
        "cost": _cost(survey, [pool["pricePerHour"] for pool in pools]),
    }


def _cost(survey: Survey, prices: list[str | None]) -> dict[str, Any]:
    whole = Spent(
        sum(spent.jobs for spent in survey.spent.values()),
        sum(spent.amount for spent in survey.spent.values()),
        sum(spent.wasted for spent in survey.spent.values()),
    )
    return {"pricePerHour": f"{sum((Decimal(price) for price in prices if price), Decimal(0)):.4f}", **money(whole)}


def joined(who: Mapping[str, Any], sections: bytes) -> bytes:
    """Return one JSON object of who we are and what we know."""
    head = msgspec.json.encode({"version": _version(), **who})
    return head[:-1] + b"," + sections[1:] if len(sections) > 2 else head


@cache
def _version() -> str:
    return version("batchyard")
