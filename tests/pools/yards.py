"""The yards of the conformance suite by provider: how each is opened, and what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from conformance import Yard
from yard_clusterapi import CLUSTERAPI, played_clusterapi, real_clusterapi
from yard_docker import DockerYard
from yard_ec2 import Ec2Yard
from yard_karpenter import KARPENTER, played_karpenter, real_karpenter
from yard_simulated import KUBECONFIG, SimulatedYard

from batchyard.kube.session import Credentials, Session


@asynccontextmanager
async def simulated(request: pytest.FixtureRequest) -> AsyncIterator[Yard]:
    async with Session(Credentials.load(KUBECONFIG)) as session:
        yield SimulatedYard(session)


@asynccontextmanager
async def docker(request: pytest.FixtureRequest) -> AsyncIterator[Yard]:
    yield DockerYard(request.getfixturevalue("conforming"))


@asynccontextmanager
async def ec2(request: pytest.FixtureRequest) -> AsyncIterator[Yard]:
    yield Ec2Yard(request.getfixturevalue("account").subnets)


Opens = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Yard]]
YARDS: dict[str, tuple[Opens, tuple[Any, ...]]] = {  # how it is opened; marks of its tests
    "simulated": (simulated, (pytest.mark.cluster,)),
    "ec2": (ec2, ()),
    "docker": (docker, (pytest.mark.nodes,)),
    "karpenter": (played_karpenter, ()),
    "clusterAPI": (played_clusterapi, ()),
    "real-karpenter": (real_karpenter, (pytest.mark.skipif(not KARPENTER, reason="make test-karpenter"),)),
    "real-clusterapi": (real_clusterapi, (pytest.mark.skipif(not CLUSTERAPI, reason="make test-clusterapi"),)),
}
