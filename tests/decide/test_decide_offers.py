"""Sizes and prices that the provider tells: which price holds, what a status says, and what machines and jobs cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.decide.allocate import is_within
from batchyard.decide.attempts import node_price
from batchyard.model.machine import Shape
from batchyard.model.offer import Entry, Offer, Problem, Quotation
from batchyard.model.plan import Launch, Report, Start
from batchyard.model.resources import Resources
from batchyard.world import parse
from batchyard.world.assume import assume_report
from batchyard.world.offers import DAY, inquiry, renewed, shape_of
from batchyard.world.reserve import reserve
from batchyard.world.store import Store
from builders import (
    NOW,
    Body,
    environment,
    exited,
    job,
    machine,
    metadata,
    newer,
    node,
    of,
    pod,
    queue,
    running,
    store,
    succeeded,
    template,
)  # fmt: skip

GIB = 2**30
LARGE = Resources(cpu=2000, memory=8 * GIB, pods=29)
OFFER = Offer("m7i.large", LARGE, "amd64", "0.12", "0.05", NOW)
BARE = Entry("m7i.large", None, 110)
SPOT: Any = {"capacity_type": "Spot", "shapes": (), "provider": "ec2"}


def pool(*entries: Entry, **fields: Any) -> Any:
    return environment(**{**SPOT, "entries": entries or (BARE,), **fields})


def quote(known: Store, *offers: Offer, problems: tuple[Problem, ...] = (), at: float = NOW) -> bool:
    return known.quote(known.environments["pool"], Quotation(offers, problems), at)


def report(known: Store, at: float) -> Body:
    """Decide, and take for written what an environment says; return that, or nothing."""
    for verb in of(decide(known, at), Report):
        assume_report(known, verb, at)
        if verb.name == "pool":
            return dict(verb.status)
    return {}


def shape(known: Store, number: int = 0) -> Shape:
    return known.environments["pool"].shapes[number]


@pytest.mark.parametrize(
    ("written", "told", "full", "spot", "asked"),
    [
        (("", ""), ("0.12", "0.05"), "0.12", "0.05", {"OnDemand", "Spot"}),
        (("0.5", ""), ("0.12", "0.05"), "0.5", "0.05", {"Spot"}),
        (("", "0.3"), ("0.12", "0.05"), "0.12", "0.3", {"OnDemand"}),
        (("0.5", "0.3"), ("0.12", "0.05"), "0.5", "0.3", set()),
        (("", ""), ("0.12", ""), "0.12", "0.12", {"OnDemand", "Spot"}),
        (("0.5", ""), ("", ""), "0.5", "0.5", set()),
        (("", ""), ("", "0.05"), "0", "0.05", {"Spot"}),
        (("", ""), ("", ""), "0", "0", set()),
    ],
)
def test_a_price_in_the_spec_is_preferred(
    written: tuple[str, str], told: tuple[str, str], full: str, spot: str, asked: set[str]
) -> None:
    found = shape_of(Entry("a", LARGE, 110, (), *written), Offer("a", None, "", *told))
    assert found is not None
    assert (found.price_per_hour, found.spot_price_per_hour, found.asked) == (full, spot, asked)
    assert found.reserve == Resources()


def test_a_size_in_the_spec_is_preferred_and_nothing_is_taken_off_it() -> None:
    own = Resources(cpu=2000, memory=7 * GIB, pods=20)
    found = shape_of(Entry("a", own, 20), OFFER)
    assert found is not None
    assert (found.resources, found.reserve) == (own, Resources())


def test_a_size_that_is_looked_up_is_the_machines_and_what_it_keeps_is_known() -> None:
    found = shape_of(Entry("a", None, 110, (("example.com/fpga", 1),)), OFFER)
    assert found is not None
    assert found.resources == Resources(cpu=2000, memory=8 * GIB, pods=110, extended=(("example.com/fpga", 1),))
    assert found.reserve == Resources(cpu=70, memory=(255 + 11 * 29 + 100) * 2**20 + 8 * GIB * 75 // 1000)
    assert found.architecture == "amd64"


@pytest.mark.parametrize(("cores", "kept"), [(1, 60), (2, 70), (4, 80), (8, 90), (16, 110), (96, 310)])
def test_the_system_keeps_what_amazons_images_give_it(cores: int, kept: int) -> None:
    assert reserve(Resources(cpu=cores * 1000)).cpu == kept


def test_only_what_is_left_open_is_asked_for() -> None:
    own = Entry("own", LARGE, 110, (), "0.5", "0.3")
    half = Entry("half", LARGE, 110, (), "0.5")
    asked = inquiry(pool(BARE, own, half))
    assert asked is not None
    assert (asked.sizes, asked.prices, asked.spot_prices) == (("m7i.large",), ("m7i.large",), ("m7i.large", "half"))
    assert inquiry(pool(own)) is None
    on_demand = inquiry(pool(BARE, half, capacity_type="OnDemand"))
    assert on_demand is not None
    assert on_demand.spot_prices == ()


def test_a_type_without_a_size_keeps_nobody_from_using_the_others() -> None:
    known = store(pool(Entry("m7i.lrage", None, 110), BARE), queue(), job("a"))
    assert decide(known, NOW).verbs
    assert not of(decide(known, NOW), Launch)
    quote(known, Offer("m7i.lrage"), OFFER, problems=(Problem("UnknownInstanceType", "EC2 has no type 'm7i.lrage'"),))
    (launch,) = of(decide(known, NOW + 1), Launch)
    assert launch.order.shape.name == "m7i.large"
    assert launch.order.labels["kubernetes.io/arch"] == "amd64"
    told = report(known, NOW + 2)
    assert told["phase"] == "Valid"
    assert condition(told) == ("False", "UnknownInstanceType", "EC2 has no type 'm7i.lrage'")


def condition(told: Body) -> tuple[str, str, str] | None:
    found = next((each for each in told["conditions"] if each["type"] == "OffersKnown"), None)
    return (found["status"], found["reason"], found["message"]) if found else None


def test_without_any_size_the_environment_says_so() -> None:
    known = store(pool(), queue(), job("a"))
    told = report(known, NOW)
    assert told["phase"] == "Creating"
    assert condition(told) == ("False", "Reading", "sizes and prices are being read from the provider")
    quote(
        known, Offer("m7i.large"), problems=(Problem("NotAllowed", "the operator may not ec2:DescribeInstanceTypes"),)
    )
    told = report(known, NOW + 10)
    assert told["phase"] == "Invalid"
    assert told["message"].startswith("spec.instanceTypes: the size of m7i.large is not known: the operator may not")


def test_what_waits_is_measured_against_what_a_node_will_really_have() -> None:
    known = store(pool(), queue(), job("a", template=template("2", "1Gi")))
    quote(known, OFFER)
    assert not of(decide(known, NOW), Launch)  # 2 vCPUs less 70 millicores
    known.observe("ec2", [machine("n1", shape(known), capacity_type="Spot")], NOW)
    known.apply(node("n1", shape(known), allocatable=Resources(cpu=2000, memory=7 * GIB, pods=110)))
    assert of(decide(known, NOW + 1), Start)  # a node that is there has told what it keeps: no CPU
    assert known.overheads["pool", "m7i.large"].cpu == 0


def test_a_spot_price_above_the_limit_is_not_paid_until_it_falls() -> None:
    known = store(pool(max_price_percent=50))
    quote(known, OFFER)
    assert is_within(known.environments["pool"], shape(known))
    quote(known, Offer("m7i.large", LARGE, "amd64", "0.12", "0.07"))
    assert not is_within(known.environments["pool"], shape(known))


def test_the_cheaper_type_of_the_day_is_launched() -> None:
    other = Entry("c7i.large", None, 110)
    for price, cheaper in (("0.06", "m7i.large"), ("0.04", "c7i.large")):
        known = store(pool(BARE, other), queue(), job("a"))
        quote(known, OFFER, Offer("c7i.large", LARGE, "amd64", "0.11", price))
        (launch,) = of(decide(known, NOW), Launch)
        assert launch.order.shape.name == cheaper


# What is written of it


def test_a_status_is_written_when_a_price_has_moved_or_a_day_has_passed() -> None:
    known = store(pool())
    assert quote(known, OFFER)
    told = report(known, NOW)
    assert told["offers"] == [
        {
            "instanceType": "m7i.large", "cpu": "2", "memory": "8192Mi", "pods": 29, "architecture": "amd64",
            "pricePerHour": "0.12", "spotPricePerHour": "0.05", "readAt": parse.rfc3339(NOW),
        }
    ]  # fmt: skip
    assert condition(told) == ("True", "Known", "")
    assert not quote(known, Offer("m7i.large", LARGE, "amd64", "0.12", "0.0504"), at=NOW + 600)
    assert report(known, NOW + 600) == {}
    assert quote(known, Offer("m7i.large", LARGE, "amd64", "0.12", "0.0506"), at=NOW + 1200)
    assert report(known, NOW + 1200)["offers"][0]["spotPricePerHour"] == "0.0506"
    assert quote(known, Offer("m7i.large", LARGE, "amd64", "0.12", "0.0506"), at=NOW + 1200 + DAY)
    assert report(known, NOW + 1200 + DAY)["offers"][0]["readAt"] == parse.rfc3339(NOW + 1200 + DAY)


def test_what_cannot_be_read_stays_as_it_was() -> None:
    assert renewed({"m7i.large": OFFER}, [Offer("m7i.large")], NOW + 9 * DAY) == {"m7i.large": OFFER}
    part = renewed({"m7i.large": OFFER}, [Offer("m7i.large", spot_price_per_hour="0.07")], NOW + 5)["m7i.large"]
    assert (part.resources, part.price_per_hour, part.spot_price_per_hour) == (LARGE, "0.12", "0.07")


def test_after_a_restart_the_status_serves_until_the_provider_answers() -> None:
    known = store(pool())
    quote(known, OFFER)
    report(known, NOW)
    written = known.environments["pool"]
    again = store(newer(written, shapes=(), invalid=""))
    assert shape(again) == shape(known)
    assert report(again, NOW + 60) == {}
    quote(again, Offer("m7i.large", LARGE, "amd64", "0.12", "0.08"))
    assert shape(again).spot_price_per_hour == "0.08"


@pytest.mark.parametrize(
    "garbage", [{}, {"instanceType": "m7i.large"}, {"instanceType": "m7i.large", "cpu": "x", "readAt": "never"}]
)
def test_what_somebody_else_wrote_into_the_status_harms_nobody(garbage: Body) -> None:
    known = store(pool(status={"offers": [garbage]}))
    assert known.environments["pool"].shapes == ()
    decide(known, NOW)


def test_an_environment_that_says_it_all_tells_nothing_of_offers() -> None:
    known = store(environment())
    told = report(known, NOW)
    assert told["offers"] is None
    assert condition(told) is None


def test_a_spec_names_only_a_type() -> None:
    spec = {
        "capacityType": "Spot", "maxVCpus": 64,
        "instanceTypes": [{"name": "m7i.large", "pods": 110, "pricePerHour": "0"}],
        "provider": {"ec2": {"region": "eu-central-1", "launchTemplate": {"name": "node"}}},
    }  # fmt: skip
    view = parse.environment({"metadata": metadata("pool"), "spec": spec})
    assert (view.invalid, view.entries) == ("", (BARE,))
    known = store(view)
    before = view.configurations
    quote(known, OFFER)
    assert shape(known).resources.memory == 8 * GIB
    assert known.environments["pool"].configurations == before  # a size that is told anew makes no node outdated
    for name in ("simulated", "docker"):
        wrong = parse.environment({"metadata": metadata("pool"), "spec": {**spec, "provider": {name: {}}}})
        assert "an entry without cpu and memory, which only provider ec2 can look up" in wrong.invalid
    full = [{"name": "m7i.large", "cpu": "2", "memory": "7Gi", "pricePerHour": "0.1", "spotPricePerHour": "0.05"}]
    assert parse.environment({"metadata": metadata("pool"), "spec": {**spec, "instanceTypes": full}}).entries == ()


# What machines and jobs cost


def scene(price: str = "3600") -> Store:
    """Return a world with a machine that was launched at 3600 an hour, where an hour now costs something else."""
    known = store(pool(min_vcpus=2), queue(), job("a"))
    quote(known, Offer("m7i.large", Resources(cpu=2000, memory=8 * GIB, pods=29), "", "9999", "3600"))
    launched = machine("n1", shape(known), capacity_type="Spot", launched_at=NOW, price_per_hour="3600")
    known.observe("ec2", [launched], NOW)
    known.apply(node("n1", shape(known), allocatable=LARGE))
    quote(known, Offer("m7i.large", LARGE, "", "9999", price))
    return known


@pytest.mark.parametrize("price", ["3600", "36", "7200"])
def test_a_machine_costs_what_it_did_at_its_launch(price: str) -> None:
    known = scene()
    report(known, NOW)
    runs = pod("a", phase="Running", containers=(running(NOW + 10),))
    known.apply(runs)
    decide(known, NOW + 20)
    quote(known, Offer("m7i.large", LARGE, "", "9999", price), at=NOW + 30)
    done = newer(succeeded("a", containers=(exited(0, NOW + 50, started=NOW + 10),)), uid=runs.uid)
    known.apply(done)
    found, _ = node_price(known, done)
    assert found is not None
    assert found.spot_price_per_hour == "3600"
    decide(known, NOW + 55)
    decide(known, NOW + 100)
    bill = known.bills.of["pool"]
    assert bill.useful == 20  # half of the node for 40 seconds at a dollar a second
    assert bill.nodes == bill.useful + bill.wasted + bill.running + bill.idle == Decimal(str(bill.at)) - Decimal(NOW)


def test_another_operator_counts_the_same() -> None:
    """The price stands with the machine: what the market asks when the operator restarts is of no account."""
    known = scene("36")
    done = succeeded("a", containers=(exited(0, NOW + 50, started=NOW + 10),))
    found, _ = node_price(known, done)
    assert found is not None
    assert found.spot_price_per_hour == "3600"
    known.observe("ec2", [], NOW + 60)  # the machine is gone, and its pod is not on record yet
    known.remove(known.nodes["n1"])
    found, _ = node_price(known, done)
    assert found is not None
    assert found.spot_price_per_hour == "3600"


def test_a_new_machine_costs_what_is_asked_now() -> None:
    known = store(pool(), queue(), job("a"))
    quote(known, OFFER)
    (launch,) = of(decide(known, NOW), Launch)
    assert launch.order.shape.price_asked("Spot") == "0.05"
    assert launch.order.shape.price_asked("OnDemand") == "0.12"
