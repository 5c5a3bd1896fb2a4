"""Licences and tokens on the real API server, and queues that are held, drained or limited; all on simulated nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cluster.lab import Lab
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, simulated

LONG = 600_000


@pytest.fixture(scope="module")
def yard(lab: Lab) -> Lab:
    """The lab with simulated nodes that have room for all jobs here."""
    lab = replace(lab, namespace=lab.new_namespace("yard"))
    lab.environment("cellar", managed("simulated", [shape(8)], 64))
    lab.queue("cellar", "cellar")
    return lab


def takes(lab: Lab, **quantities: int) -> dict[str, Any]:
    return {"consumables": [{"name": lab.named(name), "quantity": q} for name, q in quantities.items()]}


def submit(lab: Lab, name: str, milliseconds: int = 100, *, queue: str = "cellar", **spec: Any) -> str:
    return lab.job(name, queue, template=simulated(milliseconds), **spec)


def total(lab: Lab, name: str, most: int) -> None:
    """ADD, REMOVE and SET of AWS."""
    lab.api.patch("ConsumableResource", lab.named(name), {"spec": {"total": most}})


def says(lab: Lab, name: str, **expected: Any) -> Body:
    """Return a resource's status once it says so."""

    def status() -> Body:
        return lab.status("ConsumableResource", name)

    until(lambda: expected.items() <= status().items(), 20, lambda: status())
    return status()


def stop(lab: Lab, *names: str) -> None:
    for name in names:
        lab.api.patch("Job", name, {"spec": {"stop": {"mode": "Terminate"}}}, lab.namespace)


def test_who_lacks_a_licence_is_told_who_holds_it_and_goes_on_when_there_are_more(yard: Lab) -> None:
    yard.consumable("licence", 2)
    for name in ("holds-1", "holds-2"):
        submit(yard, name, LONG, **takes(yard, licence=1))
        yard.phase(name, "Starting", "Running")
    submit(yard, "lacks", **takes(yard, licence=1))
    submit(yard, "needs-none")
    yard.succeeded("needs-none")
    message = yard.reason("lacks", "ConsumableUnavailable")["status"]["message"]
    assert f"needs 1 of ConsumableResource '{yard.named('licence')}', 0 of 2 free, 1 missing; held by" in message
    for name in ("holds-1", "holds-2"):
        assert f"{yard.namespace}/{name} (1)" in message
    status = says(yard, "licence", phase="Valid", total=2, inUse=2, available=0, waiting=1)
    assert sorted(each["job"] for each in status["holders"]) == [f"{yard.namespace}/holds-{n}" for n in (1, 2)]
    total(yard, "licence", 3)
    yard.succeeded("lacks")
    says(yard, "licence", total=3, inUse=2, available=1, waiting=0)


def test_a_total_below_what_is_in_use_touches_nothing_that_runs(yard: Lab) -> None:
    total(yard, "licence", 1)
    status = says(yard, "licence", phase="Overcommitted", inUse=2, available=0)
    assert "2 are in use, 1 more than spec.total (1)" in status["message"]
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [("Overcommitted", "True")]
    assert yard.read("holds-1")["status"]["phase"] == yard.read("holds-2")["status"]["phase"] == "Running"


def test_a_killed_operator_finds_who_holds_what(yard: Lab) -> None:
    total(yard, "licence", 2)
    submit(yard, "after", **takes(yard, licence=2))
    yard.reason("after", "ConsumableUnavailable")
    yard.operator.kill()
    yard.operator.start()
    says(yard, "licence", phase="Valid", inUse=2, waiting=1)
    stop(yard, "holds-1")
    yard.failed("holds-1")
    says(yard, "licence", inUse=1, available=1)
    assert yard.read("after")["status"]["phase"] == "Runnable"
    stop(yard, "holds-2")
    yard.succeeded("after")
    says(yard, "licence", inUse=0, available=2, waiting=0)


def test_an_unknown_resource_is_named_and_waited_for(yard: Lab) -> None:
    submit(yard, "early", **takes(yard, nowhere=1))
    message = yard.reason("early", "ConsumableNotFound")["status"]["message"]
    assert f"ConsumableResource '{yard.named('nowhere')}' does not exist" in message
    yard.consumable("nowhere", 1)
    yard.succeeded("early")


def test_more_than_the_total_is_said_at_once(yard: Lab) -> None:
    submit(yard, "greedy", **takes(yard, nowhere=5))
    message = yard.reason("greedy", "ConsumableTooLarge")["status"]["message"]
    assert "needs 5" in message
    assert "whose total is 1" in message
    total(yard, "nowhere", 5)
    yard.succeeded("greedy")


def test_what_is_used_up_does_not_come_back(yard: Lab) -> None:
    yard.consumable("token", 3, type="NonReplenishable")
    for number in range(2):
        submit(yard, f"uses-{number}", **takes(yard, token=1))
    for number in range(2):
        yard.succeeded(f"uses-{number}")
    says(yard, "token", consumed=2, inUse=0, available=1)
    submit(yard, "too-late", **takes(yard, token=2))
    message = yard.reason("too-late", "ConsumableUsedUp")["status"]["message"]
    assert "2 of 3 are used up for ever" in message
    total(yard, "token", 4)
    yard.succeeded("too-late")
    status = says(yard, "token", consumed=4, available=0)
    until(lambda: not yard.status("ConsumableResource", "token").get("taking"), 10, lambda: status)


def test_each_child_is_booked_once_though_the_operator_is_killed_again_and_again(yard: Lab) -> None:
    yard.consumable("stamp", 1000, type="NonReplenishable")
    submit(yard, "stamped", 500, array={"size": 60, "maxConcurrent": 10}, **takes(yard, stamp=2))
    for least in (2, 40, 80):
        until(lambda most=least: yard.status("ConsumableResource", "stamp").get("consumed", 0) >= most, 60)
        yard.operator.kill()
        yard.operator.start()
    yard.succeeded("stamped", 120)
    says(yard, "stamp", consumed=120, available=880)
    until(lambda: not yard.status("ConsumableResource", "stamp").get("taking"), 10)
    assert len(yard.pods("stamped")) == 60


def test_one_that_is_stopped_before_it_has_room_uses_nothing_up(yard: Lab) -> None:
    yard.job("never", "cellar", template=simulated(cpu="999"), **takes(yard, stamp=500))
    yard.reason("never", "JobTooLarge")
    stop(yard, "never")
    yard.failed("never")
    says(yard, "stamp", consumed=120)


def test_prometheus_is_told(yard: Lab) -> None:
    name = yard.named("stamp")
    assert yard.operator.metric("batchyard_consumables", consumable=name, kind="total") == 1000
    assert yard.operator.metric("batchyard_consumables", consumable=name, kind="consumed") == 120


def test_a_held_queue_starts_nothing_until_it_is_enabled(yard: Lab) -> None:
    yard.queue("held", "cellar", state="Held")
    submit(yard, "on-held", queue="held")
    waiting = yard.reason("on-held", "QueueHeld")["status"]
    assert (waiting["phase"], waiting["waiting"]["position"]) == ("Runnable", 1)
    assert yard.status("JobQueue", "held")["phase"] == "Held"
    yard.api.patch("JobQueue", yard.named("held"), {"spec": {"state": "Enabled"}})
    yard.succeeded("on-held")


def test_a_draining_queue_runs_what_it_has_and_refuses_what_is_new(yard: Lab) -> None:
    yard.queue("drained", "cellar", maxRunningJobs=1)
    submit(yard, "first", 3000, queue="drained")
    submit(yard, "second", 3000, queue="drained")
    yard.reason("second", "MaxRunningJobs")
    yard.api.patch("JobQueue", yard.named("drained"), {"spec": {"state": "Draining"}})
    until(lambda: yard.status("JobQueue", "drained")["phase"] == "Draining")
    submit(yard, "refused", queue="drained")
    assert yard.reason("refused", "QueueDraining")["status"]["phase"] == "Pending"
    yard.succeeded("second")
    until(lambda: yard.status("JobQueue", "drained").get("message", "").startswith("drained: nothing is left"))


def test_the_first_of_a_queue_is_cancelled_when_it_waits_too_long_for_one_reason(yard: Lab) -> None:
    reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    yard.queue("limited", "cellar", stateTimeLimits=[{"reason": reason, "maxSeconds": 4}])
    for name in ("giant-1", "giant-2"):
        yard.job(name, "limited", template=simulated(cpu="999"))
    for name in ("giant-1", "giant-2"):
        status = yard.failed(name)
        assert status["reason"] == "Cancelled"
        assert status["message"] == f"Canceled by JobStateTimeLimit action due to reason: {reason}"
    assert yard.read("giant-1")["status"]["stoppedAt"] < yard.read("giant-2")["status"]["stoppedAt"]
