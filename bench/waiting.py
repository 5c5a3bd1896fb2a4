"""W6: very many jobs wait for room that there is not; what they cost in memory, in time, and after a restart."""

from __future__ import annotations

import asyncio
import time

from bench import bodies, processes
from bench.audit import WRITES
from bench.figures import slope
from bench.meter import Figures
from bench.operator import Operator
from bench.trial import Trial

HOUR = 3_600_000  # milliseconds
WINDOW = 4.0  # seconds; one write in each is still quiet
QUIET_SECONDS = 3600.0
IDLE_SECONDS = 15.0
ARRIVALS, PACE = 20, 0.1  # jobs that come while all others wait; seconds between them


async def queued_jobs(trial: Trial) -> Figures:
    """Submit behind jobs that hold the only node; measure once the operator has nothing left to write."""
    operator = trial.operator
    await _full_pool(trial)
    before = processes.memory(operator.pid)
    async with trial.watch(bodies.JOBS) as watch:
        meter = trial.meter()
        await trial.client.create_all(bodies.JOBS, bodies.jobs(trial.size))
        await watch.until(lambda seen: len(seen.added) >= trial.size)
        rate = slope(list(watch.timeline.added.values()))
        await watch.until(lambda seen: len(seen.told) >= trial.size)
    await _quiet(trial)
    figures = {**meter.stop(trial.size), "rate": rate}
    figures["memory.job"] = (processes.memory(operator.pid) - before) / trial.size / 1024
    figures["idle"] = await _idle(operator)
    figures |= await _cycles(trial)
    figures["restart"] = await _restart(operator)
    return figures


async def _full_pool(trial: Trial) -> None:
    """Leave one node, full of jobs that run for an hour."""
    await trial.pool(1)
    long = bodies.jobs(bodies.CPUS, "hold", template=bodies.template(HOUR))
    async with trial.watch(bodies.PODS) as watch:
        await trial.client.create_all(bodies.JOBS, long)
        await watch.until(lambda seen: len(seen.bound) >= bodies.CPUS)
    await _quiet(trial)


async def _quiet(trial: Trial) -> None:
    """Return when the operator has written next to nothing for two windows in a row."""
    deadline, calm = time.monotonic() + QUIET_SECONDS, 0
    while calm < 2:
        meter = trial.meter()
        await asyncio.sleep(WINDOW)
        written = sum(asked.client == "operator" and asked.verb in WRITES for asked in meter.requests())
        calm = calm + 1 if written < WINDOW else 0
        assert trial.operator.alive, trial.operator.tail(20)
        if time.monotonic() > deadline:
            raise TimeoutError(f"the operator still writes after {QUIET_SECONDS:.0f} s")


async def _cores(operator: Operator, seconds: float) -> float:
    began, at = processes.cpu_seconds(operator.pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (processes.cpu_seconds(operator.pid) - began) / (time.monotonic() - at)


async def _idle(operator: Operator) -> float:
    """Return the percentage of a core that the operator takes while nothing happens."""
    return 100 * await _cores(operator, IDLE_SECONDS)


async def _cycles(trial: Trial) -> Figures:
    """Have a few more jobs come, one at a time; `cycle` is the mean milliseconds of a decision cycle meanwhile.

    `cycle.cpu` is all CPU-ms of the operator in that time by cycle: with reading and writing, without waits for a core.
    """
    operator = trial.operator
    before, cpu = operator.steps(), processes.cpu_seconds(operator.pid)
    for named in bodies.jobs(ARRIVALS, "late"):
        await trial.client.create(bodies.JOBS, named)
        await asyncio.sleep(PACE)
    await asyncio.sleep(1)
    after, cpu = operator.steps(), processes.cpu_seconds(operator.pid) - cpu
    cycles = after["apply"][0] - before["apply"][0]
    seconds = sum(after[step][1] - before.get(step, (0, 0))[1] for step in after)
    return {"cycle": 1000 * seconds / cycles, "cycle.cpu": 1000 * cpu / cycles}


async def _restart(operator: Operator) -> float:
    """Return the seconds from the start of a new process, the old one having been killed, to its first decision."""
    operator.kill()
    began = time.monotonic()
    operator.launch()
    await operator.ready()
    while not operator.steps().get("apply", (0, 0))[0]:  # noqa: ASYNC110 another process has no event of ours
        await asyncio.sleep(0.02)
    return time.monotonic() - began
