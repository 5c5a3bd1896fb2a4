"""Nodes that lie, and providers that hang, fail, and say that they have failed when they have not."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, simulated
from crash.proxy import Road
from crash.trial import Trial

LONG = os.environ.get("BATCHYARD_FAULTS") == "long"


def test_a_node_that_refuses_pods_costs_no_attempt(trial: Trial) -> None:
    """Every other node refuses everything, so that many jobs must move until one takes them."""
    lab = trial.lab
    trial.pool("refusing", 8)
    names = trial.submit("refusing", 16, prefix="moved-")
    trial.keeper.start()
    refusals = 0
    for name in names:
        *refused, last = lab.succeeded(name, 200)["attempts"]
        assert {attempt["reason"] for attempt in refused} <= {"PodRejected"}, refused
        assert not any(attempt["counted"] for attempt in refused)
        assert last["node"] not in {attempt["node"] for attempt in refused}
        assert [run.attempt for run in lab.pods(name)] == list(range(1, len(refused) + 2))
        refusals += len(refused)
    assert refusals
    trial.nothing_twice()
    trial.pools_are_as_told("refusing")
    trial.all_retired("refusing")
    print(f"\n{refusals} pods were refused")


@pytest.mark.skipif(not LONG, reason="waits for minutes: BATCHYARD_FAULTS=long")
def test_a_node_that_never_takes_up_its_pods_is_replaced(trial: Trial) -> None:
    lab = trial.lab
    lab.environment("idle", managed("simulated", [shape(2)], 2, scaleDownDelaySeconds=1))
    lab.environment("honest", managed("simulated", [shape(2)], 2, scaleDownDelaySeconds=1))
    lab.queue("both", "idle", "honest")
    trial.keeper.start()
    lab.job("moved", "both", template=simulated())
    status = lab.phase("moved", "Succeeded", "Failed", seconds=280)["status"]
    *lost, last = status["attempts"]
    assert last["computeEnvironment"] == lab.named("honest")
    assert lost
    assert not any(attempt["counted"] for attempt in lost)
    trial.nothing_twice()
    trial.all_retired("idle", "honest")


@dataclass
class Provider:
    """What simulated nodes are made with goes wrong `times` times for each verb, in the way that is said.

    refuses: nothing is done, and it says so; lies: it is done, and it says that it is not; hangs: it is done, and
    nothing is said for seconds, then the connection breaks.
    """

    way: str
    times: int = 2
    seen: Counter[str] = field(default_factory=Counter)

    async def __call__(self, road: Road) -> web.StreamResponse:
        verb = self._verb(road)
        if not verb or self.seen[verb] >= self.times:
            return await road.go_on()
        self.seen[verb] += 1
        if self.way != "refuses":
            await road.arrive()
        if self.way == "hangs":
            await asyncio.sleep(3)
            return road.cut()
        return road.refuse(500, "InternalError", f"the provider {self.way}")

    @staticmethod
    def _verb(road: Road) -> str:
        if not road.path.startswith("/api/v1/nodes") or road.is_watch:
            return ""
        looks = "provider" in road.request.query.get("labelSelector", "")
        return {"POST": "launch", "DELETE": "retire", "GET": "observe" if looks else ""}.get(road.method, "")


@pytest.mark.parametrize("way", ["refuses", "lies", "hangs"])
def test_a_provider_that_fails_in_each_verb_leaks_no_machine(trial: Trial, way: str) -> None:
    """A shape that could not be had rests for minutes, so there are others."""
    provider = Provider(way)
    trial.proxy.law = provider
    shapes = [shape(2), shape(2, name="second"), shape(2, name="third")]
    trial.lab.environment("main", managed("simulated", shapes, 8, scaleDownDelaySeconds=1))
    trial.lab.queue("main", "main")
    trial.keeper.start()
    names = trial.submit("main", 24)
    trial.once_each(names)
    trial.pools_are_as_told("main")
    trial.all_retired("main")
    until(lambda: set(provider.seen) == {"launch", "retire", "observe"}, 10, lambda: str(provider.seen))
    assert trial.witness.peaks[trial.lab.named("main")] <= 4
