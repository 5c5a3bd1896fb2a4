"""Whatever happens, what must never be never is, and in the end every job has ended as it must."""

from typing import Any

from histories import NATURE, NETWORK, USERS, histories, live
from hypothesis import given
from simulation import Simulation


def ends_well(history: list[Any]) -> None:
    simulation = Simulation()
    live(simulation, history)
    simulation.calm()
    simulation.check_the_end()


@given(histories(USERS))
def test_users(history: list[Any]) -> None:
    ends_well(history)


@given(histories(NATURE))
def test_machines(history: list[Any]) -> None:
    ends_well(history)


@given(histories(NETWORK))
def test_networks_and_crashes(history: list[Any]) -> None:
    ends_well(history)


@given(histories(USERS, NATURE, NETWORK, most=30))
def test_everything_at_once(history: list[Any]) -> None:
    ends_well(history)
