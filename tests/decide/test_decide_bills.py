"""What an environment says that its nodes cost: the parts, when it is written, and how another operator goes on."""

from decimal import Decimal
from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.machine import MachineState, Shape
from batchyard.model.plan import Report
from batchyard.model.resources import Resources, read
from batchyard.world.assume import assume_report
from batchyard.world.parse import rfc3339
from batchyard.world.store import Store
from builders import NOW, environment, exited, failed, job, machine, newer, node, of, pod, running, store, succeeded

DEAR = Shape("dear", read({"cpu": "8", "memory": "16Gi"}, pods=110), "3600", "360")  # a dollar a second
MOST_CPU, MOST_MEMORY = Resources(cpu=6000, memory=2**30, pods=1), Resources(cpu=1000, memory=12 * 2**30, pods=1)
HALF = Resources(cpu=4000, memory=2**30, pods=1)


def scene(*things: Any, cost: dict[str, str] | None = None, launched: float = NOW) -> Store:
    """Return a world of one node that costs a dollar a second."""
    status = {"cost": cost} if cost else {}
    pool = environment(shapes=(DEAR,), status=status, min_vcpus=8)
    return store(pool, machine("n1", DEAR, launched_at=launched), node("n1", DEAR), *things)


def go(known: Store, now: float) -> dict[str, float] | None:
    """Decide; return what is written of the pool's cost, None if nothing is."""
    found = None
    for report in of(decide(known, now), Report):
        assume_report(known, report, now)
        if report.name == "pool" and report.status["cost"] != found:
            found = report.status["cost"]
    return found


def amounts(known: Store) -> dict[str, Decimal]:
    """Return the account as it stands in the status."""
    cost = known.environments["pool"].status["cost"]
    return {name: Decimal(cost[name]) for name in ("nodes", "useful", "wasted", "running", "idle")}


def test_a_node_that_nobody_uses_is_idle_and_told_once_a_minute() -> None:
    known = scene()
    writes = [second for second in range(185) if go(known, NOW + second) and second]
    assert len(writes) <= 4
    cost = amounts(known)
    assert cost["idle"] == cost["nodes"] >= 120
    assert cost["useful"] == cost["wasted"] == cost["running"] == 0


@pytest.mark.parametrize(("ended", "part"), [(succeeded, "useful"), (failed, "wasted")])
def test_a_pod_s_money_is_running_until_its_end_says_what_it_was_good_for(ended: Any, part: str) -> None:
    runs = pod("a", requests=HALF, phase="Running", containers=(running(NOW + 10),))
    known = scene(job("a"), runs)
    go(known, NOW)
    go(known, NOW + 80)
    assert amounts(known)["running"] == 30  # of the 60 seconds that are counted by then
    over = exited(0 if part == "useful" else 1, NOW + 90, started=NOW + 10)
    known.apply(newer(ended("a", requests=HALF, containers=(over,)), uid=runs.uid))
    go(known, NOW + 95)
    go(known, NOW + 160)
    cost = amounts(known)
    assert cost[part] == 40
    assert cost["running"] == 0
    assert cost["nodes"] == sum(cost[each] for each in ("useful", "wasted", "idle"))


def test_shares_that_add_up_to_more_than_the_node_pay_no_more_than_it_costs() -> None:
    one = pod("a", requests=MOST_CPU, phase="Running", containers=(running(NOW),))
    other = pod("b", requests=MOST_MEMORY, phase="Running", containers=(running(NOW),))
    known = scene(job("a"), job("b"), one, other)
    go(known, NOW)
    for owner, requests in (("a", MOST_CPU), ("b", MOST_MEMORY)):
        known.apply(newer(succeeded(owner, requests=requests, containers=(exited(0, NOW + 40, started=NOW),))))
    go(known, NOW + 50)
    go(known, NOW + 70)
    cost = amounts(known)
    assert cost["useful"] == 40, "each has 0.75 of the node, both together all of it"
    assert cost["idle"] == cost["nodes"] - 40


def test_a_short_job_that_nobody_saw_run_is_counted() -> None:
    known = scene(job("a"))
    go(known, NOW)
    known.apply(succeeded("a", requests=HALF, containers=(exited(0, NOW + 31, started=NOW + 30),)))
    go(known, NOW + 31.5)
    go(known, NOW + 95)
    assert amounts(known)["useful"] == Decimal("0.5")


def test_a_machine_that_is_only_asked_for_costs_nothing_until_it_is_there() -> None:
    known = store(environment(shapes=(DEAR,)), machine("n1", DEAR, state=MachineState.Launching, launched_at=NOW))
    go(known, NOW)
    go(known, NOW + 61)
    assert not known.environments["pool"].status.get("cost")
    known.observe("docker", [machine("n1", DEAR, launched_at=NOW)], NOW + 62)
    go(known, NOW + 63)
    go(known, NOW + 130)
    assert amounts(known)["idle"] >= 120, "it is counted from its launch"


def test_another_operator_goes_on_where_the_status_left_off() -> None:
    told = {"nodes": "100.000000", "useful": "20.000000", "wasted": "10.000000", "running": "30.000000"}
    told |= {"idle": "40.000000", "since": rfc3339(NOW - 500), "updatedAt": rfc3339(NOW)}
    runs = pod("a", requests=HALF, phase="Running", containers=(running(NOW - 50),))
    known = scene(job("a"), runs, cost=told, launched=NOW - 100)
    go(known, NOW + 40)
    known.apply(newer(succeeded("a", requests=HALF, containers=(exited(0, NOW + 50, started=NOW - 50),)), uid=runs.uid))
    go(known, NOW + 60)
    go(known, NOW + 130)
    cost = amounts(known)
    assert cost["useful"] == 20 + 50, "half of the node for a hundred seconds, 25 of which were on record"
    assert cost["wasted"] == 10
    assert cost["running"] == 0
    assert cost["idle"] == cost["nodes"] - 80
    assert cost["nodes"] <= 100 + 130


def test_what_had_ended_before_another_operator_took_over_is_not_counted_again() -> None:
    told = {"nodes": "100.000000", "useful": "20.000000", "wasted": "0.000000", "running": "0.000000"}
    told |= {"idle": "80.000000", "since": rfc3339(NOW - 500), "updatedAt": rfc3339(NOW)}
    done = succeeded("a", requests=HALF, containers=(exited(0, NOW - 10, started=NOW - 50),))
    known = scene(job("a"), done, cost=told, launched=NOW - 100)
    go(known, NOW + 1)
    go(known, NOW + 70)
    assert amounts(known)["useful"] == 20


def test_a_pod_whose_devices_the_shape_no_longer_has_pays_for_the_whole_node() -> None:
    known = scene(job("a"))
    go(known, NOW)
    devices = Resources(cpu=1000, memory=2**30, pods=1, extended=(("nvidia.com/gpu", 1),))
    known.apply(succeeded("a", requests=devices, containers=(exited(0, NOW + 40, started=NOW + 10),)))
    go(known, NOW + 41)
    go(known, NOW + 105)
    assert amounts(known)["useful"] == 30
