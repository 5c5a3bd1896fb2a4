"""Who may pass the first that waits, and who may not; and queues where nobody may."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Launch
from batchyard.model.resources import Resources
from batchyard.world.views import Job, Pod
from builders import (
    C2,
    C8,
    NOW,
    decided,
    environment,
    job,
    machine,
    node,
    of,
    pod,
    pool_of,
    queue,
    running,
    started,
    status,
    store,
    template,
)


def runs(name: str, cpu: int, timeout: int | None, on: str = "n1", since: float = 0.0) -> Pod:
    """Return a pod that has been running for `since` seconds."""
    return pod(name, on=on, requests=Resources(cpu=cpu * 1000, memory=2**20, pods=1), timeout=timeout,
               created=NOW - since, containers=(running(NOW - since),))  # fmt: skip


def wants(name: str, cpu: int, timeout: int | None = None, **spec: Any) -> Job:
    limit = {"timeout": {"attemptDurationSeconds": timeout}} if timeout else {}
    return job(name, template=template(str(cpu), "1Mi"), **limit, **spec)


def first(cpu: int = 8, **spec: Any) -> Job:
    """Return the job that stands first in line."""
    return wants("first", cpu, priority=9, **spec)


def names_of(*things: Any) -> list[str]:
    return [name.removesuffix("-1") for name, _ in started(decided(*things))]


# n1 is free for the first after 600 s; of n2 four vCPUs are free now and all after 1000 s.
SCENE = [*pool_of("n1", "n2", max_vcpus=16), runs("a", 6, 600), runs("b", 4, 1000, on="n2")]


class TestPassing:
    @pytest.mark.parametrize(
        ("timeout", "grace", "passes"),
        [(None, 30, False), (540, 30, True), (541, 30, False), (560, 10, True), (100, 30, True), (530, 41, False)],
    )
    def test_on_the_reserved_node_who_ends_in_time_with_half_a_minute_to_start_and_his_grace(
        self, timeout: int | None, grace: int, passes: bool
    ) -> None:
        things = [*pool_of("n1", max_vcpus=8), runs("a", 6, 600), first()]
        limit = {"timeout": {"attemptDurationSeconds": timeout}} if timeout else {}
        late = job("late", template=template("2", "1Mi", terminationGracePeriodSeconds=grace), **limit)
        assert names_of(*things, late) == (["late"] if passes else [])

    def test_on_another_node_whoever_fits(self) -> None:
        assert started(decided(*SCENE, first(), wants("late", 4))) == [("late-1", "n2")]

    def test_on_the_reserved_node_for_ever_what_the_first_leaves(self) -> None:
        things = [*pool_of("n1", max_vcpus=8), runs("a", 6, 600), first(6)]
        assert names_of(*things, wants("late", 2)) == ["late"]
        assert names_of(*things, wants("x", 1), wants("y", 1), wants("z", 1)) == ["x", "y"]
        assert names_of(*things, wants("large", 3)) == []

    def test_time_that_has_run_counts(self) -> None:
        things = [*pool_of("n1", max_vcpus=8), runs("a", 6, 600, since=500), first()]
        assert names_of(*things, wants("late", 2, 60)) == []

    def test_a_pod_that_starts_is_expected_to_end_its_timeout_after_its_creation(self) -> None:
        starts = pod("a", requests=Resources(cpu=6000, memory=2**20, pods=1), timeout=600)
        assert names_of(*pool_of("n1", max_vcpus=8), starts, first(), wants("late", 2, 540)) == ["late"]

    def test_nobody_where_an_end_is_not_known(self) -> None:
        things = [*pool_of("n1", max_vcpus=8), runs("a", 6, None), first()]
        assert names_of(*things, wants("late", 2, 60)) == []

    def test_nobody_behind_what_only_kube_scheduler_can_place(self) -> None:
        spread = {"topologySpreadConstraints": [{"maxSkew": 1}]}
        head = job("first", priority=9, template=template("8", "1Mi", **spread))
        assert names_of(*SCENE, head, wants("late", 2, 60)) == []

    def test_what_kube_scheduler_places_must_end_in_time_wherever_it_goes(self) -> None:
        spread = {"topologySpreadConstraints": [{"maxSkew": 1}]}
        for timeout, passes in ((500, True), (700, False)):
            late = job("late", template=template("2", "1Mi", **spread), timeout={"attemptDurationSeconds": timeout})
            assert names_of(*SCENE, first(), late) == (["late"] if passes else [])

    def test_what_was_started_in_the_same_decision_counts(self) -> None:
        quick = wants("quick", 6, 600, priority=10)
        things = [*pool_of("n1", max_vcpus=8), quick, first()]
        assert names_of(*things, wants("late", 2, 500)) == ["quick", "late"]
        assert names_of(*things, wants("late", 2, 700)) == ["quick"]

    def test_no_node_is_launched_past_the_first(self) -> None:
        things = [environment(max_vcpus=12, shapes=(C8, C2)), queue(), machine(), node(), runs("a", 6, 600), first()]
        plan = decided(*things, wants("late", 4, 60))
        assert not started(plan)
        assert not of(plan, Launch)

    def test_a_node_that_is_about_to_make_way_is_not_kept_busy(self) -> None:
        small = [machine("s", C2), node("s", C2)]
        things = [queue(), machine(), node(), *small, runs("a", 8, 600), first(), wants("late", 2, 60)]
        assert names_of(environment(max_vcpus=10, shapes=(C8, C2)), *things) == ["late"], "8 vCPUs more never come"
        # Without the small node's vCPUs there is room for a large one, so it is left to go.
        assert names_of(environment(max_vcpus=16, shapes=(C8, C2)), *things) == []
        # Until that node's own pods end, others may come and go beside them.
        busy = [environment(max_vcpus=16, shapes=(C8, C2)), *things[:-1], runs("b", 1, 300, on="s")]
        assert names_of(*busy, wants("late", 1, 200)) == ["late"]
        assert names_of(*busy, wants("late", 1, 300)) == []

    def test_max_vcpus_of_nodes_that_others_own(self) -> None:
        own = environment(managed=False, max_vcpus=6, selector={"own": "y"}, shapes=(), provider="", finalizers=())
        theirs = node("n1", C8, env="", labels={"own": "y"}, taints=())
        things = [own, queue(), theirs, runs("a", 3, 600), first(4)]
        assert names_of(*things, wants("late", 3, 500)) == ["late"]
        assert names_of(*things, wants("late", 3, 700)) == [], (
            "at 600 s 6 vCPUs may be used, and 4 of them are spoken for"
        )
        assert names_of(*things, wants("late", 2, 500)) == ["late"]

    def test_those_who_may_not_are_told_for_whom_and_how_long(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), runs("a", 6, 600), first(), wants("late", 2))
        known.noted.update(decide(known, NOW).notes)
        said = status(decide(known, NOW + 2), "late")
        assert said["reason"] == "BehindOthers"
        assert "first waits for room there first, until 2027-01-15T08:10:00Z at the latest" in said["message"]


class TestStrict:
    STRICT = (environment(max_vcpus=8), queue(strategy="StrictFIFO"), machine(), node())

    def test_nobody_starts_before_the_first(self) -> None:
        assert names_of(*self.STRICT, runs("a", 6, 600), first(), wants("late", 2, 60)) == []

    def test_nor_in_another_environment_of_the_queue(self) -> None:
        other = [
            environment("other", capacity_type="Spot"),
            machine("n9", environment="other"),
            node("n9", env="other"),
        ]
        things = [*self.STRICT, *other, runs("a", 6, 600), first(capacityType="OnDemand"), wants("late", 2)]
        things[1] = queue(strategy="StrictFIFO", environments=("pool", "other"))
        assert names_of(*things) == []
        things[1] = queue(environments=("pool", "other"))
        assert names_of(*things) == ["late"]

    def test_nor_while_the_first_waits_for_its_node_but_nodes_come_for_all(self) -> None:
        things = [environment(max_vcpus=64), queue(strategy="StrictFIFO"), machine(), node(), runs("a", 6, 600)]
        plan = decided(*things, first(), wants("second", 2), wants("third", 8))
        assert not started(plan)
        assert len(of(plan, Launch)) == 2

    def test_nor_behind_one_that_can_never_start(self) -> None:
        known = store(*self.STRICT, first(99), wants("late", 1))
        known.noted.update(decide(known, NOW).notes)
        said = status(decide(known, NOW + 2), "late")
        assert (said["reason"], said["message"]) == (
            "BehindOthers",
            "JobQueue 'default' is StrictFIFO and first comes first, which waits for room (JobTooLarge)",
        )

    def test_other_queues_are_not_bound_by_it(self) -> None:
        things = [*self.STRICT, queue("loose"), runs("a", 6, 600), first(), wants("late", 2, 60, queue="loose")]
        assert names_of(*things) == ["late"]

    def test_in_order_all_start(self) -> None:
        assert names_of(*self.STRICT, first(2), wants("b", 2), wants("c", 2)) == ["first", "b", "c"]
