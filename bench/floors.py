"""The floors: what the API server, the scheduler and Kubernetes' own Jobs reach without us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from urllib.parse import urlencode

from batchyard.model.labels import ARRAY_CHUNK, JOB_UID
from batchyard.world.children import CHUNK
from bench import bodies
from bench.client import AT_ONCE, Named, side_by_side
from bench.figures import slope
from bench.meter import Figures
from bench.trial import Trial
from bench.watch import Timeline, Watch

PARALLELISM = bodies.NODES * bodies.CPUS


async def bare_pods(trial: Trial) -> Figures:
    """B0: pods created with spec.nodeName; nobody decides anything."""
    return await _crowd(trial, bodies.PODS, bodies.pods(trial.size, bound=True), bodies.pods(1, bound=True, prefix="w"))


async def our_pods(trial: Trial) -> Figures:
    """B0p: as B0, but the pods are those of an array of ours, which is there; no operator runs."""
    crowd, warm = bodies.children(await _array(trial), trial.size), bodies.pods(1, bound=True, prefix="w")
    return await _crowd(trial, bodies.PODS, crowd, warm)


async def our_pods_purged(trial: Trial) -> Figures:
    """B0d: the pods of B0p as places come free, all but a hundred finished ones deleted in bulk: an array's requests.

    Pods in a crowd would cost more than an array, for KWOK then writes half as much again.
    """
    array = await _array(trial)
    names = [name for name, _ in bodies.children(array, trial.size)]
    await trial.nodes()
    await trial.warm_up(bodies.PODS, next(bodies.pods(1, bound=True, prefix="w")))
    async with trial.watch(bodies.PODS) as watch, asyncio.TaskGroup() as group:
        meter = trial.meter()
        purging = group.create_task(_purge(trial, array["metadata"]["uid"], names, watch))
        await _fill(trial, watch, bodies.children(array, trial.size))
        await watch.until(lambda seen: len(seen.over) >= trial.size)
        await purging
        return {**meter.stop(trial.size), **completions(watch, trial.size)}


async def _fill(trial: Trial, watch: Watch, crowd: Iterable[Named]) -> None:
    left = enumerate(crowd)

    async def work() -> None:
        for number, named in left:
            await watch.until(partial(_has_place, number))
            await trial.client.create(bodies.PODS, named)

    await side_by_side(work() for _ in range(AT_ONCE))


def _has_place(number: int, seen: Timeline) -> bool:
    return number - len(seen.over) < PARALLELISM


async def _array(trial: Trial) -> bodies.Body:
    name, array = next(bodies.jobs(1, "a", array={"size": max(trial.size, 2)}))
    await trial.client.create(bodies.JOBS, (name, array))
    made: bodies.Body = await trial.client.get(f"{bodies.JOBS}/{name}")
    return made


async def _purge(trial: Trial, uid: str, names: list[str], watch: Watch) -> None:
    """Delete each hundred of pods once all of them are over, but for the last."""
    for chunk in range(len(names) // CHUNK - 1):
        wanted = frozenset(names[chunk * CHUNK : (chunk + 1) * CHUNK])
        await watch.until(partial(_are_over, wanted))
        which = f"{JOB_UID}={uid},{ARRAY_CHUNK}={chunk}"
        query = urlencode({"labelSelector": which, "fieldSelector": "status.phase=Succeeded"})
        await trial.client.delete(f"{bodies.PODS}?{query}")


def _are_over(names: frozenset[str], seen: Timeline) -> bool:
    return seen.over.keys() >= names


async def scheduled_pods(trial: Trial) -> Figures:
    """B1: pods through kube-scheduler."""
    warm = bodies.pods(1, bound=False, prefix="w")
    return await _crowd(trial, bodies.PODS, bodies.pods(trial.size, bound=False), warm)


async def native_jobs(trial: Trial) -> Figures:
    """B2: Jobs of batch/v1 with one pod each; a completion is the Job's condition Complete."""
    return await _crowd(trial, bodies.NATIVE, bodies.native_jobs(trial.size), bodies.native_jobs(1, prefix="w"))


async def indexed_job(trial: Trial) -> Figures:
    """B3: one Indexed Job; a completion is a pod's."""
    await trial.nodes()
    await trial.warm_up(bodies.NATIVE, next(bodies.native_jobs(1, prefix="w")))
    async with trial.watch(bodies.PODS) as watch:
        meter = trial.meter()
        await trial.client.create(bodies.NATIVE, bodies.indexed_job(trial.size, PARALLELISM))
        await watch.until(lambda seen: len(seen.over) >= trial.size)
        return {**meter.stop(trial.size), **completions(watch, trial.size)}


async def jobs_alone(trial: Trial) -> Figures:
    """B4: Jobs of ours, and no operator; a completion is the object's appearance."""
    async with trial.watch(bodies.JOBS) as watch:
        meter = trial.meter()
        await trial.client.create_all(bodies.JOBS, bodies.jobs(trial.size))
        await watch.until(lambda seen: len(seen.added) >= trial.size)
        return {**meter.stop(trial.size), "rate": slope(list(watch.timeline.added.values()))}


async def _crowd(trial: Trial, path: str, crowd: Iterable[Named], warm: Iterable[Named]) -> Figures:
    await trial.nodes()
    await trial.warm_up(path, next(iter(warm)))
    async with trial.watch(path) as watch:
        meter = trial.meter()
        await trial.client.create_all(path, crowd)
        await watch.until(lambda seen: len(seen.over) >= trial.size)
        return {**meter.stop(trial.size), **completions(watch, trial.size)}


def completions(watch: Watch, size: int) -> Figures:
    """Return the rate of completions; whoever fails or is missing makes the run worthless."""
    seen = watch.timeline
    if seen.failed or len(seen.over) != size:
        raise AssertionError(
            f"{len(seen.over)} of {size} are over, {len(seen.failed)} failed: {sorted(seen.failed)[:3]}"
        )
    return {"rate": slope(list(seen.over.values()))}
