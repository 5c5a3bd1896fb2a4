"""What specs leave to their providers is asked for at once, then every ten minutes, and sooner after a failure."""

from __future__ import annotations

import asyncio

import pytest

from batchyard.engine import offers as module
from batchyard.engine.bell import Bell
from batchyard.engine.offers import Desk, Inquiries
from batchyard.model.offer import Entry, Inquiry, Offer, Quotation
from batchyard.model.resources import Resources
from batchyard.pools.base import Provider, ProviderError
from batchyard.pools.ec2 import Ec2Provider
from batchyard.pools.simulated import SimulatedProvider
from batchyard.world.store import Store
from batchyard.world.views import Environment
from builders import newer

SIZE = Resources(cpu=2000, memory=8 * 2**30, pods=29)


class Shop:
    """A provider in memory that knows one type, whose answers can fail or be held up."""

    def __init__(self) -> None:
        self.asked: list[Inquiry] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.price = "0.05"

    async def offers(self, inquiry: Inquiry) -> Quotation:
        self.asked.append(inquiry)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Quotation(tuple(Offer(name, SIZE, "amd64", "0.12", self.price) for name in inquiry.names))


class House:
    """Inquiries with one shop, or one for each environment, and a clock that the tests move."""

    def __init__(self) -> None:
        self.store, self.shops, self.time = Store(), {"ec2": Shop()}, 1000.0
        self.inquiries = Inquiries(Desk(self.store, Bell(), self._provider, lambda: self.time, lambda: self.time))
        self.open("env")

    @property
    def shop(self) -> Shop:
        return self.shops["ec2"]

    async def _provider(self, name: str) -> Provider:
        return self.shops[name]  # type: ignore[return-value]  # it has no machines

    def open(self, name: str, provider: str = "ec2", *types: str) -> None:
        entries = tuple(Entry(each, None, 110) for each in types or ("m7i.large",))
        known = self.store.environments.get(name)
        fields = {"provider": provider, "entries": entries, "capacity_type": "Spot", "max_vcpus": 8}
        generation = known.generation + 1 if known else 1
        self.store.apply(newer(Environment(name=name, uid=name), generation=generation, **fields))

    async def ask(self) -> int:
        """Ask for all that is due; return how many environments that are."""
        due = self.inquiries.due()
        for view, asks in due:
            await self.inquiries.ask(view, asks)
        return len(due)

    def said(self, name: str = "env") -> list[str]:
        return [problem.message for problem in self.store.offers[name].problems]


@pytest.fixture
def house() -> House:
    return House()


async def test_what_a_spec_leaves_open_is_asked_for_at_once_and_then_every_ten_minutes(house: House) -> None:
    assert await house.ask() == 1
    (found,) = house.store.environments["env"].shapes
    assert (found.resources.cpu, found.spot_price_per_hour) == (2000, "0.05")
    house.time += module.EVERY * (1 - module.JITTER) - 1
    assert await house.ask() == 0
    house.shop.price = "0.08"
    house.time += 2 * module.EVERY * module.JITTER + 2
    assert await house.ask() == 1
    assert house.store.environments["env"].shapes[0].spot_price_per_hour == "0.08"


async def test_a_changed_spec_is_asked_for_at_once(house: House) -> None:
    await house.ask()
    house.open("env", "ec2", "m7i.large", "c7i.large")
    assert await house.ask() == 1
    assert [shape.name for shape in house.store.environments["env"].shapes] == ["m7i.large", "c7i.large"]


async def test_a_failure_keeps_what_was_told_and_is_tried_again_later_and_later(house: House) -> None:
    await house.ask()
    house.shop.failure = ProviderError("AWS cannot be reached", reason="ProviderUnavailable")
    house.time += 2 * module.EVERY
    pauses = []
    for _ in range(6):
        began = house.time
        assert await house.ask() == 1
        while not house.inquiries.due():
            house.time += 1
        pauses.append(house.time - began)
    assert house.said() == ["AWS cannot be reached"]
    assert house.store.environments["env"].shapes[0].spot_price_per_hour == "0.05"
    wanted = [60, 120, 240, 480, 600, 600]
    for pause, want in zip(pauses, wanted, strict=True):
        assert abs(pause - want) <= want * module.JITTER + 1, pauses
    house.shop.failure = None
    await house.ask()
    assert house.said() == []


async def test_a_failure_before_anything_was_told_leaves_the_status_in_force(house: House) -> None:
    await house.ask()
    offers = [{"instanceType": "m7i.large", "cpu": "4", "memory": "16Gi", "readAt": "2027-01-01T00:00:00Z"}]
    house.store.remove(house.store.environments["env"])
    house.store.offers.clear()
    house.store.apply(after_restart(offers))
    house.shop.failure = ProviderError("no")
    await house.ask()
    assert house.store.environments["env"].shapes[0].resources.cpu == 4000


def after_restart(offers: list[dict[str, str]]) -> Environment:
    entries = (Entry("m7i.large", None, 110),)
    return newer(Environment(name="env", uid="again"), provider="ec2", entries=entries, status={"offers": offers})


async def test_a_provider_that_hangs_keeps_no_other_environment_waiting(house: House) -> None:
    house.shops["slow"] = Shop()
    house.shops["slow"].gate.clear()
    house.open("slow", "slow")
    task = asyncio.create_task(house.inquiries.run())
    try:
        async with asyncio.timeout(5):
            while not house.store.environments["env"].shapes or not house.shops["slow"].asked:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert house.store.environments["slow"].shapes == ()
        assert [view.name for view, _ in house.inquiries.due()] == []
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_provider_without_a_catalogue_is_told_in_words(house: House) -> None:
    house.shops["plain"] = object()  # type: ignore[assignment]
    house.open("plain", "plain")
    await house.ask()
    assert house.said("plain") == ["provider plain knows no sizes and prices; write them in spec.instanceTypes"]


async def test_what_is_gone_is_forgotten(house: House) -> None:
    await house.ask()
    house.store.remove(house.store.environments["env"])
    assert await house.ask() == 0
    assert house.store.offers == {}


def test_of_our_providers_ec2_has_a_catalogue() -> None:
    assert hasattr(Ec2Provider, "offers")
    assert not hasattr(SimulatedProvider, "offers")
