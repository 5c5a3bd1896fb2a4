"""The yard of EC2 instances: moto's server over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from aws import REGION, TEMPLATE
from conformance import ENVIRONMENT, Fault, Line

from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, MachineState, Shape, Taint
from batchyard.model.resources import Resources
from batchyard.pools.base import Provider
from batchyard.pools.ec2 import Ec2Provider
from batchyard.pools.ec2_cloud import Cloud

SHAPE = Shape("m5.large", Resources(cpu=2000, memory=8 * 2**30, pods=29), "0.10", "0.04")


_CLIENTS: dict[tuple[str, str], Any] = {}  # a client costs half a second


class Wired(Cloud):
    """AWS at the far end of a line."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._clients = _CLIENTS

    async def call(self, service: str, region: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await self._line.carry(lambda: super(Wired, self).call(service, region, operation, arguments))


class Ec2Yard:
    """A cluster of its own in an account that it shares with others."""

    faults: Sequence[Fault] = tuple(Fault)
    dies = True

    def __init__(self, subnets: Sequence[str]) -> None:
        self.line = Line()
        self.settings = {
            "region": REGION,
            "launchTemplate": {"name": TEMPLATE},
            "subnetIds": list(subnets),
        }

    def provider(self, cluster: str = "cluster-1") -> Provider:
        return Ec2Provider(cluster, lambda: [self.settings], cloud=Wired(self.line))

    def stranger(self) -> Provider:
        return self.provider("cluster-2")

    def order(self, name: str) -> LaunchOrder:
        labels = {names.PROVIDER: "ec2", names.ENVIRONMENT: ENVIRONMENT}
        taints = (Taint(names.ENVIRONMENT, ENVIRONMENT),)
        return LaunchOrder(name, ENVIRONMENT, SHAPE, "Spot", labels, taints, "ec2", self.settings)

    async def existing(self) -> list[str]:
        return [name for name, state in await asyncio.to_thread(_instances) if state != "terminated"]

    async def noticed(self, name: str) -> bool:
        seen = {machine.name: machine for machine in await self.provider().observe()}
        return name not in seen or seen[name].state is MachineState.Interrupted


def _instances() -> list[tuple[str, str]]:
    """Return name and state of every instance in the account."""
    pages = boto3.client("ec2", region_name=REGION).get_paginator("describe_instances").paginate()
    found = [instance for page in pages for group in page["Reservations"] for instance in group["Instances"]]
    return [(_name(one), one["State"]["Name"]) for one in found]


def _name(instance: Mapping[str, Any]) -> str:
    return next((tag["Value"] for tag in instance.get("Tags", ()) if tag["Key"] == "batchyard:node"), "")
