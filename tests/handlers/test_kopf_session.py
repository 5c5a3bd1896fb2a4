"""The session that kopf watches with: what was cut in the middle of an event ends before it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from batchyard.handlers.session import kopf_session
from batchyard.kube.credentials import Credentials, Token

CHUNKS = (b'{"n": 1}\n{"n"', b": 2}\n", b'{"n": 3', b', "long": "', b'"}\n{"n": 4}\n{"n": 5, "cu')


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for chunk in CHUNKS:
        await response.write(chunk)
    return response


@pytest.fixture
async def server() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", cut)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def read(url: str, size: int) -> bytes:
    async with kopf_session(Credentials(url, None, Token(lambda: ""))) as session, session.get(url) as response:
        return b"".join([chunk async for chunk in response.content.iter_chunked(size)])


@pytest.mark.parametrize("size", [1, 7, 2**20])
async def test_a_watch_ends_between_two_events(server: str, size: int) -> None:
    whole = b"".join(CHUNKS)
    assert await read(f"{server}?watch=true", size) == whole[: whole.rindex(b"\n") + 1]


async def test_whatever_is_no_watch_is_as_it_came(server: str) -> None:
    assert await read(server, 2**20) == b"".join(CHUNKS)
