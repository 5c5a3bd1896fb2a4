"""A proxy between the operator and the API server; a law says what becomes of each request."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "host", "keep-alive"})
Lines = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]  # what becomes of the events of a watch


@dataclass(frozen=True)
class Road:
    """One request on its way; each of these ends it otherwise."""

    request: web.Request
    body: bytes
    client: aiohttp.ClientSession
    server: str

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def is_watch(self) -> bool:
        return self.request.query.get("watch") in ("1", "true")

    @property
    def is_lease(self) -> bool:
        return "/leases" in self.path

    @property
    def creates(self) -> tuple[str, str] | None:
        """Path and name of what is to be created."""
        if self.method != "POST":
            return None
        name = (json.loads(self.body).get("metadata") or {}).get("name")
        return (self.path, name) if name else None

    async def go_on(self, lines: Lines | None = None) -> web.StreamResponse:
        """As if there were no proxy; `lines` may change the events of a watch."""
        async with self._sent() as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            with suppress(ConnectionError, aiohttp.ClientError):  # the operator, or the API server, is gone
                await response.prepare(self.request)
                chunks = answer.content.iter_any() if lines is None else lines(_events(answer.content))
                async for chunk in chunks:
                    await response.write(chunk)
                await response.write_eof()
            return response

    async def arrive(self) -> int:
        """Have the server act, and keep its answer from the operator; return its status."""
        async with self._sent() as answer:
            await answer.read()
            return answer.status

    def _sent(self) -> Any:
        headers = {name: value for name, value in self.request.headers.items() if name.lower() not in _HOP_BY_HOP}
        return self.client.request(
            self.method, self.server + self.request.raw_path, data=self.body or None, headers=headers
        )

    def refuse(self, code: int, reason: str, message: str, **headers: str) -> web.Response:
        """The API server's own form of a no, in its name."""
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
                "message": message}  # fmt: skip
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=json.dumps(body), content_type="application/json", headers=named)

    async def never(self) -> web.StreamResponse:
        """No answer until the operator loses patience."""
        await asyncio.Event().wait()
        raise AssertionError

    def cut(self) -> web.StreamResponse:
        """The connection ends without an answer."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response(status=502)


Law = Callable[[Road], Awaitable[web.StreamResponse]]


async def undisturbed(road: Road) -> web.StreamResponse:
    """The law of those who break none."""
    return await road.go_on()


class Proxy:
    """Plain HTTP on loopback towards the operator, whose token passes through; runs in a thread of its own."""

    def __init__(self, server: str, ca: str, law: Law = undisturbed) -> None:
        self.law = law
        self._server = server
        self._tls = ssl.create_default_context(cadata=ca)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def start(self) -> str:
        """Return the address to give to the operator."""
        self._thread.start()
        assert self._ready.wait(10)
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())

    async def _close(self) -> None:
        await self._client.close()
        await self._runner.cleanup()

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        self._client = aiohttp.ClientSession(connector=connector, timeout=timeout)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        road = Road(request, await request.read(), self._client, self._server)
        try:
            return await self.law(road)
        except aiohttp.ClientError:
            return road.cut()  # the API server is not there


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
