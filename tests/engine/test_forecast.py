"""What the HTTP port tells of a waiting job, and what is said of its start."""

import asyncio
from typing import Any

import msgspec

from batchyard.decide import decide
from batchyard.engine.explain import Explain
from batchyard.engine.forecast import Forecast
from batchyard.model.resources import Resources
from batchyard.world.estimates import Estimate
from batchyard.world.store import Store
from builders import NOW, job, pod, pool_of, running, status, store, template

FULL = {"template": template("8"), "timeout": {"attemptDurationSeconds": 300}}


def crowd(count: int) -> Store:
    """Return a world with one busy node for ten minutes and so many jobs that wait for it."""
    taken: dict[str, Any] = {"requests": Resources(cpu=8000, memory=2**30, pods=1), "timeout": 600}
    jobs = [job(f"j{index:03}", **FULL) for index in range(count)]
    known = store(*pool_of("n1", max_vcpus=8), job("a"), pod("a", phase="Running", containers=(running(),), **taken))
    for view in jobs:
        known.apply(view)
    known.front = decide(known, NOW).front
    return known


def explained(known: Store, name: str) -> dict[str, Any]:
    forecast = Forecast(known, lambda: NOW)
    return asyncio.run(Explain(known, forecast, lambda: NOW).job(known.jobs[f"uid-{name}"]))


def test_a_job_at_the_front_has_place_and_time() -> None:
    told = explained(crowd(3), "j001")
    assert (told["phase"], told["position"], told["vCpusAhead"]) == ("Runnable", 2, 8)
    assert told["estimatedStart"] == {"p50": "2027-01-15T08:15:03Z", "p90": "2027-01-15T08:15:03Z"}
    assert msgspec.json.encode(told)


def test_one_far_behind_the_front_too_though_its_status_does_not_tell() -> None:
    known = crowd(150)
    assert "uid-j149" not in known.front
    told = explained(known, "j149")
    assert told["position"] == 150
    assert told["estimatedStart"]["p50"] > "2027-01-15T20"


def test_one_that_runs_has_no_place_in_line() -> None:
    assert "position" not in explained(crowd(1), "a")


def test_estimates_of_the_front_reach_the_status() -> None:
    known = crowd(2)
    known.estimates = asyncio.run(Forecast(known, lambda: NOW).estimate(known.front))
    assert known.estimates["uid-j000"] == Estimate(NOW + 600, NOW + 600)
    known.noted.update(decide(known, NOW).notes)
    assert status(decide(known, NOW + 2), "j000")["waiting"]["estimatedStart"]["p50"] == "2027-01-15T08:10:00Z"
