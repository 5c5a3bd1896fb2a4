"""What a machine offers is remembered only for as long as nothing of it changes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from batchyard.decide.room import Pool, pools
from batchyard.model import labels as names
from batchyard.model.machine import MachineState, Taint
from batchyard.world.store import Store
from builders import NOW, RUNS, environment, job, machine, newer, node, pod, pool_of, queue, store

DISRUPTED = Taint(names.INTERRUPTED, "", "NoSchedule")


def pool(known: Store) -> Pool:
    return pools(known, NOW)["pool"]


def free(known: Store) -> list[int]:
    return [slot.free.cpu for slot in pool(known).slots]


def test_what_a_decision_put_on_a_node_is_not_there_in_the_next_one() -> None:
    known = store(*pool_of("n1"))
    for _ in range(3):
        (slot,) = pool(known).slots
        assert (slot.free.cpu, slot.taken, slot.claims) == (8000, False, [])
        slot.free, slot.taken = slot.free - msgspec.structs.replace(slot.free, cpu=1000), True
        slot.claims.append((0.0, slot.free))


def test_pods_take_from_it_and_give_back() -> None:
    known, holder = store(*pool_of("n1"), job()), job()
    assert free(known) == [8000]
    held = pod(holder, **RUNS)
    known.apply(held)
    assert free(known) == [7000]
    assert pool(known).used == 1000
    known.remove(held)
    assert free(known) == [8000]


def gone(known: Store) -> None:
    known.remove(known.nodes["n1"])


CHANGES: list[Callable[[Store], None]] = [
    gone,
    lambda known: known.apply(newer(known.nodes["n1"], unschedulable=True)),
    lambda known: known.apply(newer(known.nodes["n1"], taints=(DISRUPTED,))),
    lambda known: known.retire("n1", "was idle"),
    lambda known: known.observe("docker", [machine(state=MachineState.Interrupted)], 2e9),
    lambda known: known.observe("docker", [], 2e9),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_machine_or_its_node_is_seen_at_once(change: Callable[[Store], None]) -> None:
    known = store(environment(), queue(), machine(), node())
    assert free(known) == [8000]
    change(known)
    assert not [slot for slot in pool(known).slots if slot.ready]


def test_machines_that_are_gone_are_forgotten() -> None:
    known = store(*pool_of("n1"))
    for number in range(20):
        name = f"m{number}"
        known.observe("docker", [machine(name)], 2e9)
        known.apply(node(name))
        pools(known, NOW)
    assert len(known.memo.offers) <= 3
