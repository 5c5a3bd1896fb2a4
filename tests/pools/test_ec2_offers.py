"""Provider ec2 tells sizes and prices: from moto, from a price list as AWS has it, and in words what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest
from aws import REGION, Front, product
from yard_ec2 import _CLIENTS, Ec2Yard

from batchyard.model.machine import Shape
from batchyard.model.offer import UNREACHABLE, Inquiry, Offer, Quotation
from batchyard.model.resources import Resources
from batchyard.pools.ec2 import Ec2Provider
from batchyard.pools.ec2_cloud import Cloud
from batchyard.pools.ec2_prices import endpoint, latest, on_demand
from batchyard.pools.ec2_types import Size, least, size

GIB = 2**30
GPU = "g5g.2xlarge"  # moto has it in zone c only
NEW, OLD = "2027-01-15T08:00:00.000Z", "2027-01-15T07:00:00.000Z"


class Clock:
    """A wall clock that the tests move."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def front(account: Any) -> Iterator[Front]:
    front: Front = account.front
    front.seen.clear()
    front.asked.clear()
    yield front
    for table in (front.errors, front.spot, front.prices):
        table.clear()


@pytest.fixture
def subnets(account: Any) -> dict[str, str]:
    """The subnets of the account by zone."""
    found = boto3.client("ec2", region_name=REGION).describe_subnets()["Subnets"]
    return {each["AvailabilityZone"][-1]: each["SubnetId"] for each in found}


@pytest.fixture
def provider(account: Any, clock: Clock) -> Ec2Provider:
    cloud = Cloud()
    cloud._clients = _CLIENTS
    return Ec2Provider(uuid4().hex, list, cloud=cloud, now=clock)


def inquiry(*names: str, spot: bool = True, **settings: Any) -> Inquiry:
    """Return the question for all of these names."""
    given = {"region": REGION, "launchTemplate": {"id": "lt-1"}, **settings}
    return Inquiry(given, names, names, names if spot else ())


def market(front: Front, **prices: Mapping[str, str]) -> None:
    """Have spot prices by type and zone."""
    front.spot[:] = [
        (name.replace("_", "."), f"{REGION}{zone}", price, NEW)
        for name, zones in prices.items()
        for zone, price in zones.items()
    ]


def by_name(told: Quotation) -> dict[str, Offer]:
    return {offer.name: offer for offer in told.offers}


def calls(front: Front) -> list[str]:
    return [request["Action"] for request in front.seen]


async def test_sizes_are_those_of_the_whole_machine(provider: Ec2Provider, front: Front) -> None:
    front.prices.update({"m5.large": "0.1150000000", GPU: "0.7"})
    market(front, m5_large={"a": "0.05"}, g5g_2xlarge={"c": "0.3"})
    told = await provider.offers(inquiry("m5.large", GPU))
    assert told.problems == ()
    offers = by_name(told)
    assert offers["m5.large"] == Offer(
        "m5.large", Resources(cpu=2000, memory=8 * GIB, pods=29), "amd64", "0.115", "0.05"
    )
    gpus = Resources(cpu=8000, memory=16 * GIB, pods=58, extended=(("nvidia.com/gpu", 1),))
    assert offers[GPU] == Offer(GPU, gpus, "arm64", "0.7", "0.3")


async def test_a_type_that_ec2_does_not_have_harms_no_other(provider: Ec2Provider, front: Front) -> None:
    front.prices["m5.large"] = "0.115"
    told = await provider.offers(inquiry("m5.lrage", "m5.large", spot=False))
    (problem,) = told.problems
    assert problem.reason == "UnknownInstanceType"
    assert problem.message == (
        "EC2 has no instance type 'm5.lrage' in eu-central-1; correct the name in spec.instanceTypes; for a name of "
        "your own write cpu and memory, and EC2's types in spec.provider.ec2.alternatives"
    )
    assert by_name(told)["m5.lrage"] == Offer("m5.lrage")
    assert by_name(told)["m5.large"].resources is not None


async def test_a_type_that_the_environments_zones_do_not_have_is_told(
    provider: Ec2Provider, front: Front, subnets: dict[str, str]
) -> None:
    told = await provider.offers(inquiry(GPU, spot=False, subnetIds=[subnets["a"], subnets["b"]]))
    problem = told.problems[0]
    assert problem.reason == "NotOffered"
    where = "not in eu-central-1a, eu-central-1b, only in eu-central-1c"
    assert problem.message.startswith(f"EC2 offers g5g.2xlarge {where}; add a subnet there")
    assert by_name(told)[GPU].resources is None
    there = await provider.offers(inquiry(GPU, spot=False, subnetIds=[subnets["c"]]))
    assert by_name(there)[GPU].resources is not None


async def test_the_spot_price_is_the_lowest_of_the_environments_zones(
    provider: Ec2Provider, front: Front, subnets: dict[str, str]
) -> None:
    market(front, m5_large={"a": "0.05", "b": "0.04", "c": "0.01"})
    front.spot.append(("m5.large", f"{REGION}b", "0.001", OLD))
    told = await provider.offers(inquiry("m5.large", subnetIds=[subnets["a"], subnets["b"]]))
    assert by_name(told)["m5.large"].spot_price_per_hour == "0.04"


async def test_a_name_of_ones_own_has_what_all_its_types_have(provider: Ec2Provider, front: Front) -> None:
    front.prices.update({"m5.large": "0.115", "c5.large": "0.097"})
    market(front, m5_large={"a": "0.03"}, c5_large={"a": "0.04"})
    several = [{"shape": "any", "types": ["m5.large", "c5.large", "c5.lrage"]}]
    told = await provider.offers(inquiry("any", alternatives=several))
    assert by_name(told)["any"] == Offer("any", Resources(cpu=2000, memory=4 * GIB, pods=29), "amd64", "0.097", "0.03")
    (problem,) = told.problems
    assert problem.message.endswith("correct it in spec.provider.ec2.alternatives")


async def test_what_is_fresh_is_not_read_again(provider: Ec2Provider, front: Front, clock: Clock) -> None:
    front.prices["m5.large"] = "0.115"
    market(front, m5_large={"a": "0.05"})
    await provider.offers(inquiry("m5.large"))
    first = calls(front)
    assert first.count("DescribeInstanceTypes") == first.count("DescribeSpotPriceHistory") == len(front.asked) == 1
    front.seen.clear()
    await provider.offers(inquiry("m5.large"))
    assert calls(front) == []
    clock.time += 600
    market(front, m5_large={"a": "0.06"})
    told = await provider.offers(inquiry("m5.large"))
    assert calls(front) == ["DescribeSpotPriceHistory"]
    assert by_name(told)["m5.large"].spot_price_per_hour == "0.06"
    clock.time += 86_400
    front.seen.clear()
    await provider.offers(inquiry("m5.large"))
    assert sorted(set(calls(front)) - {"GetProducts"}) == [
        "DescribeInstanceTypeOfferings", "DescribeInstanceTypes", "DescribeSpotPriceHistory",
    ]  # fmt: skip
    assert len(front.asked) == 2


async def test_only_what_is_left_open_is_asked_for(provider: Ec2Provider, front: Front) -> None:
    given = inquiry("m5.large")
    await provider.offers(replace(given, sizes=(), prices=()))
    assert calls(front) == ["DescribeSpotPriceHistory"]


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("GetProducts", "AccessDeniedException", ("on-demand prices", "pricing:GetProducts", "pricePerHour")),
        ("DescribeSpotPriceHistory", "UnauthorizedOperation", ("spot prices", "ec2:DescribeSpot", "spotPricePerHour")),
        ("DescribeInstanceTypes", "UnauthorizedOperation", ("sizes", "ec2:DescribeInstanceTypes", "cpu and memory")),
    ],
)
async def test_without_a_right_the_rest_is_told_and_the_sentence_names_right_and_field(
    provider: Ec2Provider, front: Front, action: str, code: str, words: tuple[str, str, str]
) -> None:
    front.prices["m5.large"] = "0.115"
    front.errors.append((action, code))
    told = await provider.offers(inquiry("m5.large"))
    (problem,) = told.problems
    assert problem.reason == "NotAllowed"
    assert problem.message.startswith(f"{words[0]} of m5.large are not known: the operator lacks the right {words[1]}")
    assert problem.message.endswith(f"(docs/how-to/ec2.md), or write {words[2]} in spec.instanceTypes")
    offer = by_name(told)["m5.large"]
    known = (offer.price_per_hour, offer.spot_price_per_hour, offer.resources)
    assert [bool(each) for each in known] == [action not in each for each in (
        ("GetProducts",), ("DescribeSpotPriceHistory",), ("DescribeInstanceTypes",),
    )]  # fmt: skip
    again = await provider.offers(inquiry("m5.large"))  # the right was given meanwhile
    assert again.problems == ()


async def test_slower_is_met_with_another_try(provider: Ec2Provider, front: Front) -> None:
    front.prices["m5.large"] = "0.115"
    front.errors += [("GetProducts", "ThrottlingException")]
    told = await provider.offers(inquiry("m5.large", spot=False))
    assert told.problems == ()
    assert by_name(told)["m5.large"].price_per_hour == "0.115"


async def test_an_aws_that_is_away_leaves_what_was_read(provider: Ec2Provider, front: Front, clock: Clock) -> None:
    front.prices["m5.large"] = "0.115"
    market(front, m5_large={"a": "0.05"})
    before = await provider.offers(inquiry("m5.large"))
    clock.time += 600
    provider._cloud._timeout = 0.0
    told = await provider.offers(inquiry("m5.large"))
    assert [problem.reason for problem in told.problems] == [UNREACHABLE]
    assert told.offers == before.offers


async def test_a_type_without_a_price_is_told(provider: Ec2Provider, front: Front) -> None:
    market(front, c5_large={"a": "0.04"})
    told = await provider.offers(inquiry("m5.large"))
    assert [problem.reason for problem in told.problems] == ["NotPriced", "NotPriced"]
    assert told.problems[0].message.endswith("write pricePerHour in spec.instanceTypes")
    assert told.problems[1].message.endswith("write spotPricePerHour in spec.instanceTypes")


@pytest.fixture
def yard(account: Any, subnets: dict[str, str]) -> Ec2Yard:
    return Ec2Yard([subnets["a"]])


def asked_for(price: str) -> Shape:
    whole = Resources(cpu=2000, memory=8 * GIB, pods=29)
    return Shape("m5.large", whole, "0.115", price, asked=frozenset({"Spot"}))


async def test_a_machine_keeps_the_price_of_its_launch(provider: Ec2Provider, front: Front, yard: Ec2Yard) -> None:
    provider._settings = lambda: [yard.settings]
    await provider.launch(replace(yard.order("kept-1"), shape=asked_for("0.05")))
    await provider.launch(yard.order("written-1"))
    seen = {machine.name: machine.price_per_hour for machine in await provider.observe()}
    assert seen == {"kept-1": "0.05", "written-1": ""}  # a price of the spec may change for the machines that are there


async def test_a_machine_in_a_dearer_zone_is_told_its_own_price(
    provider: Ec2Provider, front: Front, yard: Ec2Yard
) -> None:
    provider._settings = lambda: [yard.settings]
    market(front, m5_large={"a": "0.06", "b": "0.05"})
    await provider.offers(inquiry("m5.large"))
    await provider.launch(replace(yard.order("dearer-1"), shape=asked_for("0.05")))
    assert [machine.price_per_hour for machine in await provider.observe()] == ["0.06"]


def test_a_tag_that_is_no_price_is_none() -> None:
    from batchyard.pools import ec2_instance as ec2

    tags = {ec2.NODE: "n", ec2.PRICE: "NaN"}
    instance = {
        "InstanceId": "i-1",
        "State": {"Name": "running"},
        "LaunchTime": datetime.fromtimestamp(5, UTC),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    assert ec2.machine(instance).price_per_hour == ""


@pytest.mark.parametrize(
    ("items", "price"),
    [
        ([], ""),
        ([product("0.1150000000")], "0.115"),
        ([product("0.0000000000")], ""),
        ([product("0.2"), product("0.1")], "0.1"),
        ([product("3.0", unit="Quantity")], ""),
        ([{"product": {}, "terms": {}}], ""),
        ([product("1.5", currency="CNY")], "1.5"),
    ],
)
def test_products_are_read(items: list[dict[str, Any]], price: str) -> None:
    assert on_demand({"PriceList": items}) == price


def test_the_price_list_of_china_is_in_china() -> None:
    assert [endpoint(region) for region in ("eu-central-1", "cn-north-1")] == ["us-east-1", "cn-northwest-1"]


def test_of_several_prices_the_latest_holds() -> None:
    def entry(price: str, second: int) -> dict[str, Any]:
        when = datetime(2027, 1, 1, 0, 0, second, tzinfo=UTC)
        return {"InstanceType": "t", "AvailabilityZone": "z", "SpotPrice": price, "Timestamp": when}

    assert latest([entry("0.2", 5), entry("0.1", 3), entry("none", 7)]) == {("t", "z"): "0.2"}


def described(vcpus: int, mebibytes: int, **more: Any) -> dict[str, Any]:
    return {"VCpuInfo": {"DefaultVCpus": vcpus}, "MemoryInfo": {"SizeInMiB": mebibytes}, **more}


@pytest.mark.parametrize(
    ("more", "devices"),
    [
        ({}, ()),
        ({"GpuInfo": {"Gpus": [{"Manufacturer": "NVIDIA", "Count": 4}]}}, (("nvidia.com/gpu", 4),)),
        ({"GpuInfo": {"Gpus": [{"Manufacturer": "AMD", "Count": 1}]}}, (("amd.com/gpu", 1),)),
        ({"GpuInfo": {"Gpus": [{"Manufacturer": "Habana", "Count": 8}]}}, (("habana.ai/gaudi", 8),)),
        ({"NeuronInfo": {"NeuronDevices": [{"Name": "Trainium", "Count": 16}]}}, (("aws.amazon.com/neuron", 16),)),
        ({"GpuInfo": {"Gpus": [{"Manufacturer": "Somebody", "Count": 1}]}}, ()),
    ],
)
def test_devices_are_named_as_nodes_name_them(more: dict[str, Any], devices: tuple[tuple[str, int], ...]) -> None:
    assert size(described(4, 16384, **more)).resources.extended == devices


def test_of_several_types_the_least_is_offered() -> None:
    one = Size(Resources(cpu=2000, memory=8 * GIB, pods=29, extended=(("nvidia.com/gpu", 2),)), "amd64")
    other = Size(Resources(cpu=4000, memory=4 * GIB, pods=58, extended=(("amd.com/gpu", 1),)), "arm64")
    assert least([one, other]) == Size(Resources(cpu=2000, memory=4 * GIB, pods=58), "")
    assert least([one]) == one
