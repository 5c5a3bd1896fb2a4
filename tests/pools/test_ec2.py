"""Provider ec2: what it asks of AWS, what it makes of refusals, notices and silence; the verbs are in the suite."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest
from aws import REGION, Front
from yard_ec2 import Ec2Yard

from batchyard.model.machine import LaunchOrder, MachineState, Taint
from batchyard.pools import ec2 as provider
from batchyard.pools import ec2_instance as ec2
from batchyard.pools.base import ProviderError
from batchyard.pools.ec2 import Ec2Provider
from batchyard.pools.ec2_cloud import Cloud
from batchyard.pools.ec2_notices import WARNING, deadline

SETTINGS: dict[str, Any] = {"region": REGION, "launchTemplate": {"id": "lt-1"}, "subnetIds": ["subnet-a", "subnet-b"]}
ORDER = Ec2Yard(()).order("spot-1")


def fleet(order: LaunchOrder = ORDER, **settings: Any) -> dict[str, Any]:
    return ec2.fleet(order, ec2.options(SETTINGS | settings), "cluster")


def overrides(request: dict[str, Any]) -> list[dict[str, Any]]:
    (configuration,) = request["LaunchTemplateConfigs"]
    return list(configuration["Overrides"])


def tags(request: dict[str, Any]) -> dict[str, str]:
    (specification,) = request["TagSpecifications"]
    return {tag["Key"]: tag["Value"] for tag in specification["Tags"]}


def test_a_fleet_is_offered_every_type_in_every_subnet() -> None:
    assert [(o["InstanceType"], o["SubnetId"]) for o in overrides(fleet())] == [
        ("m5.large", "subnet-a"),
        ("m5.large", "subnet-b"),
    ]
    several = overrides(fleet(alternatives=[{"shape": "m5.large", "types": ["m5.large", "m6i.large"]}], subnetIds=[]))
    assert several == [{"InstanceType": "m5.large"}, {"InstanceType": "m6i.large"}]


def test_what_is_asked_follows_the_environment() -> None:
    spot = fleet(replace(ORDER, strategy="SpotCapacityOptimized", max_price="0.050000"))
    assert spot["TargetCapacitySpecification"] == {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"}
    assert spot["SpotOptions"]["AllocationStrategy"] == "capacity-optimized"
    assert {o["MaxPrice"] for o in overrides(spot)} == {"0.050000"}
    on_demand = fleet(replace(ORDER, capacity_type="OnDemand", max_price="0.050000"))
    assert on_demand["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "on-demand"
    assert "SpotOptions" not in on_demand
    assert not any("MaxPrice" in o for o in overrides(on_demand))


def test_the_client_token_is_the_machines_and_the_clusters() -> None:
    token = fleet()["ClientToken"]
    assert len(token) == 64
    assert fleet(version="2")["ClientToken"] == token
    assert ec2.fleet(ORDER, ec2.options(SETTINGS), "other")["ClientToken"] != token


def test_instances_can_read_their_tags_however_many_labels_there_are() -> None:
    many = {f"example.com/label-{number}": "x" * 40 for number in range(9)}
    taints = (Taint("a", "b"), Taint("c", "", "NoExecute"))
    found = tags(fleet(replace(ORDER, labels=many, taints=taints), tags={"team": "a", "Name": "mine"}))
    assert not any("/" in key for key in found)
    assert max(map(len, found.values())) <= 256
    parts = [found[key] for key in sorted(found) if key.startswith(ec2.LABELS)]
    assert len(parts) > 1
    assert ",".join(parts).split(",") == [f"{key}={value}" for key, value in many.items()]
    assert found[ec2.TAINTS] == "a=b:NoSchedule,c=:NoExecute"
    assert (found["team"], found["Name"]) == ("a", ORDER.name)


def test_more_labels_than_tags_can_hold_are_refused() -> None:
    many = {f"example.com/label-{number}": "x" * 60 for number in range(40)}
    with pytest.raises(ProviderError, match=r"use fewer or shorter labels and taints in spec\.nodeTemplate"):
        fleet(replace(ORDER, labels=many))


@pytest.mark.parametrize(
    ("state", "reason", "noticed", "expected"),
    [
        ("pending", {}, False, MachineState.Launching),
        ("running", {}, False, MachineState.Running),
        ("running", {}, True, MachineState.Interrupted),
        ("shutting-down", {"Code": "Server.SpotInstanceTermination"}, False, MachineState.Interrupted),
        ("shutting-down", {"Code": "Client.UserInitiatedShutdown", "Message": "by hand"}, False, MachineState.Failed),
        ("stopped", {}, False, MachineState.Failed),
    ],
)
def test_the_state_follows_the_instance(state: str, reason: dict[str, str], noticed: bool, expected: object) -> None:
    labels = {ec2.NODE: "n"} | ({ec2.NOTICE: "1"} if noticed else {})
    machine = ec2.machine(
        {
            "InstanceId": "i-1",
            "State": {"Name": state},
            "StateReason": reason,
            "LaunchTime": datetime.fromtimestamp(5, UTC),
            "Tags": [{"Key": key, "Value": value} for key, value in labels.items()],
        }
    )
    assert machine.state is expected
    assert machine.launched_at == 5


def test_of_several_refusals_the_one_that_can_be_mended_is_told() -> None:
    stock = {"ErrorCode": "InsufficientInstanceCapacity", "ErrorMessage": "None left."}
    wrong = {"ErrorCode": "InvalidParameterValue", "ErrorMessage": "No such subnet."}
    out, mixed = ec2.refusal({"Errors": [stock, stock]}), ec2.refusal({"Errors": [stock, wrong]})
    assert out is not None
    assert mixed is not None
    assert (out.reason, mixed.reason) == ("InsufficientCapacity", "LaunchFailed")
    assert str(mixed) == "AWS refused: No such subnet (InvalidParameterValue)"
    assert ec2.refusal({"Errors": [stock], "Instances": [{"InstanceIds": ["i-1"]}]}) is None


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"detail-type": "EC2 Instance State-change Notification"}'])
def test_other_messages_are_no_notice(body: str) -> None:
    assert deadline({"Body": body}) is None


@pytest.fixture
def yard(account: Any) -> Ec2Yard:
    opened = Ec2Yard(account.subnets)
    opened.settings["cluster"] = uuid4().hex  # no field; it tells the tests apart
    return opened


def start(yard: Ec2Yard) -> Ec2Provider:
    """Return a new provider of the test's own cluster."""
    return Ec2Provider(yard.settings["cluster"], lambda: [yard.settings])


@pytest.fixture
def front(account: Any) -> Iterator[Front]:
    yield account.front
    account.front.errors.clear()
    account.front.out_of_stock.clear()


async def test_what_ec2_has_none_of_is_insufficient_capacity(yard: Ec2Yard, front: Front) -> None:
    front.out_of_stock += ["InsufficientInstanceCapacity", "UnfulfillableCapacity"]
    with pytest.raises(ProviderError, match="no InsufficientInstanceCapacity today") as told:
        await start(yard).launch(yard.order("stock-1"))
    assert told.value.reason == "InsufficientCapacity"
    assert await start(yard).observe() == []


async def test_slower_is_met_with_another_try(yard: Ec2Yard, front: Front) -> None:
    front.errors += [("CreateFleet", "RequestLimitExceeded"), ("DescribeInstances", "Unavailable")]
    await start(yard).launch(yard.order("slow-1"))
    assert front.errors == []
    assert [machine.name for machine in await start(yard).observe()] == ["slow-1"]


async def test_every_other_refusal_is_told_at_once(yard: Ec2Yard, front: Front) -> None:
    front.errors += [("CreateFleet", "UnauthorizedOperation")]
    front.seen.clear()
    with pytest.raises(ProviderError, match=r"AWS refused: .* \(UnauthorizedOperation\)"):
        await start(yard).launch(yard.order("refused-1"))
    assert [request["Action"] for request in front.seen].count("CreateFleet") == 1


async def test_all_pages_are_read(yard: Ec2Yard, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"page-{number}" for number in range(3)]
    for name in names:
        await start(yard).launch(yard.order(name))
    monkeypatch.setattr(provider, "PAGE", 2)
    front.seen.clear()
    assert sorted(machine.name for machine in await start(yard).observe()) == names
    assert sum("NextToken" in request for request in front.seen) == 1


async def test_a_warning_from_the_queue_outlives_the_operator(yard: Ec2Yard, front: Front) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName=f"notices-{yard.settings['cluster']}")["QueueUrl"]
    yard.settings["interruptionQueueUrl"] = url
    await start(yard).launch(yard.order("warned-1"))
    await start(yard).launch(yard.order("calm-1"))
    ids = await start(yard)._instances(REGION, "warned-1")
    for instance in (ids[0]["InstanceId"], "i-00000000000000000"):
        event = {
            "detail-type": WARNING,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": {"instance-id": instance, "instance-action": "terminate"},
        }
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
    seen = {machine.name: machine.state for machine in await start(yard).observe()}
    assert seen == {"warned-1": MachineState.Interrupted, "calm-1": MachineState.Running}
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)
    yard.settings.pop("interruptionQueueUrl")
    again = {machine.name: machine.state for machine in await start(yard).observe()}
    assert again == seen


async def test_a_queue_that_cannot_be_read_blinds_nobody(yard: Ec2Yard, front: Front) -> None:
    await start(yard).launch(yard.order("seen-1"))
    yard.settings["interruptionQueueUrl"] = "http://127.0.0.1:1/123456789012/none"
    assert [machine.name for machine in await start(yard).observe()] == ["seen-1"]


@pytest.mark.parametrize("missing", ["boto3", "stamina"])
async def test_without_the_extra_the_sentence_says_what_to_install(
    yard: Ec2Yard, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ProviderError, match=r"pip install 'batchyard\[ec2\]'"):
        await start(yard).observe()


async def test_an_aws_that_never_answers_holds_nobody(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        asked = Cloud(timeout=0.3).call("ec2", REGION, "describe_instances", {})
        with pytest.raises(ProviderError, match=r"AWS did not answer within 0\.3 s") as told:
            await asked
    assert told.value.reason == "ProviderUnavailable"
