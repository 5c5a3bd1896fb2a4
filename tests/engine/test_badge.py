"""The pod that leads is labelled; an earlier life's label goes first; who may not label works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import orjson
import pytest

from batchyard.engine import badge
from batchyard.kube.lease import Candidate, LeaseMetadata
from batchyard.kube.session import Session
from kube.stub import Stub, answer, status, stub_server
from kube.things import anonymous

POD = LeaseMetadata("batchyard-1", "batchyard-system")
PATH = "/api/v1/namespaces/batchyard-system/pods/batchyard-1"


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stub_server() as running:
        yield running


def labels(stub: Stub) -> list[str | None]:
    assert {(method, path) for method, path, _, _ in stub.seen} <= {("PATCH", PATH)}
    return [orjson.loads(body)["metadata"]["labels"]["batchyard.dev/leader"] for body in stub.bodies]


async def test_the_label_of_an_earlier_life_goes_and_comes_with_leadership(stub: Stub) -> None:
    stub.default = answer({})
    elected = asyncio.Event()
    async with Session(anonymous(stub.url)) as session, asyncio.timeout(10):
        worn = asyncio.create_task(badge.wear(session, POD, cast("Candidate", SimpleNamespace(elected=elected))))
        await stub.until_seen(1)
        assert labels(stub) == [None], "who stands by is not the one to ask"
        elected.set()
        await worn
    assert labels(stub) == [None, "true"]


async def test_a_busy_server_is_asked_again_and_a_refusal_is_final(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(badge, "AGAIN", replace(badge.AGAIN, first=0.01))
    elected = asyncio.Event()
    elected.set()
    stub.then(status(500, "InternalError"), answer({}), status(403, "Forbidden", "no"))
    async with Session(anonymous(stub.url)) as session, asyncio.timeout(10):
        await badge.wear(session, POD, cast("Candidate", SimpleNamespace(elected=elected)))
    assert labels(stub) == [None, None, "true"]
