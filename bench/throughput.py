"""W1, W2, W3: how many jobs, or children of arrays, an operator ends in a second."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from bench import bodies
from bench.audit import Asked
from bench.floors import completions
from bench.meter import Figures
from bench.trial import Trial
from bench.watch import JOB_UID


async def single_jobs(trial: Trial) -> Figures:
    """W1: jobs of one pod in one queue; a completion is the job's phase Succeeded."""
    await trial.pool()
    await trial.warm_up(bodies.JOBS, next(bodies.jobs(1, prefix="w")))
    async with trial.watch(bodies.JOBS) as watch:
        meter = trial.meter()
        await trial.client.create_all(bodies.JOBS, bodies.jobs(trial.size))
        await watch.until(lambda seen: len(seen.over) >= trial.size)
        figures = {**meter.stop(trial.size), **completions(watch, trial.size)}
    await _ran_once(trial)
    return figures


async def many_small_arrays(trial: Trial) -> Figures:
    """W2: arrays of 20."""
    return await _arrays(trial, 20)


async def few_large_arrays(trial: Trial) -> Figures:
    """W2: arrays of 500."""
    return await _arrays(trial, 500)


async def one_array(trial: Trial) -> Figures:
    """W3: one array; `statuses` are the status writes to it a second."""
    return await _arrays(trial, trial.size)


async def _arrays(trial: Trial, size: int) -> Figures:
    count = max(trial.size // size, 1)
    await trial.pool()
    await trial.warm_up(bodies.JOBS, next(bodies.jobs(1, prefix="w")))
    async with trial.watch(bodies.PODS) as pods, trial.watch(bodies.JOBS) as arrays:
        meter = trial.meter()
        await trial.client.create_all(bodies.JOBS, bodies.jobs(count, "a", array={"size": size}))
        await pods.until(lambda seen: len(seen.over) >= count * size)
        await arrays.until(lambda seen: len(seen.over) >= count)
        figures = {**meter.stop(count * size), **completions(pods, count * size)}
        completed = arrays.timeline
    if completed.failed:
        raise AssertionError(f"{len(completed.failed)} arrays failed")
    return {**figures, "statuses": statuses_a_second(meter.requests())}


def statuses_a_second(requests: Iterable[Asked]) -> float:
    """Return the rate of status writes to the array that had the most of them; 0 if none had two."""
    times = defaultdict(list)
    for asked in requests:
        if asked.client == "operator" and asked.resource == "batchjobs/status":
            times[asked.name].append(asked.received)
    spans = {name: max(at) - min(at) for name, at in times.items()}
    return max(((len(times[name]) - 1) / span for name, span in spans.items() if span > 1), default=0.0)


async def _ran_once(trial: Trial) -> None:
    """Every job has had one pod and no more: finished pods stay for days."""
    listed = await trial.client.get(bodies.PODS)
    runs = Counter(pod["metadata"]["labels"][JOB_UID] for pod in listed["items"])
    if len(runs) != trial.size + 1 or set(runs.values()) != {1}:
        raise AssertionError(f"{len(runs)} jobs have pods, {sum(n > 1 for n in runs.values())} more than one")
