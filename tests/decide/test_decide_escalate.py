"""Spot first: when a job may use on-demand environments, which rule says so, and what it is told meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import Taint
from batchyard.model.plan import Launch, Record
from batchyard.world import parse
from batchyard.world.specs import SpotFirst
from batchyard.world.store import Store
from builders import (
    C2,
    C8,
    NOW,
    RUNS,
    attempt,
    decided,
    environment,
    failed,
    job,
    machine,
    newer,
    node,
    of,
    pod,
    queue,
    started,
    status,
    stopped,
    store,
    succeeded,
    template,
    told,
)

SPOT = environment("spot", capacity_type="Spot", max_vcpus=4, shapes=(C2,))
DEMAND = environment("demand", max_vcpus=80, shapes=(C8,))
NOTICE = Taint(names.INTERRUPTED)
RULES = SpotFirst(max_wait_seconds=300, max_interruptions=2)


def at(seconds: float) -> str:
    return parse.rfc3339(NOW + seconds)


def submitted(name: str = "job", ago: float = 0.0, **spec: Any) -> Any:
    return job(name, meta={"creationTimestamp": at(-ago)}, **spec)


def world(*things: Any, spot: SpotFirst | None = RULES, among: tuple[str, ...] = ("spot", "demand")) -> Store:
    """Return a store in which spot is full, and a queue that tries it first."""
    taken: list[Any] = []
    for name in ("s1", "s2"):
        holder = job(f"on-{name}", {"phase": "Running"}, queue="other")
        full = pod(holder, on=name, environment="spot", requests=C2.resources, **RUNS)
        taken += [machine(name, C2, environment="spot"), node(name, C2, env="spot"), holder, full]
    return store(SPOT, DEMAND, queue("other", ("spot",)), queue(environments=among, spot=spot), *taken, *things)


def launched(known: Store, now: float = NOW) -> list[str]:
    return [verb.order.environment for verb in of(decide(known, now), Launch)]


class TestWait:
    def test_without_a_rule_the_next_environment_is_used_at_once(self) -> None:
        assert launched(world(submitted(), spot=None)) == ["demand"]

    def test_a_job_waits_for_spot_and_is_told_when_it_may_leave(self) -> None:
        known = world(submitted(ago=10))
        assert launched(known) == []
        said = told(known)
        assert said["reason"] == "AtMaxVCpus"
        assert "'demand' is on-demand, which is for later: after 300 s of waiting or 2 interruptions" in said["message"]
        assert [(e["name"], e["verdict"]) for e in said["waiting"]["environments"]] == [
            ("spot", "AtMaxVCpus"), ("demand", "SpotFirst"),
        ]  # fmt: skip

    def test_it_is_judged_again_when_the_time_has_come(self) -> None:
        known = world(submitted(ago=10))
        wake = decide(known, NOW).wake
        assert wake is not None
        assert wake <= NOW + 290
        assert launched(known, NOW + 289) == []
        assert launched(known, NOW + 290) == ["demand"]

    def test_spot_comes_first_whatever_the_order_of_the_queue(self) -> None:
        assert launched(world(submitted(ago=10), among=("demand", "spot"))) == []

    def test_the_rule_is_told(self) -> None:
        known = world(submitted(ago=301))
        said = told(known)
        assert said["escalatedBy"] == "MaxWaitSeconds"
        assert (
            "it may use on-demand: it waited 300 s for spot (spec.spot.maxWaitSeconds of JobQueue 'default')"
            in (said["message"])
        )

    def test_the_time_counts_from_the_end_of_the_latest_attempt(self) -> None:
        entry = attempt(1, stoppedAt=at(-5), startedAt=at(-10), pod="job-1")
        tried = job("job", {"phase": "Runnable", "attempts": [entry]}, {"creationTimestamp": at(-900)},
                    retry={"attempts": 3})  # fmt: skip
        assert launched(world(tried)) == []
        assert launched(world(tried), NOW + 295) == ["demand"]

    def test_and_from_the_end_of_what_it_depended_on(self) -> None:
        first = job("first", {"phase": "Succeeded", "stoppedAt": at(-5)}, {"creationTimestamp": at(-900)})
        known = world(first, submitted(ago=900, dependsOn=[{"job": "first"}]))
        assert launched(known) == []
        assert launched(known, NOW + 295) == ["demand"]

    def test_once_open_it_stays_open(self) -> None:
        entry = attempt(1, stoppedAt=at(-5), startedAt=at(-10), pod="job-1")
        tried = job("job", {"phase": "Runnable", "attempts": [entry], "escalatedBy": "MaxWaitSeconds"},
                    retry={"attempts": 3})  # fmt: skip
        assert launched(world(tried)) == ["demand"]


class TestInterruptions:
    def tried(self, *reasons: str, **fields: Any) -> Any:
        entries = [
            attempt(number, reason, stoppedAt=at(-1), startedAt=at(-9), pod=f"job-{number}", **fields)
            for number, reason in enumerate(reasons, 1)
        ]
        return job("job", {"phase": "Runnable", "attempts": entries}, retry={"attempts": 5})

    @pytest.mark.parametrize(
        ("reasons", "where"),
        [
            (["Interrupted"], []),
            (["Interrupted", "NodeLost"], []),
            (["Error", "Interrupted"], []),
            (["Interrupted", "Error", "Interrupted"], ["demand"]),
            (["Interrupted", "NodeReplaced"], []),
        ],
    )
    def test_so_many_open_on_demand(self, reasons: list[str], where: list[str]) -> None:
        assert launched(world(self.tried(*reasons))) == where

    @pytest.mark.parametrize(
        ("what", "where"),
        [
            ({"capacityType": "Spot"}, ["demand"]),
            ({"capacityType": "Spot", "message": "node s1 has a notice"}, ["demand"]),
            ({"capacityType": "OnDemand"}, []),
        ],
    )
    def test_only_what_spot_took_counts(self, what: dict[str, str], where: list[str]) -> None:
        assert launched(world(self.tried("Interrupted", "Interrupted", **what))) == where

    @pytest.mark.parametrize(("why", "where"), [("Interrupted", ["demand"]), ("NodeReplaced", [])])
    def test_an_update_that_ends_a_pod_is_told_from_a_reclaim(self, why: str, where: list[str]) -> None:
        parent = self.tried("Interrupted", capacityType="Spot")
        stop = stopped(why, message="node s1 goes")
        last = failed(parent, 2, stop=stop, environment="spot", on="s1")
        assert launched(world(parent, last)) == where

    def test_the_rule_is_told(self) -> None:
        said = told(world(self.tried("Interrupted", "Interrupted")))
        assert said["escalatedBy"] == "MaxInterruptions"
        assert "spot took its node 2 times" in said["message"]

    def test_children_of_an_array_are_counted_one_by_one(self) -> None:
        parent = job("many", {"phase": "Running"}, array={"size": 2}, retry={"attempts": 3})
        lost = [
            failed(parent, number, reason="Shutdown", disrupted="TerminationByKubelet", index=1, uid=f"p{number}",
                   name=f"many-1-{number}", environment="spot", on="s1")
            for number in (1, 2)
        ]  # fmt: skip
        known = world(parent, *lost)
        (launch,) = of(decide(known, NOW), Launch)
        assert launch.order.environment == "demand"
        asked = [(ask.indexes, ask.needs.capacity_type) for ask in known.memo["uid-many"].asks]
        assert asked == [(0b10, "Any"), (0b01, "SpotFirst")]


class TestDeadline:
    def ended(self, name: str, seconds: float) -> Any:
        entry = attempt(1, "Completed", startedAt=at(-2000), stoppedAt=at(-2000 + seconds), pod=f"{name}-1")
        return job(name, {"phase": "Succeeded", "attempts": [entry], "stoppedAt": at(-2000 + seconds)})

    def test_on_demand_opens_when_less_is_left_than_nine_of_ten_ran(self) -> None:
        past = [self.ended(f"e{number}", 100 + number) for number in range(10)]
        known = world(*past, submitted(deadlineSeconds=600), spot=SpotFirst(max_interruptions=2))
        assert launched(known, NOW + 490) == []
        assert launched(known, NOW + 491) == ["demand"]
        said = told(known, now=NOW + 500)
        assert said["escalatedBy"] == "Deadline"
        assert "the 600 s of spec.deadlineSeconds leave no time to wait for spot" in said["message"]

    def test_where_nothing_of_its_kind_has_run_its_timeout_counts(self) -> None:
        late = submitted(deadlineSeconds=600, timeout={"attemptDurationSeconds": 400})
        known = world(late, spot=SpotFirst(max_interruptions=2))
        assert launched(known, NOW + 199) == []
        assert launched(known, NOW + 200) == ["demand"]


class TestWhere:
    @pytest.mark.parametrize(
        ("wish", "where"), [("OnDemand", ["demand"]), ("Spot", []), ("Any", [])]
    )  # fmt: skip
    def test_what_a_job_asks_for_goes_before_the_rule(self, wish: str, where: list[str]) -> None:
        assert launched(world(submitted(capacityType=wish))) == where

    def test_what_no_spot_node_can_ever_take_does_not_wait_for_one(self) -> None:
        assert launched(world(submitted(template=template("4")))) == ["demand"]

    def test_a_queue_without_spot_environments_waits_for_none(self) -> None:
        assert launched(world(submitted(), among=("demand",))) == ["demand"]

    def test_disabled_spot_is_not_waited_for(self) -> None:
        off = environment("spot", capacity_type="Spot", max_vcpus=2, shapes=(C2,), state="Disabled")
        assert [v.order.environment for v in of(decided(off, DEMAND, submitted(),
                queue(environments=("spot", "demand"), spot=RULES)), Launch)] == ["demand"]  # fmt: skip

    def test_a_multi_node_job_waits_as_a_whole(self) -> None:
        gang = submitted(multiNode={"nodes": 2, "groups": [{"nodes": "0:"}]}, ago=10)
        assert launched(world(gang)) == []
        assert launched(world(gang), NOW + 290) != []


class TestReclaimed:
    OTHER = environment("other", capacity_type="Spot", max_vcpus=8, shapes=(C2,))
    BOTH = queue(environments=("spot", "other"), spot=RULES)

    def test_a_pool_that_was_just_reclaimed_is_tried_last(self) -> None:
        known = store(SPOT, self.OTHER, self.BOTH, machine("s1", C2, environment="spot"), node("s1", C2, env="spot"))
        known.apply(newer(known.nodes["s1"], taints=(NOTICE,)))
        decide(known, NOW)
        known.apply(submitted())
        assert launched(known, NOW + 299) == ["other"]

    def test_and_five_minutes_later_it_is_not(self) -> None:
        known = store(SPOT, self.OTHER, self.BOTH, machine("s1", C2, environment="spot"), node("s1", C2, env="spot"))
        known.apply(newer(known.nodes["s1"], taints=(NOTICE,)))
        decide(known, NOW)
        known.apply(submitted())
        assert launched(known, NOW + 300) == ["spot"]

    def test_on_demand_comes_after_it_all_the_same(self) -> None:
        both = queue(environments=("demand", "spot"), spot=RULES)
        known = store(SPOT, DEMAND, both, machine("s1", C2, environment="spot"), node("s1", C2, env="spot"))
        known.apply(newer(known.nodes["s1"], taints=(NOTICE,)))
        known.apply(submitted())
        assert launched(known) == ["spot"]


def test_a_job_that_ran_on_demand_says_by_which_rule_though_nothing_was_written_before() -> None:
    late = job("job", meta={"creationTimestamp": at(-400)})
    ready = (machine("d1", C8, environment="demand"), node("d1", C8, env="demand"))
    known = world(late, *ready)
    assert started(decide(known, NOW)) == [("job-1", "d1")]
    known.apply(succeeded(late, 1, NOW + 5, on="d1", environment="demand", created=NOW))
    plan = decide(known, NOW + 6)
    assert "uid-job" in [verb.job for verb in of(plan, Record)]
    assert status(plan)["escalatedBy"] == "MaxWaitSeconds"
