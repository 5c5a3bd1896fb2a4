"""Which shape by spec.allocationStrategy, and which not by spec.maxPricePercent."""

from __future__ import annotations

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.machine import MachineState, Shape, Taint
from batchyard.model.plan import Launch, Plan, Retire
from batchyard.world.notes import Refusal
from batchyard.world.store import Store
from builders import C8, NOW, environment, job, machine, newer, node, of, queue, store, template, told

CHEAP, MIDDLE, DEAR = (
    Shape(name, C8.resources, "1", price) for name, price in (("cheap", "0.10"), ("middle", "0.12"), ("dear", "0.50"))
)
STRATEGIES = ("BestFit", "BestFitProgressive", "SpotPriceCapacityOptimized", "SpotCapacityOptimized")


def world(*more: Any, **fields: Any) -> Store:
    """Return a world in which one job needs a node of a spot environment with three shapes."""
    given = {"capacity_type": "Spot", "shapes": (DEAR, MIDDLE, CHEAP), **fields}
    return store(environment(**given), queue(), job(), *more)


def refused(known: Store, *shapes: str, until: float = NOW + 180, tries: int = 1) -> Store:
    for shape in shapes:
        known.unavailable["pool", shape] = Refusal("InsufficientCapacity", f"no {shape} left", until, tries)
    return known


def launched(plan: Plan) -> list[str]:
    return [launch.order.shape.name for launch in of(plan, Launch)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_nothing_is_known_of_the_shapes_the_cheapest_is_taken(strategy: str) -> None:
    assert launched(decide(world(strategy=strategy), NOW)) == ["cheap"]


class TestStockOut:
    @pytest.mark.parametrize("strategy", STRATEGIES[1:])
    def test_the_next_shape_is_tried_at_once(self, strategy: str) -> None:
        assert launched(decide(refused(world(strategy=strategy), "cheap"), NOW)) == ["middle"]
        assert launched(decide(refused(world(strategy=strategy), "cheap", "middle"), NOW)) == ["dear"]

    def test_best_fit_waits_for_the_cheapest_and_says_so(self) -> None:
        known = refused(world(strategy="BestFit"), "cheap")
        assert launched(decide(known, NOW)) == []
        said = told(known)
        assert said["reason"] == "InsufficientCapacity"
        assert "could not get a node of cheap: no cheap left (BestFit waits for the cheapest)" in said["message"]
        assert launched(decide(known, NOW + 180)) == ["cheap"]

    def test_all_that_were_tried_are_named_with_what_was_said_of_each(self) -> None:
        known = refused(world(), "cheap", "middle", "dear")
        have = told(known)["message"]
        assert "a node of dear, middle, cheap: dear: no dear left; middle: no middle left; cheap: no cheap left" in have

    def test_the_next_environment_is_tried_in_the_same_decision(self) -> None:
        known = refused(world(strategy="BestFit"), "cheap")
        known.apply(environment("other"))
        known.apply(newer(known.queues["default"], environments=("pool", "other")))
        assert [launch.order.environment for launch in of(decide(known, NOW), Launch)] == ["other"]

    def test_the_decision_is_made_again_when_the_shape_may_be_had_again(self) -> None:
        known = refused(world(strategy="BestFit"), "cheap", until=NOW + 0.5)
        assert decide(known, NOW).wake == NOW + 0.5


class TestSpot:
    def test_capacity_optimized_takes_what_was_least_reclaimed_whatever_it_costs(self) -> None:
        known = world(strategy="SpotCapacityOptimized")
        known.lost["pool", "cheap"].append(NOW - 60)
        assert launched(decide(known, NOW)) == ["middle"]
        known.lost["pool", "middle"].extend([NOW - 60, NOW - 30])
        assert launched(decide(known, NOW)) == ["dear"]
        assert launched(decide(refused(known, "dear"), NOW)) == ["cheap"]

    def test_price_capacity_optimized_weighs_both(self) -> None:
        known = world(strategy="SpotPriceCapacityOptimized")
        known.lost["pool", "cheap"].append(NOW - 60)
        assert launched(decide(known, NOW)) == ["middle"]  # 0.125 against 0.12
        known.lost["pool", "middle"].append(NOW - 60)
        assert launched(decide(known, NOW)) == ["cheap"]
        known.lost["pool", "cheap"].extend([NOW] * 9)
        assert launched(decide(known, NOW)) == ["middle"]

    @pytest.mark.parametrize("strategy", STRATEGIES[2:])
    def test_what_was_refused_lately_counts_too(self, strategy: str) -> None:
        known = refused(world(strategy=strategy), "cheap", until=NOW)
        assert launched(decide(known, NOW + 1)) == ["middle"]
        assert launched(decide(known, NOW + 3601)) == ["cheap"]

    @pytest.mark.parametrize("strategy", STRATEGIES[2:])
    def test_an_hour_later_it_is_forgotten(self, strategy: str) -> None:
        known = world(strategy=strategy)
        known.lost["pool", "cheap"].extend([NOW - 3599] * 9)
        assert launched(decide(known, NOW)) == ["middle"]
        assert launched(decide(known, NOW + 1)) == ["cheap"]

    @pytest.mark.parametrize("strategy", STRATEGIES[:2])
    def test_the_other_strategies_do_not_ask(self, strategy: str) -> None:
        known = world(strategy=strategy)
        known.lost["pool", "cheap"].extend([NOW] * 9)
        assert launched(decide(known, NOW)) == ["cheap"]

    def test_min_vcpus_are_chosen_alike(self) -> None:
        known = store(environment(capacity_type="Spot", shapes=(CHEAP, DEAR), min_vcpus=8, strategy=STRATEGIES[3]))
        known.lost["pool", "cheap"].append(NOW)
        assert launched(decide(known, NOW)) == ["dear"]

    def test_a_notice_is_counted_once_by_shape_whoever_gave_it(self) -> None:
        known = store(environment(), machine("a"), node("a"), machine("b"), node("b"), observed=NOW)
        told_off = newer(node("a"), taints=(*node("a").taints, Taint("karpenter.sh/disrupted")))
        known.apply(told_off)
        interrupted = machine("a", state=MachineState.Interrupted)
        known.observe("docker", [interrupted, machine("b", state=MachineState.Interrupted)], NOW + 9)
        assert list(known.lost["pool", "c8"]) == [NOW, NOW + 9]


class TestMaxPrice:
    def test_a_shape_above_it_is_not_launched(self) -> None:
        known = world(shapes=(Shape("c8", C8.resources, "0.2", "0.1"), DEAR), max_price_percent=50)
        assert launched(decide(known, NOW)) == ["c8"]
        known = world(shapes=(Shape("c8", C8.resources, "0.2", "0.11"), DEAR), max_price_percent=50)
        assert launched(decide(known, NOW)) == ["dear"]

    def test_the_job_is_told_with_numbers(self) -> None:
        known = world(shapes=(Shape("c8", C8.resources, "0.34", "0.30"),), max_price_percent=60)
        said = told(known)
        assert said["reason"] == "PriceTooHigh"
        assert said["message"] == (
            "'pool' launches no node that it fits: c8 costs 0.30 on spot, 88.2 % of 0.34 on demand, "
            "and maxPricePercent is 60"
        )

    def test_jobs_go_to_the_next_environment(self) -> None:
        known = world(shapes=(DEAR,), max_price_percent=40)
        known.apply(environment("demand"))
        known.apply(newer(known.queues["default"], environments=("pool", "demand")))
        assert [launch.order.environment for launch in of(decide(known, NOW), Launch)] == ["demand"]

    @pytest.mark.parametrize("full", ["0", "0.50"])
    def test_by_default_it_is_the_on_demand_price_if_that_is_known(self, full: str) -> None:
        known = world(shapes=(Shape("c8", C8.resources, full, "0.50"),))
        assert launched(decide(known, NOW)) == ["c8"]

    def test_on_demand_it_is_not_asked(self) -> None:
        known = world(shapes=(Shape("c8", C8.resources, "0.2", "0.3"),), capacity_type="OnDemand", max_price_percent=10)
        assert launched(decide(known, NOW)) == ["c8"]

    def test_min_vcpus_wait_for_the_price(self) -> None:
        fields: dict[str, Any] = {"capacity_type": "Spot", "min_vcpus": 8}
        assert launched(decide(store(environment(shapes=(DEAR,), max_price_percent=49, **fields)), NOW)) == []
        assert launched(decide(store(environment(shapes=(DEAR,), max_price_percent=50, **fields)), NOW)) == ["dear"]

    def test_nodes_that_are_there_go_on_whatever_the_price_has_become(self) -> None:
        known = store(
            environment(capacity_type="Spot", shapes=(DEAR,), max_price_percent=1), queue(),
            machine(shape=DEAR), node(shape=DEAR), job(template=template("8")),
        )  # fmt: skip
        plan = decide(known, NOW)
        assert of(plan, Retire) == []
        assert [verb for verb in plan.verbs if type(verb).__name__ == "Start"]


@pytest.mark.parametrize(("percent", "most"), [(100, ""), (60, "0.204000"), (120, "0.408000")])
def test_the_provider_is_told_the_strategy_and_the_most_that_a_spot_hour_may_cost(percent: int, most: str) -> None:
    shapes = (Shape("c8", C8.resources, "0.34", "0.10"),)
    plan = decide(world(shapes=shapes, strategy="SpotCapacityOptimized", max_price_percent=percent), NOW)
    (launch,) = of(plan, Launch)
    assert (launch.order.strategy, launch.order.max_price) == ("SpotCapacityOptimized", most)
