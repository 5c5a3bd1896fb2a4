"""What EC2 sells and for how much, as it was last read; each fact is read again when it has become old."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from batchyard.pools.ec2_cloud import Cloud
from batchyard.pools.ec2_prices import endpoint, history, latest, on_demand, products
from batchyard.pools.ec2_types import Size, size

V = TypeVar("V")
DAY, SPOT_SECONDS = 86_400.0, 540.0  # spot prices are asked for every ten minutes, and are then old
JITTER = 0.1
TYPES_AT_ONCE, PRICES_AT_ONCE = 100, 4  # in one request; requests at a time
Zones = frozenset[str]
Place = tuple[str, str]  # region, instance type


class Shelf(Generic[V]):
    """Facts by name, with the time when each is to be read again; one that cannot be read again stays."""

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._facts: dict[Any, tuple[V, float]] = {}

    def old(self, names: Iterable[Any]) -> list[Any]:
        """Return the names of which nothing is known, or only what is old."""
        return [name for name in dict.fromkeys(names) if self._facts.get(name, (None, 0.0))[1] <= self._now()]

    def put(self, name: Any, fact: V) -> None:
        """Keep a fact that was read just now; what is not there is a fact too."""
        spread = random.uniform(1 - JITTER, 1)  # noqa: S311 it is no secret
        self._facts[name] = fact, self._now() + self._seconds * spread

    def __contains__(self, name: Any) -> bool:
        return name in self._facts

    def get(self, name: Any) -> V | None:
        """Return what is known, however old."""
        return self._facts[name][0] if name in self._facts else None


class Market:
    """The shelves, and how they are filled; every verb raises ProviderError, and keeps what it has read before."""

    def __init__(self, cloud: Cloud, now: Callable[[], float] = time.time) -> None:
        self._cloud = cloud
        self._now = now
        self.sizes: Shelf[Size | None] = Shelf(DAY, now)  # by Place
        self.zones: Shelf[Zones] = Shelf(DAY, now)  # by Place: where a type is offered
        self.prices: Shelf[str] = Shelf(DAY, now)  # by Place: on demand; empty: the list has none
        self.spot: Shelf[Mapping[str, str]] = Shelf(SPOT_SECONDS, now)  # by Place: zone -> price
        self.subnets: Shelf[Zones] = Shelf(DAY, now)  # by region and subnets: the zones that they are in

    def price(self, region: str, name: str, zone: str, *, spot: bool) -> str:
        """Return what an hour of a type costs in a zone, empty if that is not known."""
        return (self.spot.get((region, name)) or {}).get(zone, "") if spot else self.prices.get((region, name)) or ""

    async def read_subnets(self, region: str, subnets: tuple[str, ...]) -> None:
        """Read which zones an environment is in; without subnets of its own it may be anywhere."""
        if subnets and self.subnets.old([(region, subnets)]):
            answer = await self._cloud.call("ec2", region, "describe_subnets", {"SubnetIds": list(subnets)})
            self.subnets.put((region, subnets), frozenset(each["AvailabilityZone"] for each in answer["Subnets"]))

    async def read_zones(self, region: str, types: Sequence[str]) -> None:
        """Read in which zones of a region types are offered."""
        for some in _lots(_names(self.zones.old((region, name) for name in types))):
            asked = {"LocationType": "availability-zone", "Filters": _of(some)}
            entries = await self._all(region, "describe_instance_type_offerings", asked, "InstanceTypeOfferings")
            for name in some:
                where = (entry["Location"] for entry in entries if entry["InstanceType"] == name)
                self.zones.put((region, name), frozenset(where))

    async def read_sizes(self, region: str, types: Sequence[str]) -> None:
        """Read how large types are; of one that EC2 does not know it is noted that it has no size."""
        for some in _lots(_names(self.sizes.old((region, name) for name in types))):
            # Not by InstanceTypes: one name that EC2 does not know would fail the request for all.
            entries = await self._all(region, "describe_instance_types", {"Filters": _of(some)}, "InstanceTypes")
            found = {entry["InstanceType"]: size(entry) for entry in entries}
            for name in some:
                self.sizes.put((region, name), found.get(name))

    async def read_prices(self, region: str, types: Sequence[str]) -> None:
        """Read what types cost on demand; where the first may not be asked for, no other is."""
        old = _names(self.prices.old((region, name) for name in types))
        for some in (old[:1], *_lots(old[1:], PRICES_AT_ONCE)):
            await asyncio.gather(*(self._read_price(region, name) for name in some))

    async def _read_price(self, region: str, name: str) -> None:
        answer = await self._cloud.call("pricing", endpoint(region), "get_products", products(region, name))
        self.prices.put((region, name), on_demand(answer))

    async def read_spot(self, region: str, types: Sequence[str]) -> None:
        """Read what types cost on spot in each zone."""
        for some in _lots(_names(self.spot.old((region, name) for name in types))):
            entries = await self._all(
                region, "describe_spot_price_history", history(some, self._now()), "SpotPriceHistory"
            )
            found = latest(entries)
            for name in some:
                self.spot.put((region, name), {zone: price for (of, zone), price in found.items() if of == name})

    async def _all(self, region: str, operation: str, asked: Mapping[str, Any], what: str) -> list[Mapping[str, Any]]:
        """Return the entries of all pages of an answer."""
        found: list[Mapping[str, Any]] = []
        page: dict[str, str] = {}
        while True:
            answer = await self._cloud.call("ec2", region, operation, {**asked, **page})
            found += answer.get(what) or ()
            if not answer.get("NextToken"):
                return found
            page = {"NextToken": answer["NextToken"]}


def _names(places: Iterable[Place]) -> list[str]:
    return [name for _, name in places]


def _lots(names: Sequence[str], most: int = TYPES_AT_ONCE) -> list[Sequence[str]]:
    """Return names in lots of `most`."""
    return [names[first : first + most] for first in range(0, len(names), most)]


def _of(types: Iterable[str]) -> list[dict[str, Any]]:
    return [{"Name": "instance-type", "Values": list(types)}]
