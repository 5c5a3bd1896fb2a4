"""How pools grow and shrink."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import MachineState, Shape, Taint
from batchyard.model.plan import Launch, Plan, Retire, Unregister
from batchyard.model.resources import read
from batchyard.world.notes import Refusal
from builders import (
    C2,
    C8,
    NOW,
    attempt,
    decided,
    environment,
    failed,
    foreign,
    job,
    machine,
    newer,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    started,
    status,
    store,
    succeeded,
    template,
)

IDLE = NOW - 90 + 60  # ready_changed of a node and the delay


def launched(plan: Plan) -> list[str]:
    return [launch.order.shape.name for launch in of(plan, Launch)]


def retired(plan: Plan) -> dict[str, str]:
    return {verb.machine: verb.reason for verb in of(plan, Retire)}


OURS = "pool-kz1c2d3e-0"  # a name as we give it


class TestGrow:
    def test_from_zero_for_admissible_jobs_only(self) -> None:
        assert launched(decided(environment(), queue(), job())) == ["c8"]
        for blocked in (job(queue="none"), job(template=template("99")), job(stop={"mode": "Cancel"})):
            assert launched(decided(environment(), queue(), blocked)) == []

    def test_the_order_says_everything_that_a_provider_needs(self) -> None:
        view = environment(
            labels={"disk": "fast"}, taints=(Taint("gpu"),), settings={"image": "x"}, capacity_type="Spot"
        )
        order = only(decided(view, queue(), job(template=template(tolerations=[{"operator": "Exists"}]))), Launch).order
        assert (order.environment, order.provider, order.shape, order.capacity_type) == ("pool", "docker", C8, "Spot")
        assert order.settings == {"image": "x"}
        assert order.taints == (Taint(names.ENVIRONMENT, "pool"), Taint("gpu"))
        assert order.labels["disk"] == "fast"
        assert order.labels[names.ENVIRONMENT] == "pool"
        assert order.labels[names.CAPACITY_TYPE] == "Spot"

    @pytest.mark.parametrize(
        ("sizes", "shapes"),
        [
            (["1"], ["c2"]), (["2", "2"], ["c2", "c2"]), (["3"], ["c8"]), (["1"] * 8, ["c2"] * 4), (["4", "4"], ["c8"]),
        ],
    )  # fmt: skip
    def test_the_cheapest_shape_for_the_work_that_waits(self, sizes: list[str], shapes: list[str]) -> None:
        cheap = Shape("c2", C2.resources, "0.05")
        jobs = [job(f"j{i}", template=template(cpu)) for i, cpu in enumerate(sizes)]
        assert launched(decided(environment(shapes=(C8, cheap)), queue(), *jobs)) == shapes

    def test_a_large_node_wins_when_it_is_cheaper_for_all_that_waits(self) -> None:
        jobs = [job(f"j{i}") for i in range(8)]
        dear = Shape("c2", C2.resources, "0.10")
        assert launched(decided(environment(shapes=(dear, C8)), queue(), *jobs)) == ["c8"]

    def test_spot_environments_compare_spot_prices(self) -> None:
        a = Shape("a", C8.resources, "1", "0.9")
        b = Shape("b", C8.resources, "2", "0.1")
        assert launched(decided(environment(shapes=(a, b), capacity_type="Spot"), queue(), job())) == ["b"]
        assert launched(decided(environment(shapes=(a, b)), queue(), job())) == ["a"]

    @pytest.mark.parametrize(("limit", "count"), [(7, 0), (8, 1), (16, 2), (23, 2)])
    def test_max_vcpus_is_never_exceeded(self, limit: int, count: int) -> None:
        jobs = [job(f"j{i}", template=template("8")) for i in range(4)]
        assert len(launched(decided(environment(max_vcpus=limit), queue(), *jobs))) == count

    def test_machines_on_their_way_and_on_their_way_out_count(self) -> None:
        coming = machine("a", state=MachineState.Launching, launched_at=NOW)
        known = store(environment(max_vcpus=16), queue(), coming, machine("b"), node("b"))
        known.retire("b", "idle")
        for index in range(2):
            known.apply(job(f"j{index}", template=template("8")))
        assert launched(decide(known, NOW)) == []

    def test_a_shape_that_could_not_be_had_is_passed_over_for_a_while(self) -> None:
        known = store(environment(shapes=(C2, C8)), queue(), job())
        known.unavailable["pool", "c2"] = Refusal("InsufficientCapacity", "none left", NOW + 100)
        assert launched(decide(known, NOW)) == ["c8"]
        assert launched(decide(known, NOW + 100)) == ["c2"]

    def test_when_none_can_be_had_the_job_is_told_the_providers_words(self) -> None:
        known = store(environment(), queue(), job())
        known.unavailable["pool", "c8"] = Refusal("InsufficientCapacity", "none left in this zone", NOW + 100)
        plan = decide(known, NOW)
        known.noted.update(plan.notes)
        said = status(decide(known, NOW + 2))
        assert said["reason"] == "InsufficientCapacity"
        assert "could not get a node of c8: none left in this zone" in said["message"]
        assert plan.wake == NOW + 1 or plan.wake == NOW + 2

    def test_no_job_grows_a_pool_beyond_what_daemons_leave(self) -> None:
        known = store(*pool_of("n1"), foreign("proxy", cpu=500), job(template=template("8")))
        assert launched(decide(known, NOW)) == []

    def test_names_are_never_used_twice(self) -> None:
        known = store(
            environment(shapes=(C2,)), queue(), job("a", template=template("2")), job("b", template=template("2"))
        )
        first = [launch.order.name for launch in of(decide(known, NOW), Launch)]
        known.machines[first[0]] = machine(first[0], C2, state=MachineState.Launching, launched_at=NOW)
        second = [launch.order.name for launch in of(decide(known, NOW), Launch)]
        assert len({*first}) == 2
        assert first[0] not in second
        long = "a" * 50
        assert len(only(decided(environment(long), queue(environments=(long,)), job()), Launch).order.name) <= 63

    @pytest.mark.parametrize("fields", [{"state": "Disabled"}, {"invalid": "x"}, {"deleting": NOW}, {"managed": False}])
    def test_an_environment_that_is_closed_does_not_grow(self, fields: dict[str, Any]) -> None:
        assert launched(decided(environment(min_vcpus=8, **fields), queue(), job())) == []

    @pytest.mark.parametrize("before_ready", [[], [foreign("proxy")]], ids=["bare", "with a daemon"])
    def test_a_node_that_is_not_ready_yet_is_waited_for(self, before_ready: list[Any]) -> None:
        coming = node(ready=False, ready_changed=NOW - 30, created=NOW - 30)
        plan = decided(environment(), queue(), machine(launched_at=NOW - 40), coming, *before_ready, job())
        assert launched(plan) == []
        assert retired(plan) == {}


class TestMinimum:
    def test_it_is_launched_and_kept(self) -> None:
        assert launched(decided(environment(min_vcpus=10, shapes=(C2, C8)))) == ["c8", "c2"]
        assert retired(decided(environment(min_vcpus=8), machine(), node(), now=NOW + 999)) == {}

    def test_only_what_is_above_it_goes(self) -> None:
        things = [environment(min_vcpus=8), *(machine(n) for n in ("a", "b", "c")), *(node(n) for n in ("a", "b", "c"))]
        assert len(retired(decided(*things, now=NOW + 999))) == 2

    def test_what_is_on_its_way_out_does_not_count(self) -> None:
        known = store(environment(min_vcpus=8), machine("a"), machine("b"), node("a"), node("b"))
        known.retire("a", "idle")
        assert retired(decide(known, NOW + 999)) == {}
        known.retire("b", "idle")
        assert launched(decide(known, NOW)) == ["c8"]

    def test_it_never_goes_beyond_the_maximum(self) -> None:
        assert launched(decided(environment(min_vcpus=20, max_vcpus=20))) == ["c8", "c8"]


class TestShrink:
    def test_an_idle_node_goes_after_the_delay(self) -> None:
        known = store(environment(), machine(), node())
        assert retired(decide(known, IDLE - 1)) == {}
        assert decide(known, IDLE - 1).wake == IDLE
        assert retired(decide(known, IDLE)) == {"n1": "was idle for 60 s"}

    def test_the_delay_counts_from_the_end_of_the_last_job(self) -> None:
        done = job(status={"phase": "Succeeded", "stoppedAt": "2027-01-15T08:00:00Z"})
        known = store(environment(), machine(), node(), succeeded(finished=NOW), done)
        assert retired(decide(known, NOW + 59)) == {}
        assert "n1" in retired(decide(known, NOW + 60))

    def test_a_node_with_work_stays_whatever_daemons_do(self) -> None:
        assert retired(decided(environment(), machine(), node(), pod(), job(), now=NOW + 9999)) == {}
        assert retired(decided(environment(), machine(), node(), foreign("proxy"), now=NOW + 9999)) != {}

    def test_a_node_that_a_job_waits_for_stays(self) -> None:
        waits = {"retry": {"attempts": 2, "backoff": {"initialSeconds": 5}}}
        known = store(*pool_of("n1"), job("big", template=template("8"), **waits))
        assert retired(decide(known, NOW + 999)) == {}

    def test_a_node_whose_pods_ends_are_not_on_record_stays_until_they_are(self) -> None:
        known = store(*pool_of("n1"), job(), view := failed(finished=NOW - 100))
        assert retired(decide(known, NOW + 999)) == {}
        known.apply(newer(job(), status=job(status={"phase": "Failed", "attempts": [attempt()]}).status))
        assert view.name not in {p.name for p in known.pods.values()}
        assert "n1" in retired(decide(known, NOW + 999))

    def test_a_node_is_retired_once(self) -> None:
        known = store(environment(), machine(), node())
        known.retire("n1", "was idle")
        assert retired(decide(known, NOW + 999)) == {}

    def test_a_disabled_environment_shrinks_and_a_deleted_one_at_once(self) -> None:
        assert retired(decided(environment(state="Disabled"), machine(), node(), now=NOW)) != {}
        assert retired(decided(environment(deleting=NOW, min_vcpus=8, scale_down_delay=900.0), machine(), node())) != {}

    def test_a_failed_machine_goes_at_once(self) -> None:
        plan = decided(environment(), machine(state=MachineState.Failed, message="boom"), node(), pod(), job())
        assert retired(plan) == {"n1": "has failed: boom"}

    def test_a_node_that_is_never_ready_is_replaced(self) -> None:
        things = [environment(node_start_timeout=300.0), queue(), machine(launched_at=NOW - 299)]
        plan = decided(*things, job())
        assert retired(plan) == {}
        assert plan.wake is not None
        assert plan.wake <= NOW + 1
        known = store(*things, job())
        assert retired(decide(known, NOW + 1)) == {"n1": "was not Ready within 300 s"}
        known.retire("n1", "was not Ready within 300 s")
        assert launched(decide(known, NOW + 1)) == ["c8"]

    @pytest.mark.parametrize(("capacity_type", "patience"), [("Spot", 5), ("OnDemand", 60)])
    def test_a_node_that_stopped_answering_is_given_up(self, capacity_type: str, patience: float) -> None:
        silent = node(ready=False, ready_changed=NOW)
        known = store(environment(capacity_type=capacity_type), machine(), silent, pod(), job())
        assert retired(decide(known, NOW + patience - 1)) == {}
        assert decide(known, NOW).wake is not None
        assert retired(decide(known, NOW + patience)) == {"n1": "stopped answering (NotReady)"}

    def test_a_reclaimed_node_goes_when_its_jobs_have_left(self) -> None:
        gone = machine(state=MachineState.Interrupted)
        assert retired(decided(environment(), gone, node(), pod(), job(), foreign("proxy"))) == {}
        assert retired(decided(environment(), gone, node(), foreign("proxy"))) == {"n1": "was reclaimed"}
        assert retired(decided(environment(max_vcpus=8), queue(), gone, node(), job(), failed())) == {}


class TestSweep:
    def test_a_machine_without_environment_is_retired(self) -> None:
        assert retired(decided(machine())) == {"n1": "its environment is gone"}

    def test_a_node_without_machine_is_unregistered_once_that_is_certain(self) -> None:
        assert only(decided(environment(), node(OURS)), Unregister).node == OURS
        assert not of(decide(store(environment(), node(OURS), observed=NOW - 96), NOW), Unregister)
        assert not of(decided(environment(), node(OURS), machine(OURS)), Unregister)
        assert not of(decided(environment(), node(OURS, deleting=NOW)), Unregister)
        assert not of(decided(node(OURS, env="", labels={})), Unregister)

    def test_a_node_that_somebody_gave_our_labels_is_left_alone(self) -> None:
        for name in ("control-plane", "n1", "pool-1", "other-kz1c2d3e-0", "pool-kz1c2d3e-0x"):
            assert not of(decided(environment(), node(name)), Unregister)

    def test_not_before_the_ends_of_its_pods_are_on_record(self) -> None:
        assert not of(decided(environment(), queue(), node(OURS), job(), failed(on=OURS)), Unregister)


def test_a_job_that_waits_for_a_bigger_node_does_not_keep_small_ones() -> None:
    big = Shape("big", read({"cpu": "32", "memory": "64Gi"}, pods=110), "2")
    things = [environment(shapes=(C8, big), max_vcpus=64), queue(), machine(), node()]
    plan = decided(*things, job(template=template("16")))
    assert launched(plan) == ["big"]
    assert retired(plan) == {"n1": "was idle for 90 s"}
    assert started(plan) == []


@pytest.mark.parametrize("cpu", ["0", "1n", "1m"])
def test_a_minimum_of_millions_of_tiny_nodes_keeps_no_decision_busy(cpu: str) -> None:
    dwarf = Shape("dwarf", read({"cpu": cpu, "memory": "1"}, pods=1), "0")
    plan = decided(environment(min_vcpus=1_000_000, max_vcpus=1_000_000, shapes=(dwarf,)))
    assert len(launched(plan)) <= 1000


class TestNodesThatIgnoreTheirPods:
    """Ready, and yet the kubelet takes nothing up: nothing is stuck for ever on a node that lies."""

    def test_are_replaced_two_minutes_after_a_decision_first_had_the_pod_in_view(self) -> None:
        view = job()
        world = store(environment(), queue(), view, node(), machine())
        world.apply(newer(pod(view, acknowledged=None, created=NOW - 5000)))  # by the API server's clock
        plan = decide(world, NOW)
        assert retired(plan) == {}
        assert plan.wake is not None
        assert plan.wake <= NOW + 120
        assert retired(decide(world, NOW + 119)) == {}
        (verb,) = of(decide(world, NOW + 120), Retire)
        assert (verb.reason, verb.fault) == ("has not taken up a pod for 120 s", True)

    def test_one_that_was_taken_up_starts_as_slowly_as_it_likes(self) -> None:
        view = job()
        world = store(environment(), queue(), view, node(), machine())
        world.apply(newer(pod(view, acknowledged=None)))
        decide(world, NOW)
        world.apply(newer(pod(view)))
        assert retired(decide(world, NOW + 5000)) == {}
        assert not world.unseen

    def test_who_waits_no_longer_is_forgotten(self) -> None:
        view = job()
        world = store(environment(), queue(), view, node(), machine())
        waits = newer(pod(view, acknowledged=None))
        world.apply(waits)
        decide(world, NOW)
        world.remove(waits)
        assert not world.unseen
        assert retired(decide(world, NOW + 20)) == {}
