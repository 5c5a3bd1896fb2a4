"""What a machine is to EC2: the fleet that is asked for, the tags by which it is found again, and how it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.model.machine import LaunchOrder, Machine, MachineState
from batchyard.pools.base import ProviderError
from batchyard.pools.ec2_cloud import CAPACITY, AwsError
from batchyard.pools.ec2_prices import amount

# No slash: instances read their tags from their metadata, where a key must have none.
CLUSTER = "batchyard:cluster"
NODE = "batchyard:node"
ENVIRONMENT = "batchyard:compute-environment"
INSTANCE_TYPE = "batchyard:instance-type"
CAPACITY_TYPE = "batchyard:capacity-type"
LABELS = "batchyard:node-labels"  # and batchyard:node-labels-2 to -4, as a tag is short
TAINTS = "batchyard:node-taints"
PRICE = "batchyard:price-per-hour"  # at its launch, where the price is EC2's
NOTICE = "batchyard:interrupted-until"
TAG_LENGTH, MOST_PARTS = 256, 4
SPOT_STRATEGIES = {
    "BestFit": "lowest-price",
    "BestFitProgressive": "price-capacity-optimized",
    "SpotPriceCapacityOptimized": "price-capacity-optimized",
    "SpotCapacityOptimized": "capacity-optimized",
}
ALIVE = ("pending", "running", "shutting-down", "stopping", "stopped")  # not yet gone for certain


@dataclass(frozen=True, slots=True)
class Options:
    """`spec.provider.ec2`, read: `types` has the EC2 types that stand for a shape, where they are not its name."""

    region: str
    template: Mapping[str, str]
    subnets: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None
    types: Mapping[str, Sequence[str]] | None = None
    queue: str = ""


def options(settings: Mapping[str, Any]) -> Options:
    """Read the settings of an environment, which its schema has checked."""
    template = settings["launchTemplate"]
    chosen = {"LaunchTemplateId": template["id"]} if "id" in template else {"LaunchTemplateName": template["name"]}
    return Options(
        region=settings["region"],
        template={**chosen, "Version": str(template.get("version", "$Default"))},
        subnets=tuple(settings.get("subnetIds") or ()),
        tags=settings.get("tags") or {},
        types={entry["shape"]: entry["types"] for entry in settings.get("alternatives") or ()},
        queue=settings.get("interruptionQueueUrl") or "",
    )


def fleet(order: LaunchOrder, wanted: Options, cluster: str) -> dict[str, Any]:
    """Return the CreateFleet request for one machine: every type in every subnet, of which EC2 takes the best.

    The client token is the machine's: asking twice, also from two operators, is asking once.
    """
    spot = order.capacity_type == "Spot"
    strategy = SPOT_STRATEGIES.get(order.strategy, "price-capacity-optimized")
    return {
        "ClientToken": hashlib.sha256(f"{cluster}/{order.name}".encode()).hexdigest(),
        "Type": "instant",
        "LaunchTemplateConfigs": [
            {"LaunchTemplateSpecification": dict(wanted.template), "Overrides": _overrides(order, wanted)}
        ],
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": 1,
            "DefaultTargetCapacityType": "spot" if spot else "on-demand",
        },
        **({"SpotOptions": {"AllocationStrategy": strategy, "InstanceInterruptionBehavior": "terminate"}} if spot else
           {"OnDemandOptions": {"AllocationStrategy": "lowest-price"}}),
        "TagSpecifications": [{"ResourceType": "instance", "Tags": _tags(order, wanted, cluster)}],
    }  # fmt: skip


def _overrides(order: LaunchOrder, wanted: Options) -> list[dict[str, Any]]:
    types = (wanted.types or {}).get(order.shape.name) or [order.shape.name]
    limit = {"MaxPrice": order.max_price} if order.max_price and order.capacity_type == "Spot" else {}
    where: list[dict[str, str]] = [{"SubnetId": subnet} for subnet in wanted.subnets] or [{}]
    return [{"InstanceType": name, **place, **limit} for name in types for place in where]


def _tags(order: LaunchOrder, wanted: Options, cluster: str) -> list[dict[str, str]]:
    asked = order.shape.price_asked(order.capacity_type)
    ours = {
        "Name": order.name,
        CLUSTER: cluster,
        NODE: order.name,
        ENVIRONMENT: order.environment,
        INSTANCE_TYPE: order.shape.name,
        CAPACITY_TYPE: order.capacity_type,
        **({PRICE: asked} if asked else {}),
        **_parts(LABELS, [f"{key}={value}" for key, value in sorted(order.labels.items())]),
        **_parts(TAINTS, [f"{taint.key}={taint.value}:{taint.effect}" for taint in order.taints]),
    }
    return [{"Key": key, "Value": value} for key, value in {**(wanted.tags or {}), **ours}.items()]


def _parts(key: str, words: Sequence[str]) -> dict[str, str]:
    """Return tags that hold the words between commas: `key`, `key-2` and so on."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]},{word}".lstrip(",")
        lines = [*lines[:-1], longer] if len(longer) <= TAG_LENGTH else [*lines, word]
    if len(lines) > MOST_PARTS or max(map(len, lines)) > TAG_LENGTH:
        sentence = f"the words of {key} do not fit into {MOST_PARTS} tags of {TAG_LENGTH} characters"
        raise ProviderError(f"{sentence}; use fewer or shorter labels and taints in spec.nodeTemplate")
    return {key if number == 1 else f"{key}-{number}": line for number, line in enumerate(lines, 1) if line}


def refusal(answer: Mapping[str, Any]) -> ProviderError | None:
    """Return why a fleet has no instance; None if it has one."""
    if any(made.get("InstanceIds") for made in answer.get("Instances") or ()):
        return None
    told = {error.get("ErrorCode", ""): error.get("ErrorMessage", "") for error in answer.get("Errors") or ()}
    if not told:
        return ProviderError("EC2 made no instance and did not say why", reason="InsufficientCapacity")
    # Where some types are out of stock and others are refused for good, the refusal is what a person can mend.
    code = next((code for code in told if code not in CAPACITY), next(iter(told)))
    return AwsError(code, told[code].rstrip("."))


def tags(instance: Mapping[str, Any]) -> dict[str, str]:
    """Return an instance's tags."""
    return {tag["Key"]: tag["Value"] for tag in instance.get("Tags") or ()}


def machine(instance: Mapping[str, Any]) -> Machine:
    """Return an entry of DescribeInstances as a machine."""
    its = tags(instance)
    state, message = _state(instance, NOTICE in its)
    return Machine(
        name=its[NODE],
        environment=its.get(ENVIRONMENT, ""),
        instance_type=its.get(INSTANCE_TYPE, ""),
        capacity_type=its.get(CAPACITY_TYPE, ""),
        state=state,
        launched_at=instance["LaunchTime"].timestamp(),
        message=message,
        gone_at=float(its[NOTICE]) if NOTICE in its else None,
        price_per_hour=its[PRICE] if amount(its.get(PRICE, "")) else "",
    )


def _state(instance: Mapping[str, Any], noticed: bool) -> tuple[MachineState, str]:
    state, why = instance["State"]["Name"], instance.get("StateReason") or {}
    reclaimed = noticed or why.get("Code") == "Server.SpotInstanceTermination"
    if reclaimed:
        return MachineState.Interrupted, "EC2 takes the instance back"
    if state == "pending":
        return MachineState.Launching, ""
    if state == "running":
        return MachineState.Running, ""
    return MachineState.Failed, f"instance {instance['InstanceId']} is {state}: {why.get('Message', 'no reason given')}"


def notice_is_over(instance: Mapping[str, Any], now: float) -> bool:
    """Say whether an instance was given notice and should be gone by now."""
    until = tags(instance).get(NOTICE)
    return until is not None and instance["State"]["Name"] in {"pending", "running"} and float(until) <= now
