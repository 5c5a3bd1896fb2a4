"""The soak: jobs come at half of W1's rate for as long as one likes, and the operator is killed at random moments.

Kills stop for the last third: memory is compared within that one life, since a new process begins from nothing.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

from bench import bodies, processes
from bench.arrivals import arrive
from bench.killed import damage
from bench.meter import Figures
from bench.operator import Operator
from bench.trial import Trial

RATE = float(os.environ.get("SOAK_RATE", "45"))  # jobs a second: half of W1's pace on two cores
TTL = 60  # seconds; a finished job goes, so that what is there stays the same
LIFETIME = 90.0  # seconds between kills, on average
QUIET = 1 / 3  # of the time, at the end: nobody is killed
SETTLED = 120.0  # seconds after which a process has its usual size
SAMPLE = 5.0
_SEED = 7


@dataclass
class Lives:
    """The operator's deaths, and its memory (seconds since the soak began, bytes) by life."""

    deaths: int = 0
    samples: list[tuple[float, int]] = field(default_factory=list)

    def growth(self) -> float:
        """Return the last fifth of the last life beside its first fifth once settled; 1 is flat."""
        began = self.samples[0][0] + SETTLED
        sizes = [size for at, size in self.samples if at >= began] or [size for _, size in self.samples]
        fifth = max(len(sizes) // 5, 1)
        return median(sizes[-fifth:]) / median(sizes[:fifth])


async def soak(trial: Trial) -> Figures:
    """Run for `size` seconds; return `kills`, `lost`, `twice`, `failed`, `growth` and the last `memory` in MiB."""
    await trial.pool()
    count = round(trial.size * RATE)
    async with trial.watch(bodies.JOBS) as jobs, trial.watch(bodies.PODS) as pods, _lives(trial) as lives:
        await arrive(trial, bodies.jobs(count, ttlSecondsAfterFinished=TTL), RATE)
        await jobs.until(lambda seen: len(seen.over) >= count)
        await pods.until(lambda seen: len(seen.over) >= count)
        await _cleared(trial)
    figures = {"kills": float(lives.deaths), "failed": float(len(jobs.timeline.failed)), "growth": lives.growth()}
    return {**figures, "memory": lives.samples[-1][1] / 2**20, **damage(pods.timeline, count)}


async def _cleared(trial: Trial) -> None:
    """Return once every job has gone by its time to live: none is stuck."""

    async def none() -> bool:
        return not (await trial.client.get(f"{bodies.JOBS}?limit=1"))["items"]

    await trial.until(none, "end of all jobs")


@asynccontextmanager
async def _lives(trial: Trial) -> AsyncIterator[Lives]:
    """Kill the operator at random and start it again at once, and weigh it, while entered."""
    lives, began = Lives(), time.monotonic()
    tasks = [asyncio.create_task(work) for work in (_kill(trial, lives, began), _weigh(trial.operator, lives, began))]
    try:
        yield lives
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kill(trial: Trial, lives: Lives, began: float) -> None:
    for moment in moments(trial.size * (1 - QUIET)):
        await asyncio.sleep(max(began + moment - time.monotonic(), 0))
        trial.operator.kill()
        lives.deaths += 1
        lives.samples.clear()
        trial.operator.launch()


def moments(seconds: float) -> Sequence[float]:
    """Return at which seconds the operator is killed, the same in each run."""
    pauses, at, found = random.Random(_SEED), 0.0, []  # noqa: S311 the same moments in each run
    while (at := at + pauses.expovariate(1 / LIFETIME)) < seconds:
        found.append(at)
    return found


async def _weigh(operator: Operator, lives: Lives, began: float) -> None:
    while True:
        await asyncio.sleep(SAMPLE)
        if size := processes.memory(operator.pid):
            lives.samples.append((time.monotonic() - began, size))
