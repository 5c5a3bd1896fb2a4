"""What a queue says that it has spent is what its pods cost, whatever fails; and once all is spent, nothing starts."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
from histories import NETWORK, histories, live
from hypothesis import given, settings
from hypothesis import strategies as st
from market import Market
from simulation import Simulation

from batchyard.decide.price import hourly
from batchyard.model.labels import INSTANCE_TYPE
from batchyard.world.specs import Budget
from batchyard.world.views import Environment, Node, Pod, Queue
from builders import queue

SIZE = 8
EXAMPLES = 400 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 8
FAULTY = {name: NETWORK[name] for name in ("fault", "restart")}
WINDOW = 31_536_000
SHARES = ("a", "b*")


def overlap(market: Market, back: float) -> float:
    """Return what all pods that there ever were have cost since `back`: a vCPU is an eighth of $1 an hour."""
    spans = [(pod, market.now) for pod in market.live.values()]
    spans += [(pod, pod.containers[0].finished or 0.0) for pod in market.ended]
    return sum(
        max(end - max(pod.containers[0].started or 0.0, back), 0.0) * pod.requests.cpu / 1000 / SIZE / 3600
        for pod, end in spans
    )


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 1000), st.sampled_from([60, 600, 7200]), st.sampled_from(["0.002", "0.02", "5"]))
def test_a_market_spends_no_more_than_it_has_over_restarts(seed: int, window: int, amount: str) -> None:
    rng, market, restarts = random.Random(seed), Market((SIZE,)), 0
    market.store.apply(queue(budgets=(Budget(amount=Decimal(amount), window_seconds=window),)))
    for _ in range(120):
        while len(market.lasts) - len(market.started) < 3:
            market.submit(rng.choice((1, 2)), rng.uniform(2, 90))
        width = market.store.purse.spendings["default", ""].width
        before = overlap(market, market.now - window)
        rounding = 1e-6 * (len(market.started) + 1) + restarts * 0.002 / 3600
        began = market.decide()
        assert not began or before < float(amount) + rounding, "it starts more though all is spent"
        spent = float(market.store.purse.spendings["default", ""].spent())
        assert before - rounding <= spent <= overlap(market, market.now - window - width) + rounding
        market.tick(market.now + rng.uniform(0.1, 30))
        if rng.random() < 0.05:
            market.restart(rng)
            restarts += 1


@settings(max_examples=EXAMPLES)
@given(histories(FAULTY))
def test_what_is_said_to_be_spent_is_what_the_pods_cost(history: list[Any]) -> None:
    simulation = Simulation()
    rich = Budget(amount=Decimal(1000), window_seconds=WINDOW, on_exceeded="Notify")
    budgets = (rich, *(msgspec.structs.replace(rich, share=share) for share in SHARES))
    for name in ("both", "od"):
        simulation.change(Queue, name, budgets=budgets)
    simulation.advance(1)
    live(simulation, history)
    simulation.faults.at.clear()
    simulation.persist()
    for name in ("both", "od"):
        status = simulation.world.tables[Queue][name].status
        entries = {entry["share"]: entry for entry in status["shareBudgets"]}
        for budget in budgets:
            true, a_second = costs(simulation, name, budget)
            said = Decimal((entries[budget.share] if budget.share else status["budget"])["spent"])
            # Times in a pod are whole seconds: at the change of operators each pod may be off by one.
            slack = a_second * (simulation.lives - 1) + Decimal("0.00001")
            assert abs(said - true) <= slack, f"{name} {budget.share}: {said} instead of {true}"


def costs(simulation: Simulation, queue: str, budget: Budget) -> tuple[Decimal, Decimal]:
    """Return what the pods of a budget have cost by the world's own record, and what all of them cost a second."""
    total = a_second = Decimal(0)
    for pod in last_versions(simulation):
        covered = pod.queue == queue and budget.covers(pod.share)
        if covered and pod.containers and pod.containers[0].finished:
            (main,) = pod.containers
            assert main.started is not None
            rate = rate_of(simulation, pod)
            total += rate * Decimal(max(main.finished - main.started, 1))
            a_second += rate
    return total, a_second


def last_versions(simulation: Simulation) -> Iterator[Pod]:
    found = {view.uid: view for _, view in simulation.world.log[Pod]}
    yield from (view for view in found.values() if isinstance(view, Pod))


def rate_of(simulation: Simulation, pod: Pod) -> Decimal:
    types = {view.name: view.labels[INSTANCE_TYPE] for _, view in simulation.world.log[Node] if isinstance(view, Node)}
    environment = simulation.world.tables[Environment][pod.environment]
    (shape,) = [shape for shape in environment.shapes if shape.name == types[pod.node]]
    asked, has = pod.requests, shape.resources
    share = max(Decimal(asked.cpu) / has.cpu, Decimal(asked.memory) / has.memory)
    return hourly(shape, environment.capacity_type) * share / 3600
