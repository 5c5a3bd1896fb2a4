"""The yards of Karpenter's machines: its part played in memory, and the real one with its KWOK cloud."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from conformance import ENVIRONMENT, Fault, Line, Yard
from karpenter_claims import Claims
from yard_simulated import KUBECONFIG

from batchyard.engine.objects import Kind, complaints
from batchyard.kube.paths import KARPENTER as API
from batchyard.kube.paths import collection
from batchyard.kube.session import Credentials, Session
from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Machine, Shape
from batchyard.model.resources import Resources
from batchyard.pools.base import Provider
from batchyard.pools.karpenter import Complaints, KarpenterProvider
from batchyard.pools.objects import Objects

KARPENTER = "BATCHYARD_KARPENTER" in os.environ
CLASS = "batchyard-conformance"
CLASSES = "/apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses"
SHAPE = Shape("c-4x", Resources(cpu=4000, memory=2**33, pods=110))


class AsOrdered(KarpenterProvider):
    """The suite knows machines by the names of their orders, and so do all verbs."""

    async def observe(self) -> Sequence[Machine]:
        return [replace(machine, name=machine.ordered_as) for machine in await super().observe()]


class KarpenterYard:
    """A cluster sees its own claims only, and Karpenter ends those that were given notice."""

    dies = True

    def __init__(self, claims: Objects, told: Complaints, faults: Sequence[Fault], poll_seconds: float) -> None:
        self.line = Line()
        self.faults = faults
        self._claims, self._told, self._poll_seconds = claims, told, poll_seconds

    def provider(self) -> Provider:
        carry, real = self.line.carry, self._claims
        claims = Objects(
            lambda selector: carry(lambda: real.listed(selector)),
            lambda name: carry(lambda: real.find(name)),
            lambda body: carry(lambda: real.create(body)),
            lambda name, patch: carry(lambda: real.merge(name, patch)),
            lambda name: carry(lambda: real.delete(name)),
        )
        return AsOrdered(claims, self._told, poll_seconds=self._poll_seconds)

    def stranger(self) -> None:
        return None

    def order(self, name: str) -> LaunchOrder:
        labels = {
            names.PROVIDER: "karpenter",
            names.ENVIRONMENT: ENVIRONMENT,
            names.INSTANCE_TYPE: SHAPE.name,
            names.CAPACITY_TYPE: "Spot",
            "node.kubernetes.io/instance-type": SHAPE.name,
        }
        settings = {"nodeClassRef": {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": CLASS}}
        return LaunchOrder(name, ENVIRONMENT, SHAPE, "Spot", labels, (), "karpenter", settings)

    async def existing(self) -> list[str]:
        found = await self._claims.listed(f"{names.ENVIRONMENT}={ENVIRONMENT}")
        return [body["metadata"]["name"] for body in found]

    async def noticed(self, name: str) -> bool:
        body = await self._claims.find(name)
        return body is None or "deletionTimestamp" in body["metadata"]


@asynccontextmanager
async def played_karpenter(request: pytest.FixtureRequest) -> AsyncIterator[Yard]:
    claims = Claims()
    yield KarpenterYard(claims.functions(), claims.complaints, tuple(Fault), 0.001)


@asynccontextmanager
async def real_karpenter(request: pytest.FixtureRequest) -> AsyncIterator[Yard]:
    """No line is cut here: a machine takes seconds, and what follows a cut is the same provider's in memory."""
    async with Session(Credentials.load(KUBECONFIG)) as session:
        body: dict[str, Any] = {
            "apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass", "metadata": {"name": CLASS}, "spec": {}
        }  # fmt: skip
        made = await session.request("POST", CLASSES, body=orjson.dumps(body))
        assert made.status in (201, 409), made.body
        claims = Kind(session, collection(API, "nodeclaims"), "Karpenter", "the test").functions()
        yield KarpenterYard(claims, lambda name: complaints(session, name), (), 0.25)
