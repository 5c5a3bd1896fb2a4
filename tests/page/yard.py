"""The operator's own HTTP server in a thread, behind a prefix as that of the API server's Service proxy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from scene import operator

from batchyard.world.store import Store

PREFIX = "/api/v1/namespaces/batchyard-system/services/http:batchyard:http/proxy"


@dataclass
class Yard:
    """What the browser may reach: `seen` are its requests, with `broken` it gets none answered as it should be."""

    store: Store
    candidate: Any = None
    seen: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False
    url: str = ""

    async def run(self, up: threading.Event, over: asyncio.Event) -> None:
        server = operator(self.store, self.candidate)
        await server.start("127.0.0.1", 0)
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as self._behind:
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PREFIX}/"
            up.set()
            await over.wait()
        await runner.cleanup()
        await server.stop()

    async def _forward(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.path))
        if self.broken or not request.path.startswith(f"{PREFIX}/"):
            return web.Response(status=502, text="no such place")
        answer = await self._behind.get(request.path.removeprefix(PREFIX))
        return web.Response(body=await answer.read(), status=answer.status, headers=_passed(answer))


def _passed(answer: aiohttp.ClientResponse) -> dict[str, str]:
    left = ("content-length", "date", "server", "transfer-encoding", "connection")
    return {name: value for name, value in answer.headers.items() if name.lower() not in left}


@contextmanager
def open_yard(store: Store, candidate: Any = None) -> Iterator[Yard]:
    """Serve a store until the block ends."""
    yard, up, over = Yard(store, candidate), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(yard.run(up, over)), daemon=True)
    thread.start()
    assert up.wait(30)
    try:
        yield yard
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
        loop.close()
