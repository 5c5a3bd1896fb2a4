"""W12: the crowd of W1, and an operator that is killed again and again: nothing lost, nothing run twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench import bodies
from bench.floors import completions
from bench.meter import Figures
from bench.operator import Operator
from bench.trial import Trial
from bench.watch import Timeline

LIFETIME = 5.0  # seconds from a start to the next kill -9


async def killed(trial: Trial) -> Figures:
    """Return rate and `pace`, `kills`, and how many jobs were `lost` or had more than one pod run (`twice`).

    What a kill costs are stalls, at the beginning and the end too: the pace has them, the rate has not.
    """
    await trial.pool()
    await trial.warm_up(bodies.JOBS, next(bodies.jobs(1, prefix="w")))
    async with trial.watch(bodies.JOBS) as jobs, trial.watch(bodies.PODS) as pods, _reaper(trial.operator) as deaths:
        began = time.monotonic()
        await trial.client.create_all(bodies.JOBS, bodies.jobs(trial.size))
        await jobs.until(lambda seen: len(seen.over) >= trial.size)
        pace = trial.size / (time.monotonic() - began)
        figures = {**completions(jobs, trial.size), "kills": float(len(deaths)), "pace": pace}
        await pods.until(lambda seen: len(seen.over) >= trial.size)
    return {**figures, **damage(pods.timeline, trial.size)}


def damage(pods: Timeline, jobs: int) -> Figures:
    """Return how many of the jobs never ran, and how many had more than one pod that ran."""
    return {"lost": float(jobs - len(pods.ran)), "twice": float(sum(len(uids) > 1 for uids in pods.ran.values()))}


@asynccontextmanager
async def _reaper(operator: Operator) -> AsyncIterator[list[float]]:
    """Kill the operator every few seconds and start it again at once; yield the list that grows with each death."""
    deaths: list[float] = []

    async def reap() -> None:
        while True:
            await asyncio.sleep(LIFETIME)
            operator.kill()
            deaths.append(asyncio.get_running_loop().time())
            operator.launch()

    task = asyncio.create_task(reap())
    try:
        yield deaths
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
