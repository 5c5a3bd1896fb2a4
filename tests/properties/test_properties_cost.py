"""Useful, wasted and idle money add up to what the nodes cost, to the last place, whatever happens."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from typing import Any

from histories import MARKET, NATURE, NETWORK, USERS, histories, live
from hypothesis import given, settings
from hypothesis import strategies as st
from invoice import invoice, told
from simulation import JobSpec, Simulation

from batchyard.model.machine import Shape
from batchyard.model.offer import Entry, Offer, Quotation
from batchyard.model.plan import Plan
from batchyard.world.bill import Bill
from batchyard.world.views import Environment
from builders import C2, C8

EXAMPLES = 400 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 5
PEOPLE = {name: USERS[name] for name in ("submit", "stop", "widen", "delete job", "licences", "order of queues")}
MEMORIES = ("1Gi", "3Gi", "6Gi")  # with one vCPU: so that shares of a node add up to more than one


class Audited(Simulation):
    """A simulation in which the books are looked at after each decision."""

    def beat(self) -> Plan:
        plan = super().beat()
        for bill in self.operator.store.bills.of.values():
            audit(bill)
        return plan


class Traded(Audited):
    """A simulation in which the provider knows the prices, and they move."""

    price = 0.1  # of an hour of the smaller shape

    def make_environment(self, name: str, kind: str, limit: int) -> None:
        super().make_environment(name, kind, limit)
        entries = tuple(Entry(shape.name, shape.resources, shape.resources.pods) for shape in (C2, C8))
        self.change(Environment, name, shapes=(), entries=entries)

    def restart(self) -> None:
        """Begin anew with what the status tells, unless nobody has written there yet."""
        super().restart()
        if not all(view.status.get("offers") for view in self.operator.store.environments.values()):
            self.trade(1)

    def trade(self, factor: float) -> None:
        """Have another price, and the provider tell it."""
        self.price = min(max(self.price * factor, 0.001), 10)
        store = self.operator.store
        for view in list(store.environments.values()):
            offers = (self._offer(C2, 1), self._offer(C8, 3.7))
            store.quote(view, Quotation(offers), self.world.now)

    def _offer(self, shape: Shape, times: float) -> Offer:
        full = f"{self.price * times:.6f}"
        return Offer(shape.name, None, "", full, f"{float(full) / 3:.6f}")


def audit(bill: Bill) -> None:
    """Add up one by one what is owed and paid, and compare with the sums."""
    unsettled = sum((spell.paid for spell in bill.spells.values()), Decimal(0))
    owed = sum((tab.owed for tab in bill.tabs.values()), Decimal(0))
    assert bill.running == unsettled + owed + bill.unclaimed
    assert bill.nodes == bill.useful + bill.wasted + bill.running + bill.idle
    sums = (bill.useful, bill.wasted, bill.running, bill.idle, owed, bill.unclaimed)
    assert min(sums) >= 0, sums
    assert all(places(amount) <= 12 for amount in (bill.nodes, *sums)), "an amount grows without end"


def places(amount: Decimal) -> int:
    """Return how many decimal places an amount has."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def mixed(history: list[Any]) -> list[Any]:
    """Return a history in which some jobs take more of a node's memory than of its vCPUs.

    Not those of several nodes, which would need more large nodes than there may be, and wait for ever.
    """
    return [
        (
            (name, replace(what, memory=MEMORIES[what.priority] if what.cpu == 1 and what.nodes is None else "1Gi")),
            pause,
        )
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
    check(Audited(), history)


@settings(max_examples=EXAMPLES)
@given(histories(PEOPLE, NATURE, MARKET))
def test_they_do_while_prices_move_and_each_machine_costs_what_it_did_at_its_launch(history: list[Any]) -> None:
    check(Traded(), history)


def check(simulation: Simulation, history: list[Any]) -> None:
    """Let a history happen and all come to its end; compare what is told with the world's own log."""
    live(simulation, mixed(history))
    settle(simulation)
    for name in ("spot", "od"):
        true, said = invoice(simulation, name), told(simulation, name)
        slack = true.tolerance
        assert abs(said["nodes"] - true.nodes) <= slack, f"{name}: {said} instead of {true}"
        # Beside one whose end nobody saw others may have paid for less than all of the node.
        assert abs(said["useful"] - true.useful) <= slack + true.lost, f"{name}: {said} instead of {true}"
        assert true.wasted - slack <= said["wasted"] <= true.wasted + true.lost + slack, f"{name}: {said}, {true}"
        assert said["useful"] + said["wasted"] + said["idle"] == said["nodes"], f"{name}: {said}"
        assert said["running"] == 0, f"{name}: {said}"
        assert said["idle"] >= 0


@settings(max_examples=EXAMPLES)
@given(
    st.sampled_from([Audited, Traded]),
    histories(PEOPLE, NATURE, MARKET, {name: NETWORK[name] for name in ("fault", "restart", "slow")}),
)
def test_it_adds_up_over_restarts_and_is_never_more_than_the_nodes_cost(
    kind: type[Simulation], history: list[Any]
) -> None:
    simulation = kind()
    live(simulation, mixed(history))
    settle(simulation)
    for name in ("spot", "od"):
        true, said = invoice(simulation, name), told(simulation, name)
        assert said["useful"] + said["wasted"] + said["idle"] + said["running"] == said["nodes"], f"{name}: {said}"
        assert said["running"] == 0, f"{name}: {said}"
        # Until a slow or lost write shows that a machine is gone, it counts; what an operator knew that died does not.
        assert said["nodes"] <= true.nodes + 10 * true.tolerance, f"{name}: {said} instead of {true}"


def test_there_is_money_in_these_histories() -> None:
    simulation = Audited()
    specs = [JobSpec(name, priority=priority) for name in ("short", "fails", "long") for priority in (0, 1, 2)]
    live(simulation, mixed([(("submit", spec), 10) for spec in specs]))
    settle(simulation)
    spot = told(simulation, "spot")
    assert min(spot["useful"], spot["wasted"], spot["idle"]) > 0, spot
