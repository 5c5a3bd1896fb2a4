"""W5 and W8: jobs that come at their own pace; how soon each is bound, or has a node launched for it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Sequence

from bench import bodies
from bench.client import Named
from bench.figures import percentile
from bench.meter import Figures
from bench.trial import Trial

RATES = (5, 10, 20, 40)  # jobs a second
LAUNCH_RATE = 20.0
LONG = 3_600_000  # milliseconds: nobody makes room for the next
_SEED = 5


async def open_loop(trial: Trial) -> Figures:
    """W5: `size` seconds at each rate, come what may; seconds from when a job was due until it is bound."""
    await trial.pool()
    await trial.warm_up(bodies.JOBS, next(bodies.jobs(1, prefix="w")))
    figures: Figures = {}
    for rate in RATES:
        waits = await _waits(trial, rate, trial.size * rate)
        for share in (50, 99):
            figures[f"bound.{rate}.p{share}"] = percentile(waits, share / 100)
    return figures


async def _waits(trial: Trial, rate: int, count: int) -> list[float]:
    prefix = f"r{rate}x"
    async with trial.watch(bodies.PODS) as watch:
        due = await arrive(trial, bodies.jobs(count, prefix), rate)
        await watch.until(lambda seen: len(seen.over) >= count)
        return [watch.timeline.bound[f"{name}-1"] - at for name, at in due.items()]


async def arrive(trial: Trial, crowd: Iterable[Named], rate: float) -> dict[str, float]:
    """Submit at random moments, `rate` a second on average; return when each was due, which is what users feel."""
    pauses, at, due = random.Random(_SEED), time.time(), {}  # noqa: S311 the same moments in each run
    async with asyncio.TaskGroup() as group:
        for named in crowd:
            at += pauses.expovariate(rate)
            await asyncio.sleep(max(at - time.time(), 0))
            due[named[0]] = at
            group.create_task(trial.client.create(bodies.JOBS, named))
    return due


async def launches_after_a_crowd(trial: Trial) -> Figures:
    """W8: all jobs at once into an empty pool; seconds from the last arrival to the last decision to launch."""
    arrivals, decisions = await _launches(trial, 0)
    return {"launch.last": max(decisions) - max(arrivals), "launch.first": min(decisions) - min(arrivals)}


async def launches_of_a_stream(trial: Trial) -> Figures:
    """W8: jobs come one after the other; seconds from the job that needs a new node to the decision to launch it."""
    arrivals, decisions = await _launches(trial, LAUNCH_RATE)
    waits = launch_waits(arrivals, decisions, bodies.CPUS)
    return {"launch.p50": percentile(waits, 0.5), "launch.p99": percentile(waits, 0.99)}


def launch_waits(arrivals: Sequence[float], decisions: Sequence[float], each: int) -> list[float]:
    """Return how long each decision came after the arrival that called for it: the first of each `each` jobs."""
    calls = sorted(arrivals)[::each]
    return [max(decided - called, 0.0) for called, decided in zip(calls, sorted(decisions), strict=True)]


async def _launches(trial: Trial, rate: float) -> tuple[list[float], list[float]]:
    """Return when the jobs were seen, and when the operator decided on nodes for them."""
    nodes = -(-trial.size // bodies.CPUS)
    await trial.pool(nodes, warm=False)
    crowd = bodies.jobs(trial.size, template=bodies.template(LONG))
    async with trial.watch(bodies.JOBS) as watch, trial.watch(bodies.PODS) as pods:
        if rate:
            await arrive(trial, crowd, rate)
        else:
            await trial.client.create_all(bodies.JOBS, crowd)
        await pods.until(lambda seen: len(seen.bound) >= trial.size)
        arrivals = list(watch.timeline.added.values())
    decisions = [at for at, _ in trial.operator.events("launch")]
    if len(decisions) != nodes:
        raise AssertionError(f"{len(decisions)} launches for {nodes} nodes")
    return arrivals, decisions
