"""Useful, wasted and idle money add up to what the nodes cost, to the second, whatever happens."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from histories import NATURE, NETWORK, USERS, histories, live
from hypothesis import given, settings
from invoice import invoice, told
from simulation import JobSpec, Simulation

EXAMPLES = 400 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 5
PEOPLE = {name: USERS[name] for name in ("submit", "stop", "widen", "delete job", "licences", "order of queues")}
MEMORIES = ("1Gi", "3Gi", "6Gi")  # with one vCPU: so that shares of a node add up to more than one


def mixed(history: list[Any]) -> list[Any]:
    """Return a history in which some jobs take more of a node's memory than of its vCPUs."""
    return [
        ((name, replace(what, memory=MEMORIES[what.priority] if what.cpu == 1 else "1Gi")), pause)
        if name == "submit"
        else ((name, what), pause)
        for (name, what), pause in history
    ]


def settle(simulation: Simulation) -> None:
    """Wait until all has ended and every environment has told of it."""
    simulation.calm()
    for _ in range(4):
        simulation.advance(20)


@settings(max_examples=EXAMPLES)
@given(histories(PEOPLE, NATURE))
def test_all_parts_add_up_to_what_the_nodes_cost(history: list[Any]) -> None:
    simulation = Simulation()
    live(simulation, mixed(history))
    settle(simulation)
    for name in ("spot", "od"):
        true, said = invoice(simulation, name), told(simulation, name)
        slack = true.tolerance
        assert abs(said["nodes"] - true.nodes) <= slack, f"{name}: {said} instead of {true}"
        # Beside one whose end nobody saw others may have paid for less than all of the node.
        assert abs(said["useful"] - true.useful) <= slack + true.lost, f"{name}: {said} instead of {true}"
        assert true.wasted - slack <= said["wasted"] <= true.wasted + true.lost + slack, f"{name}: {said}, {true}"
        parts = said["useful"] + said["wasted"] + said["idle"]
        assert abs(parts - said["nodes"]) < 1e-9, f"{name}: {said}"
        assert said["running"] == 0, f"{name}: {said}"
        assert said["idle"] >= 0


@settings(max_examples=EXAMPLES)
@given(histories(PEOPLE, NATURE, {name: NETWORK[name] for name in ("fault", "restart", "slow")}))
def test_it_adds_up_over_restarts_and_is_never_more_than_the_nodes_cost(history: list[Any]) -> None:
    simulation = Simulation()
    live(simulation, mixed(history))
    settle(simulation)
    for name in ("spot", "od"):
        true, said = invoice(simulation, name), told(simulation, name)
        assert abs(said["useful"] + said["wasted"] + said["idle"] + said["running"] - said["nodes"]) < 1e-9
        assert said["running"] == 0, f"{name}: {said}"
        # Until a slow or lost write shows that a machine is gone, it counts; what an operator knew that died does not.
        assert said["nodes"] <= true.nodes + 10 * true.tolerance, f"{name}: {said} instead of {true}"


def test_there_is_money_in_these_histories() -> None:
    simulation = Simulation()
    specs = [JobSpec(name, priority=priority) for name in ("short", "fails", "long") for priority in (0, 1, 2)]
    live(simulation, mixed([(("submit", spec), 10) for spec in specs]))
    settle(simulation)
    spot = told(simulation, "spot")
    assert min(spot["useful"], spot["wasted"], spot["idle"]) > 0, spot
