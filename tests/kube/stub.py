"""A small real HTTP server that speaks enough of the API server's language to misbehave on demand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from kube.things import until

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Stub:
    """Answers each request with the next of a script; records what came."""

    script: deque[Answer] = field(default_factory=deque)
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    url: str = ""
    default: Answer | None = None

    def then(self, *answers: Answer) -> Stub:
        self.script.extend(answers)
        return self

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path, dict(request.query), await request.read()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            answer = self.script.popleft() if self.script else self.default
            if answer is None:
                return web.json_response({"message": "the script is at its end"}, status=418)
            return await answer(request)
        finally:
            self.in_flight -= 1

    async def until_seen(self, count: int) -> None:
        """Wait until so many requests came."""
        await until(lambda: len(self.seen) >= count)

    async def quiet(self) -> None:
        """Wait until no request is in flight."""
        await until(lambda: not self.in_flight)

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, _, body in self.seen]


@asynccontextmanager
async def stub_server() -> AsyncIterator[Stub]:
    stub = Stub()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", stub.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.url = runner.addresses[0] and f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stub
    finally:
        await runner.cleanup()


def thing(name: str, version: int, text: str = "") -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "text": text}


def event(change: str, item: dict[str, object]) -> bytes:
    return orjson.dumps({"type": change, "object": item}) + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": str(version)}})


def gone_event() -> bytes:
    return event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})


def answer(body: object = None, status: int = 200, **headers: str) -> Answer:
    async def respond(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body or {}, status=status, headers=named)

    return respond


def status(code: int, reason: str, message: str = "", **headers: str) -> Answer:
    return answer({"kind": "Status", "code": code, "reason": reason, "message": message}, code, **headers)


def listing(version: int, *items: dict[str, object], continue_: str = "") -> Answer:
    return answer({"metadata": {"resourceVersion": str(version), "continue": continue_}, "items": list(items)})


def stream(*chunks: bytes, hold: bool = False, cut: bool = False) -> Answer:
    """Send chunks; then end well, hang (`hold`), or break the connection (`cut`)."""

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        if hold:
            await asyncio.Event().wait()
        if cut and request.transport is not None:
            request.transport.abort()
        return response

    return respond


def hang() -> Answer:
    async def respond(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return respond
