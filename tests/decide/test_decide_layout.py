"""Nodes for all that waits at once: what is scarce first, seats on nodes that come, nothing launched twice."""

from __future__ import annotations

import random
from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.decide.pack import Kind, Lot, Packing, Stock
from batchyard.decide.shadow import shadow_prices
from batchyard.model.machine import MachineState, Shape
from batchyard.model.plan import Launch, Plan
from batchyard.model.resources import read
from batchyard.world.store import Store
from builders import NOW, environment, job, machine, of, queue, store, template

GPU = "nvidia.com/gpu"
PLAIN = Shape("plain", read({"cpu": "32", "memory": "64Gi"}, pods=110), "1")
DEVICES = Shape("devices", read({"cpu": "32", "memory": "64Gi", GPU: "4"}, pods=110), "5")


def gpu_job(name: str) -> Any:
    body = template("2", "4Gi")
    resources = body["spec"]["containers"][0]["resources"]
    resources["requests"][GPU], resources["limits"] = "1", {GPU: "1"}
    return job(name, template=body)


def launched(plan: Plan) -> list[str]:
    return sorted(launch.order.shape.name for launch in of(plan, Launch))


def came(known: Store, plan: Plan) -> Store:
    for launch in of(plan, Launch):
        coming = machine(launch.order.name, launch.order.shape, state=MachineState.Launching, launched_at=NOW)
        known.machines[coming.name] = coming
    return known


def test_jobs_without_need_of_it_leave_a_scarce_device_to_those_that_come_later() -> None:
    """By age the plain ones would fill the first node with devices, and a second would come for the rest."""
    things = [*(job(f"a{n}", template=template("8")) for n in range(3)), *(gpu_job(f"b{n}") for n in range(4))]
    assert launched(decide(store(environment(shapes=(DEVICES,), max_vcpus=256), queue(), *things), NOW)) == ["devices"]


def test_several_shapes_are_mixed() -> None:
    things = [*(job(f"a{n}", template=template("8", "16Gi")) for n in range(7)), *(gpu_job(f"b{n}") for n in range(4))]
    plan = decide(store(environment(shapes=(PLAIN, DEVICES), max_vcpus=256), queue(), *things), NOW)
    assert launched(plan) == ["devices", "plain"]


def test_what_was_launched_for_a_set_is_enough_for_it_in_the_next_decision() -> None:
    sizes = [("8", "4Gi"), ("1", "16Gi"), ("4", "8Gi"), ("2", "2Gi"), ("500m", "3Gi")]
    things = [job(f"j{n}", template=template(*sizes[n % 5])) for n in range(100)]
    known = store(environment(shapes=(PLAIN,), max_vcpus=1000), queue(), *things)
    first = decide(known, NOW)
    assert len(of(first, Launch)) <= 12  # 660 GiB on nodes of 64 are 11, and one
    assert launched(decide(came(known, first), NOW + 1)) == []


def mixed(seed: int) -> tuple[tuple[Shape, ...], list[Any]]:
    """Return fifteen shapes, some with devices, and 300 jobs of 30 sizes, of which some need devices."""
    rng = random.Random(seed)
    shapes = []
    for number in range(15):
        cpu, per, devices = rng.choice((16, 32, 64)), rng.choice((2, 4, 8)), rng.choice((0, 0, 1, 4, 8))
        amounts = {"cpu": str(cpu), "memory": f"{cpu * per}Gi", **({GPU: str(devices)} if devices else {})}
        price = (0.04 * cpu + 0.005 * cpu * per + devices) * rng.uniform(0.8, 1.25)
        shapes.append(Shape(f"s{number}", read(amounts, pods=110), f"{price:.4f}"))
    shapes.append(Shape("largest", read({"cpu": "64", "memory": "256Gi", GPU: "8"}, pods=110), "12"))
    sizes = [template(str(rng.choice((1, 2, 4, 8))), f"{rng.choice((1, 3, 8, 20))}Gi") for _ in range(30)]
    for body in sizes[:9]:
        resources, asked = body["spec"]["containers"][0]["resources"], str(rng.choice((1, 1, 2, 4)))
        resources["requests"][GPU], resources["limits"] = asked, {GPU: asked}
    return tuple(shapes), [job(f"j{n}", template=rng.choice(sizes)) for n in range(300)]


@pytest.mark.parametrize(("seed", "most"), [(2, 10_000), (4, 10_000), (0, 400), (1, 400)])
def test_what_was_launched_of_many_shapes_is_enough_too(seed: int, most: int) -> None:
    """Nodes of several shapes could be filled in another way than was meant, and then some more would be needed."""
    shapes, jobs = mixed(seed)
    known = store(environment(shapes=shapes, max_vcpus=most), queue(), *jobs)
    first = decide(known, NOW)
    assert len(launched(first)) > 3
    assert launched(decide(came(known, first), NOW + 1)) == []


@pytest.mark.parametrize("seed", [2, 3])
def test_when_some_no_longer_wait_the_rest_needs_no_other_nodes(seed: int) -> None:
    shapes, jobs = mixed(seed)
    things = environment(shapes=shapes, max_vcpus=10_000), queue()
    first = decide(store(*things, *jobs), NOW)
    fewer = came(store(*things, *jobs[: len(jobs) * 9 // 10]), first)
    assert launched(decide(fewer, NOW + 1)) == []


def test_nodes_that_are_there_are_filled_at_any_price_and_no_more_than_there_are() -> None:
    lots = [Lot((3, 1), 17, frozenset({0, 1})), Lot((1, 5), 11, frozenset({1}))]
    kinds = [Kind((8, 16), 1.0), Kind((4, 32), 100.0, to_be_had=False)]
    stock = [Stock(1, (4, 32), 2), Stock(1, (3, 32), 1)]
    packing = Packing(kinds, lots)
    found = [(node.free, pattern.times) for node, pattern in packing.put(stock)]
    assert sum(times for free, times in found if free == (4, 32)) == 2
    assert sum(times for free, times in found if free == (3, 32)) == 1
    assert [node.count for node in stock] == [0, 0]
    assert {pattern.kind for pattern in packing.all()} == {0}
    assert lots[0].left == 0


def test_jobs_that_a_limit_of_their_queue_holds_back_get_no_nodes() -> None:
    things = [job(f"j{n}", template=template("16")) for n in range(9)]
    plan = decide(store(environment(shapes=(PLAIN,), max_vcpus=1000), queue(max_running=2), *things), NOW)
    assert launched(plan) == ["plain"]


def test_jobs_that_go_elsewhere_are_not_counted() -> None:
    big = Shape("big", read({"cpu": "64", "memory": "128Gi", GPU: "4"}, pods=110), "5.1")
    rich = environment("rich", shapes=(DEVICES, big), max_vcpus=1000)
    plain = environment("plain", shapes=(PLAIN,), max_vcpus=1000)
    things = [gpu_job("first"), *(job(f"j{n}", template=template("8", "16Gi")) for n in range(8))]
    plan = decide(store(rich, plain, queue(environments=("plain", "rich")), *things), NOW)
    assert launched(plan) == ["devices", "plain", "plain"]


def test_shadow_prices_are_the_relaxation() -> None:
    kinds = [Kind((32, 64), 1.0), Kind((16, 128), 1.0)]
    prices = shadow_prices([(kind.capacity, kind.cost) for kind in kinds], (320, 640))
    assert sum(price * amount for price, amount in zip(prices, (320, 640), strict=True)) == 10.0
    assert all(sum(p * c for p, c in zip(prices, kind.capacity, strict=True)) <= kind.cost + 1e-9 for kind in kinds)


def test_all_that_fits_is_packed_and_nothing_twice() -> None:
    lots = [Lot((3, 1), 17, frozenset({0})), Lot((1, 5), 11, frozenset({0, 1})), Lot((99, 1), 2, frozenset({0, 1}))]
    kinds = [Kind((8, 16), 1.0), Kind((4, 32), 1.1)]
    before = [lot.left for lot in lots]
    packed = [0, 0, 0]
    for pattern in Packing(kinds, lots).all():
        used = [sum(n * lots[lot].requests[r] for lot, n in pattern.contents) for r in range(2)]
        assert all(takes <= has for takes, has in zip(used, kinds[pattern.kind].capacity, strict=True))
        for lot, n in pattern.contents:
            packed[lot] += n * pattern.times
    assert packed == [before[0], before[1], 0]
