"""The fleet lives with providers that hang, fail, answer late, or lose machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from batchyard.engine import fleet as module
from batchyard.engine.bell import Bell
from batchyard.engine.fleet import Fleet, World
from batchyard.model.machine import LaunchOrder, Machine, MachineState, Shape
from batchyard.model.plan import Retire
from batchyard.model.resources import Resources
from batchyard.pools.base import ProviderError
from batchyard.world.store import Store
from batchyard.world.views import Environment
from builders import job, node, pod

SHAPE = Shape("s1", Resources(cpu=1000, memory=2**30, pods=10))


class Pool:
    """A provider in memory whose verbs can be held up or made to fail."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.observed = asyncio.Event()
        self.retired: list[str] = []

    async def observe(self) -> Sequence[Machine]:
        seen = list(self.machines.values())
        self.observed.set()
        await self.gate.wait()
        self._fail()
        return seen

    async def launch(self, order: LaunchOrder) -> None:
        await self.gate.wait()
        self._fail()
        self.machines[order.name] = Machine(
            order.name, order.environment, order.shape.name, order.capacity_type, MachineState.Running, 0.0
        )

    async def retire(self, name: str) -> None:
        self._fail()
        self.machines.pop(name, None)
        self.retired.append(name)

    async def interrupt(self, name: str, notice_seconds: float) -> None:
        raise NotImplementedError

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class House:
    """A fleet with one pool, and what it told the world."""

    def __init__(self) -> None:
        self.store, self.pool, self.time = Store(), Pool(), 1000.0
        self.unregistered: list[str] = []
        self.told: list[tuple[str, str, str]] = []
        self.store.apply(Environment(name="env", uid="e", provider="pool", shapes=(SHAPE,), max_vcpus=8))
        world = World(
            self.store, Bell(), self.unregistered.append, lambda *said: self.told.append(said), lambda: self.time
        )
        self.fleet = Fleet(world, {"pool": self._build})

    async def _build(self) -> Pool:
        return self.pool

    def order(self, name: str = "env-1") -> LaunchOrder:
        return LaunchOrder(name, "env", SHAPE, "OnDemand", {}, (), "pool")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    built = House()
    yield built
    await built.fleet.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 the condition is the store, which has no event
            await asyncio.sleep(0.001)


async def test_a_machine_counts_from_the_moment_it_is_ordered(house: House) -> None:
    house.fleet.launch(house.order())
    assert house.store.machines["env-1"].state is MachineState.Launching


async def test_a_machine_costs_what_its_provider_asked_when_it_was_ordered(house: House) -> None:
    shape = replace(SHAPE, price_per_hour="0.12", spot_price_per_hour="0.05", asked=frozenset({"Spot"}))
    for name, capacity_type, price in (("env-1", "Spot", "0.05"), ("env-2", "OnDemand", "")):
        house.fleet.launch(replace(house.order(name), shape=shape, capacity_type=capacity_type))
        assert house.store.machines[name].price_per_hour == price


async def test_a_look_that_began_before_the_launch_was_done_does_not_lose_the_machine(house: House) -> None:
    house.fleet.launch(house.order())
    house.pool.gate.clear()
    house.time += 1
    look = asyncio.create_task(house.fleet.observe("pool"))
    await house.pool.observed.wait()
    house.time += 1
    house.pool.gate.set()
    await look
    assert "env-1" in house.store.machines
    house.time += 1
    await house.fleet.observe("pool")
    assert house.store.machines["env-1"].state is MachineState.Running


async def test_a_failed_launch_is_told_and_its_shape_rests(house: House) -> None:
    house.pool.failure = ProviderError("no capacity in this zone", reason="InsufficientCapacity")
    house.fleet.launch(house.order())
    await until(lambda: "env-1" not in house.store.machines)
    refusal = house.store.unavailable["env", "s1"]
    assert (refusal.reason, refusal.until) == ("InsufficientCapacity", 1000.0 + module.STOCK_OUT_SECONDS)
    assert house.told == [("env", "NodeFailed", "node env-1 could not be launched: no capacity in this zone")]


async def test_a_provider_that_has_failed_is_asked_again_soon_and_then_less_and_less_often(house: House) -> None:
    """What is no stock-out may be over at once; many launches that fail together have failed once."""
    house.pool.failure = ProviderError("the engine is starting")
    for pause in (5, 10, 20):
        for name in ("env-1", "env-2", "env-3"):
            house.fleet.launch(house.order(name))
        await until(lambda: len(house.told) == 3)
        house.told.clear()
        refusal = house.store.unavailable["env", "s1"]
        assert (refusal.reason, refusal.until) == ("LaunchFailed", house.time + pause)
        house.time = refusal.until
    house.time += 3 * module.STOCK_OUT_SECONDS
    house.fleet.launch(house.order())
    await until(lambda: house.told)
    assert house.store.unavailable["env", "s1"].until == house.time + 5


@pytest.mark.parametrize(("acknowledged", "pause"), [(None, 5), (1000.0, None)])
async def test_a_shape_rests_whose_nodes_are_ready_and_take_up_nothing(
    house: House, acknowledged: float | None, pause: int | None
) -> None:
    for name in ("env-1", "env-2"):
        house.fleet.launch(house.order(name))
        house.store.apply(node(name))
        house.store.apply(job(f"of-{name}"))
        house.store.apply(pod(f"of-{name}", on=name, acknowledged=acknowledged))
        house.fleet.retire(Retire(name, "env", "pool", "has not taken up a pod for 120 s", fault=True))
    refusal = house.store.unavailable.get(("env", "s1"))
    assert (refusal.until - house.time if refusal else None) == pause, "the second in a row rests, so that others try"


async def test_a_launch_that_hangs_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAUNCH_SECONDS", 0.01)
    house.pool.gate.clear()
    house.fleet.launch(house.order())
    await until(lambda: house.store.unavailable)
    assert house.store.unavailable["env", "s1"].reason == "LaunchTimedOut"


async def test_a_machine_whose_launch_was_said_to_fail_counts_until_a_look_says_no(house: House) -> None:
    """Else another one would be launched beside it, beyond what the environment may have."""
    house.pool.failure = ProviderError("the connection broke")
    for name in ("env-1", "env-2"):
        house.fleet.launch(house.order(name))
    await until(lambda: len(house.told) == 2)
    assert sorted(house.store.machines) == ["env-1", "env-2"]
    house.pool.failure = None
    house.pool.machines["env-1"] = Machine("env-1", "env", "s1", "OnDemand", MachineState.Running, 0.0)
    house.time += 1
    await house.fleet.observe("pool")
    assert sorted(house.store.machines) == ["env-1"]


async def test_a_machine_that_no_provider_was_asked_for_counts_no_longer(house: House) -> None:
    house.fleet.launch(replace(house.order(), provider="elsewhere"))
    await until(lambda: house.told)
    assert not house.store.machines


async def test_retire_is_repeated_until_the_machine_is_gone(house: House) -> None:
    house.fleet.launch(house.order())
    await until(lambda: house.pool.machines)
    house.pool.failure = ProviderError("try later")
    house.fleet.retire(Retire("env-1", "env", "pool", "was idle"))
    assert house.store.retiring == {"env-1": "was idle"}
    await asyncio.sleep(0)
    house.pool.failure = None
    await until(lambda: house.unregistered == ["env-1"])
    assert house.pool.retired == ["env-1"]
    assert not house.store.machines
    assert not house.store.retiring


async def test_a_provider_that_fails_is_told_to_its_environments_and_forgets_no_machine(house: House) -> None:
    house.fleet.launch(house.order())
    await until(lambda: house.pool.machines)
    house.pool.failure = ProviderError("engine is down")
    house.time += 100
    await house.fleet.observe("pool")
    assert house.store.provider_problems == {"pool": "engine is down"}
    assert "env-1" in house.store.machines
    house.pool.failure = None
    await house.fleet.observe("pool")
    assert house.store.provider_problems == {}


async def test_a_machine_that_vanished_is_forgotten(house: House) -> None:
    house.fleet.launch(house.order())
    await until(lambda: house.pool.machines)
    house.time += 1
    await house.fleet.observe("pool")
    house.pool.machines.clear()
    house.time += 1
    await house.fleet.observe("pool")
    assert not house.store.machines


async def test_a_provider_that_this_operator_lacks_is_named(house: House) -> None:
    await house.fleet.observe("elsewhere")
    assert "elsewhere" in house.store.provider_problems["elsewhere"]


async def test_a_machine_that_goes_by_its_nodes_name_is_not_counted_under_its_orders_too(house: House) -> None:
    """Its launch may still be under way when a look finds it with a node."""
    house.pool.gate.clear()
    house.fleet.launch(house.order())
    named = Machine("ip-1", "env", "s1", "OnDemand", MachineState.Running, 1000.0, ordered_as="env-1")
    house.pool.machines["ip-1"] = named
    house.time += 1
    look = asyncio.create_task(house.fleet.observe("pool"))
    await house.pool.observed.wait()
    house.pool.gate.set()
    await look
    assert house.store.machines == {"ip-1": named}
