"""Idle nodes make way for the first that waits, at once and only where that helps."""

from __future__ import annotations

from typing import Any

from batchyard.decide import decide
from batchyard.model.machine import MachineState, Shape
from batchyard.model.plan import Launch, Plan, Retire
from batchyard.model.resources import read
from batchyard.world.notes import Refusal
from batchyard.world.store import Store
from builders import C2, NOW, decided, environment, job, machine, node, of, pod, queue, running, status, store, template

C1 = Shape("c1", read({"cpu": "1", "memory": "4Gi"}, pods=110), "0.05")
BIG = template("2")


def pool(*names: str, shape: Shape = C1, most: int = 0, **fields: Any) -> list[Any]:
    """Return an environment at its maxVCpus: its nodes are ready, and none has been idle for long."""
    view = environment(shapes=(C1, C2), max_vcpus=most or len(names), **{"scale_down_delay": 60.0, **fields})
    fresh = {"ready_changed": NOW - 5, "created": NOW - 9}
    return [view, queue(), *(machine(n, shape) for n in names), *(node(n, shape, **fresh) for n in names)]


def gone(plan: Plan) -> list[str]:
    return [verb.machine for verb in of(plan, Retire)]


def later(known: Store, plan: Plan) -> Plan:
    """Let what the plan retires be on its way out, and decide again."""
    for name in gone(plan):
        known.retire(name, "makes way")
    return decide(known, NOW + 1)


def test_so_many_idle_nodes_go_as_the_new_one_needs() -> None:
    plan = decided(*pool("n1", "n2", "n3"), job(template=BIG))
    assert gone(plan) == ["n1", "n2"]
    assert {verb.reason for verb in of(plan, Retire)} == {"makes way for a node for job, which waits first"}


def test_the_job_says_so() -> None:
    known = store(*pool("n1", "n2"), job(template=BIG))
    known.noted.update(decide(known, NOW).notes)
    told = status(decide(known, NOW + 2))
    assert told["reason"] == "AtMaxVCpus"
    assert told["message"].endswith("has 0 of 2 vCPUs left to add; 2 idle nodes make way")


def test_no_more_go_while_these_are_on_their_way_out() -> None:
    known = store(*pool("n1", "n2", "n3", "n4"), job(template=BIG))
    plan = decide(known, NOW)
    assert len(gone(plan)) == 2
    assert not gone(later(known, plan))


def test_once_they_are_gone_the_node_comes() -> None:
    plan = decided(*pool("n3", most=3), job(template=BIG))
    assert [verb.order.shape.name for verb in of(plan, Launch)] == ["c2"]


def test_nobody_goes_in_vain() -> None:
    others = [job("a", template=template("1")), job("b", template=template("1"))]
    busy = [pod(other, on=on, containers=(running(NOW - 5),)) for other, on in zip(others, ("n1", "n2"), strict=True)]
    assert not gone(decided(*pool("n1", "n2", "n3"), *others, *busy, job(template=BIG)))
    assert not gone(decided(*pool("n1", "n2"), job(template=template("5"))))
    assert not gone(decided(*pool("n1", "n2"), job(template=template("1"))))


def test_a_node_that_somebody_takes_in_this_decision_stays() -> None:
    small = job("first", template=template("1"), priority=9)
    plan = decided(*pool("n1", "n2", "n3"), small, job(template=BIG))
    assert len(gone(plan)) == 2
    assert "n1" not in gone(plan)


def test_none_goes_for_a_shape_that_the_provider_has_not() -> None:
    known = store(*pool("n1", "n2"), job(template=BIG))
    known.unavailable["pool", "c2"] = Refusal("InsufficientCapacity", "none left", NOW + 99)
    assert not gone(decide(known, NOW))


def test_the_first_environment_that_can_makes_way_and_no_other() -> None:
    second = environment("other", shapes=(C1, C2), max_vcpus=2)
    fresh = {"ready_changed": NOW - 5, "created": NOW - 9}
    nodes = [
        view for n in ("m1", "m2") for view in (machine(n, C1, environment="other"), node(n, C1, "other", **fresh))
    ]
    things = [*pool("n1", "n2"), queue(environments=("pool", "other")), second, *nodes]
    assert gone(decided(*things, job(template=BIG))) == ["n1", "n2"]


def test_the_minimum_does_not_take_the_place_that_was_made() -> None:
    known = store(*pool("n1", "n2", "n3", most=4, min_vcpus=3), job(template=BIG))
    plan = decide(known, NOW)
    assert gone(plan) == ["n1"]
    assert not of(later(known, plan), Launch)


def test_a_multi_node_job_keeps_the_nodes_that_it_will_use() -> None:
    groups = [{"nodes": "0", "template": template("1")}, {"nodes": "1", "template": BIG}]
    plan = decided(*pool("n1", "n2", "n3"), job(multiNode={"nodes": 2, "groups": groups}))
    assert len(gone(plan)) == 2


def test_a_reclaimed_machine_counts_as_gone() -> None:
    things = pool("n1", "n2", most=2)
    things[2] = machine("n1", C1, state=MachineState.Interrupted)
    assert gone(decided(*things, job(template=BIG))) == ["n1", "n2"]
