from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from batchyard.kube.session import Session
from kube.stub import Stub, stub_server
from kube.things import anonymous


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stub_server() as running:
        yield running


@pytest.fixture
async def session(stub: Stub) -> AsyncIterator[Session]:
    async with Session(anonymous(stub.url), request_seconds=0.3) as opened:
        yield opened
