"""A node that refuses pods gets no more of them for a while, and is replaced if it is ours and nothing runs there."""

from __future__ import annotations

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Launch, Retire
from batchyard.world.store import Store
from builders import (
    NOW,
    RUNS,
    environment,
    failed,
    job,
    newer,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    started,
    store,
    succeeded,
)

WHY = {"reason": "UnexpectedAdmissionError", "message": "no devices", "containers": ()}


def refused(known: Store, count: int, on: str = "n1", **why: Any) -> None:
    for number in range(count):
        owner = job(f"r{on}{number}", retry={"attempts": 2})
        known.apply(owner)
        known.apply(failed(owner, 1, on=on, created=NOW, **{**WHY, **why}))


def where(known: Store, now: float = NOW + 1) -> list[str]:
    """Where a job goes that has no bad memories of any node."""
    known.apply(job("fresh"))
    return [on for name, on in started(decide(known, now)) if name == "fresh-1"]


def test_four_refusals_are_nothing() -> None:
    known = store(*pool_of("n1"))
    refused(known, 4)
    assert where(known) == ["n1"]


def test_the_fifth_in_a_row_and_it_gets_no_more() -> None:
    known = store(*pool_of("n1", "n2"))
    refused(known, 5)
    assert where(known) == ["n2"]


@pytest.mark.parametrize("reason", ["Evicted", "Preempting", "Shutdown"])
def test_what_was_put_out_was_not_refused(reason: str) -> None:
    known = store(*pool_of("n1"))
    refused(known, 5, reason=reason)
    assert where(known) == ["n1"]


def test_a_pod_that_starts_makes_up_for_all_before_it() -> None:
    known = store(*pool_of("n1"))
    refused(known, 4)
    good = job("good")
    known.apply(good)
    known.apply(succeeded(good, on="n1"))
    refused(known, 4)
    assert where(known) == ["n1"]


def test_the_same_pod_is_counted_once() -> None:
    known = store(*pool_of("n1"))
    for _ in range(5):
        refused(known, 1)
    assert where(known) == ["n1"]


def test_a_machine_of_ours_is_replaced_and_blamed() -> None:
    known = store(*pool_of("n1", max_vcpus=16))
    refused(known, 5)
    plan = decide(known, NOW + 1)
    retire = only(plan, Retire)
    assert (retire.machine, retire.fault) == ("n1", True)
    assert retire.reason == "has refused 5 pods in a row: UnexpectedAdmissionError: no devices"
    assert len(of(plan, Launch)) == 1


def test_but_not_while_a_job_runs_there() -> None:
    known = store(*pool_of("n1", max_vcpus=16))
    runs = job("runs", {"phase": "Running"})
    known.apply(runs)
    refused(known, 5)
    known.apply(pod(runs, on="n1", **RUNS))
    assert where(known) == []
    assert of(decide(known, NOW + 1), Retire) == []


def test_a_node_of_somebody_else_is_tried_again_after_five_minutes() -> None:
    mine = environment(managed=False, provider="", shapes=(), selector={"pool": "batch"}, max_vcpus=0)
    theirs = newer(node("n1"), labels={"pool": "batch"}, environment="", taints=())
    known = store(mine, queue(), theirs)
    refused(known, 5)
    assert where(known, NOW + 299) == []
    assert where(known, NOW + 300) == [""]
