"""B0j: the requests of W1 without anybody who decides, which is what the API server asks for a job of one pod."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from functools import partial

import orjson

from bench import bodies
from bench.client import AT_ONCE, side_by_side
from bench.floors import completions
from bench.meter import Figures
from bench.trial import Trial
from bench.watch import Timeline, Watch

_ATTEMPT = {
    "number": 1, "node": "n1", "computeEnvironment": "bench", "instanceType": "c4", "capacityType": "OnDemand",
    "startedAt": "2027-01-15T07:59:50Z", "stoppedAt": "2027-01-15T08:00:00Z", "exitCode": 0, "reason": "Completed",
    "counted": True, "cost": "0.000118",
}  # fmt: skip
_COMPLETE = {
    "type": "Complete", "status": "True", "reason": "Completed", "message": "", "observedGeneration": 1,
    "lastTransitionTime": "2027-01-15T08:00:00Z",
}  # fmt: skip


async def scripted_jobs(trial: Trial) -> Figures:
    """B0j: each Job is created, then its pod as the operator makes it, and its end is written in one status."""
    await trial.nodes()
    await trial.warm_up(bodies.PODS, next(bodies.pods(1, bound=True, prefix="w")))
    async with trial.watch(bodies.JOBS) as jobs, trial.watch(bodies.PODS) as pods, asyncio.TaskGroup() as group:
        meter = trial.meter()
        group.create_task(_record(trial, pods))
        await _submit_and_start(trial)
        await jobs.until(lambda seen: len(seen.over) >= trial.size)
        return {**meter.stop(trial.size), **completions(jobs, trial.size)}


async def _submit_and_start(trial: Trial) -> None:
    left = enumerate(bodies.jobs(trial.size))

    async def work() -> None:
        for number, named in left:
            made = orjson.loads(await trial.client.create(bodies.JOBS, named))
            await trial.client.create(bodies.PODS, bodies.pod_of(made, number))

    await side_by_side(work() for _ in range(AT_ONCE))


async def _record(trial: Trial, pods: Watch) -> None:
    """Write each Job's end as soon as its pod is seen to be over."""
    told = 0
    while told < trial.size:
        await pods.until(partial(_has_more, told))
        over = list(pods.timeline.over)[told:]  # in the order in which they ended
        told += len(over)
        await _write_all(trial, iter(over))


def _has_more(told: int, seen: Timeline) -> bool:
    return len(seen.over) > told


async def _write_all(trial: Trial, over: Iterator[str]) -> None:
    async def work() -> None:
        for pod in over:
            job = pod.removesuffix("-1")
            await trial.client.merge(f"{bodies.JOBS}/{job}/status", json.dumps({"status": _ended(pod)}).encode())

    await side_by_side(work() for _ in range(AT_ONCE))


def _ended(pod: str) -> bodies.Body:
    """What the operator writes of a job that has succeeded."""
    times = {"createdAt": _ATTEMPT["startedAt"], "startedAt": _ATTEMPT["startedAt"], "stoppedAt": _ATTEMPT["stoppedAt"]}
    return {
        "phase": "Succeeded",
        "reason": "Completed",
        "attempts": [{**_ATTEMPT, "pod": pod}],
        "cost": {"amount": _ATTEMPT["cost"], "wasted": "0"},
        "conditions": [_COMPLETE],
        **times,
    }
