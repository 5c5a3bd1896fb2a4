"""EC2's answer to what an environment leaves open, and in words what could not be found out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from batchyard.model.offer import UNREACHABLE, Inquiry, Offer, Problem, Quotation
from batchyard.pools.base import ProviderError
from batchyard.pools.ec2_cloud import AwsError
from batchyard.pools.ec2_instance import options
from batchyard.pools.ec2_market import Market, Zones
from batchyard.pools.ec2_types import Size, least

MOST_PROBLEMS = 20
_DENIED = frozenset({"UnauthorizedOperation", "AccessDeniedException", "AccessDenied"})
_SHOWN = 5  # names in a sentence
_FIELD = "in spec.instanceTypes"
_OF = "in spec.provider.ec2.alternatives"


@dataclass(frozen=True, slots=True)
class _Reading:
    """One kind of fact: the right that it takes, how it is named, what a person can write instead."""

    right: str
    what: str
    instead: str
    read: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Question:
    """An inquiry as EC2 understands it; `types` has the EC2 types behind each name."""

    market: Market
    asked: Inquiry
    region: str
    subnets: tuple[str, ...]
    types: dict[str, tuple[str, ...]]

    def of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return all types behind some names."""
        return tuple(dict.fromkeys(each for name in names for each in self.types[name]))

    @property
    def zones(self) -> Zones | None:
        """Return the zones of the environment, None where it may be in any or they are not known."""
        return self.market.subnets.get((self.region, self.subnets)) if self.subnets else None


async def quotation(market: Market, asked: Inquiry) -> Quotation:
    """Read what is old of what is asked for, and answer with all that is known."""
    wanted = options(asked.settings)
    types = {name: tuple((wanted.types or {}).get(name) or (name,)) for name in asked.names}
    question = _Question(market, asked, wanted.region, wanted.subnets, types)
    failures = [failure for reading in _readings(question) if (failure := await _try(reading)) is not None]
    problems = [*failures, *_missing(question)]
    return Quotation(tuple(_offer(question, name) for name in asked.names), tuple(problems[:MOST_PROBLEMS]))


def _readings(question: _Question) -> Iterator[_Reading]:
    market, asked, region = question.market, question.asked, question.region
    if asked.sizes or asked.spot_prices:
        what = "the zones of spec.provider.ec2.subnetIds"
        yield _Reading("ec2:DescribeSubnets", what, "", lambda: market.read_subnets(region, question.subnets))
    if asked.sizes:
        what, instead, types = f"sizes of {_some(asked.sizes)}", f"cpu and memory {_FIELD}", question.of(asked.sizes)
        right = "ec2:DescribeInstanceTypeOfferings"
        yield _Reading(
            right, f"the zones that offer {_some(asked.sizes)}", instead, lambda: market.read_zones(region, types)
        )
        yield _Reading("ec2:DescribeInstanceTypes", what, instead, lambda: market.read_sizes(region, types))
    if asked.prices:
        what, full = f"on-demand prices of {_some(asked.prices)}", question.of(asked.prices)
        yield _Reading("pricing:GetProducts", what, f"pricePerHour {_FIELD}", lambda: market.read_prices(region, full))
    if asked.spot_prices:
        what, spot = f"spot prices of {_some(asked.spot_prices)}", question.of(asked.spot_prices)
        right = "ec2:DescribeSpotPriceHistory"
        yield _Reading(right, what, f"spotPricePerHour {_FIELD}", lambda: market.read_spot(region, spot))


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


async def _try(reading: _Reading) -> Problem | None:
    try:
        await reading.read()
    except ProviderError as error:
        if isinstance(error, AwsError) and error.code in _DENIED:
            instead = f", or write {reading.instead}" if reading.instead else ""
            mend = f"allow it in its IAM policy (docs/how-to/ec2.md){instead}"
            lacks = f"the operator lacks the right {reading.right}"
            return Problem("NotAllowed", f"{reading.what} are not known: {lacks}; {mend}")
        reason = UNREACHABLE if error.reason == UNREACHABLE else "Refused"
        return Problem(reason, f"{reading.what} cannot be read: {error}")
    return None


def _offer(question: _Question, name: str) -> Offer:
    asked = question.asked
    size = _size(question, name) if name in asked.sizes else None
    return Offer(
        name=name,
        resources=size.resources if size else None,
        architecture=size.architecture if size else "",
        price_per_hour=_lowest(_full(question, name)) if name in asked.prices else "",
        spot_price_per_hour=_lowest(_spot(question, name)) if name in asked.spot_prices else "",
    )


def _size(question: _Question, name: str) -> Size | None:
    known = (question.market.sizes.get((question.region, each)) for each in _offered(question, name))
    sizes = [size for size in known if size is not None]
    return least(sizes) if sizes else None


def _offered(question: _Question, name: str) -> Iterator[str]:
    """Return the types behind a name that the environment's zones have, as far as that is known."""
    for each in question.types[name]:
        where = question.market.zones.get((question.region, each))
        if where is None or (where and (question.zones is None or where & question.zones)):
            yield each


def _lowest(prices: Iterator[str]) -> str:
    """Return what EC2 takes at the least: the strategies of a fleet look for that, and a machine is told its own."""
    return min(filter(None, prices), key=Decimal, default="")


def _full(question: _Question, name: str) -> Iterator[str]:
    return (question.market.prices.get((question.region, each)) or "" for each in _offered(question, name))


def _spot(question: _Question, name: str) -> Iterator[str]:
    for each in question.types[name]:
        for zone, price in (question.market.spot.get((question.region, each)) or {}).items():
            if question.zones is None or zone in question.zones:
                yield price


def _missing(question: _Question) -> Iterator[Problem]:
    """Return what EC2 has answered that it does not have."""
    for name in question.asked.names:
        found = [problem for each in question.types[name] if (problem := _unsold(question, name, each))]
        yield from found
        if len(found) < len(question.types[name]):
            yield from _unpriced(question, name)


def _unsold(question: _Question, name: str, each: str) -> Problem | None:
    market, place = question.market, (question.region, each)
    if name not in question.asked.sizes:
        return None
    where = market.zones.get(place)
    own = each == name
    if where == frozenset() or (place in market.sizes and market.sizes.get(place) is None):
        mend = f"correct it {_OF}"
        if own:
            mend = f"correct the name {_FIELD}; for a name of your own write cpu and memory, and EC2's types {_OF}"
        return Problem("UnknownInstanceType", f"EC2 has no instance type {each!r} in {question.region}; {mend}")
    if where and question.zones is not None and not where & question.zones:
        here, there = ", ".join(sorted(question.zones)), ", ".join(sorted(where))
        mend = f"add a subnet there to spec.provider.ec2.subnetIds, or choose another type {_FIELD if own else _OF}"
        return Problem("NotOffered", f"EC2 offers {each} not in {here}, only in {there}; {mend}")
    return None


def _unpriced(question: _Question, name: str) -> Iterator[Problem]:
    market, types, asked = question.market, [(question.region, each) for each in question.types[name]], question.asked
    if name in asked.prices and all(place in market.prices for place in types) and not _lowest(_full(question, name)):
        yield Problem(
            "NotPriced", f"AWS lists no on-demand price of {name} in {question.region}; write pricePerHour {_FIELD}"
        )
    if (
        name in asked.spot_prices
        and all(place in market.spot for place in types)
        and not _lowest(_spot(question, name))
    ):
        yield Problem("NotPriced", f"EC2 tells no spot price of {name} in these zones; write spotPricePerHour {_FIELD}")
