"""W7: jobs that wait for jobs: a chain, a fan, two arrays side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from bench import bodies
from bench.client import Named
from bench.figures import percentile
from bench.floors import completions
from bench.meter import Figures
from bench.trial import Trial

MOST_NEEDS = 100  # entries of spec.dependsOn
SHORT = 1  # milliseconds that a pod of the chain runs


def chain(count: int) -> Iterator[Named]:
    """Yield jobs of which each waits for the one before."""
    for number in range(count):
        yield _job(f"c{number}", [f"c{number - 1}"] if number else [], SHORT)


def fan(count: int) -> Iterator[Named]:
    """Yield one job, so many that wait for it, some that gather a hundred of these each, and one for all of those."""
    yield _job("root", [])
    for number in range(count):
        yield _job(f"m{number}", ["root"])
    gathers = []
    for first in range(0, count, MOST_NEEDS):
        gathers.append(f"g{first}")
        yield _job(gathers[-1], [f"m{number}" for number in range(first, min(first + MOST_NEEDS, count))])
    yield _job("last", gathers)


async def hops(trial: Trial) -> Figures:
    """A chain; `hop` is milliseconds from the end of a pod to the appearance of the next one."""
    await trial.pool()
    async with trial.watch(bodies.PODS) as pods:
        meter = trial.meter()
        await trial.client.create_all(bodies.JOBS, chain(trial.size))
        await pods.until(lambda seen: len(seen.over) >= trial.size)
        figures, seen = meter.stop(trial.size), pods.timeline
    waits = [1000 * (seen.added[f"c{n}-1"] - seen.over[f"c{n - 1}-1"]) for n in range(1, trial.size)]
    return {**figures, "hop.p50": percentile(waits, 0.5), "hop.p99": percentile(waits, 0.99)}


async def fan_out_and_in(trial: Trial) -> Figures:
    """One job, then `size`, then one; a completion is a job's."""
    return await _jobs(trial, list(fan(trial.size)))


async def side_by_side(trial: Trial) -> Figures:
    """Two arrays OneToOne, each of half the size; a completion is a child's pod."""
    size = trial.size // 2
    before = bodies.job(array={"size": size})
    after = bodies.job(array={"size": size}, dependsOn=[{"job": "a", "array": "OneToOne"}])
    await trial.pool()
    async with trial.watch(bodies.PODS) as pods:
        meter = trial.meter()
        await trial.client.create_all(bodies.JOBS, [_named("b", after), _named("a", before)])
        await pods.until(lambda seen: len(seen.over) >= 2 * size)
        return {**meter.stop(2 * size), **completions(pods, 2 * size)}


async def _jobs(trial: Trial, crowd: list[Named]) -> Figures:
    await trial.pool()
    async with trial.watch(bodies.JOBS) as watch:
        meter = trial.meter()
        await trial.client.create_all(bodies.JOBS, crowd)
        await watch.until(lambda seen: len(seen.over) >= len(crowd))
        return {**meter.stop(len(crowd)), **completions(watch, len(crowd))}


def _job(name: str, needs: Iterable[str], milliseconds: int = 100) -> Named:
    depends = [{"job": need} for need in needs]
    more = {"dependsOn": depends} if depends else {}
    return _named(name, bodies.job(template=bodies.template(milliseconds), **more))


def _named(name: str, body: bodies.Body) -> Named:
    return name, json.dumps({**body, "metadata": {"name": name}}).encode()
