"""The benchmark's own client: objects from ready bytes, many at once, under its own name."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from bench.arena import Arena
from bench.audit import AGENT

AT_ONCE = 32  # as many requests as the operator has under way
Named = tuple[str, bytes]  # an object's name, and its JSON


class RefusedError(Exception):
    """The API server did not do what was asked."""


async def side_by_side(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Return when all have ended; one that fails ends the others."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


class Client:
    """The API server as its administrator; `sent` has the time of each creation, seconds since 1970."""

    def __init__(self, arena: Arena) -> None:
        pki = arena.layout.pki
        tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.sent: dict[str, float] = {}
        self._server = arena.server
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            headers={"User-Agent": AGENT, "Content-Type": "application/json", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=120),
            read_bufsize=1 << 20,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, why: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._http.close()

    async def create(self, path: str, named: Named) -> bytes:
        """Create one object and return it as it is now; RefusedError with the server's words."""
        name, body = named
        self.sent[name] = time.time()
        async with self._http.post(self._server + path, data=body) as answer:
            content = await answer.read()
        if answer.status >= 300:
            raise RefusedError(f"{path} {name}: {answer.status} {content[:300].decode(errors='replace')}")
        return content

    async def merge(self, path: str, body: bytes) -> None:
        """Patch the object at a path; RefusedError with the server's words."""
        kind = {"Content-Type": "application/merge-patch+json"}
        async with self._http.patch(self._server + path, data=body, headers=kind) as answer:
            content = await answer.read()
        if answer.status >= 300:
            raise RefusedError(f"{path}: {answer.status} {content[:300].decode(errors='replace')}")

    async def create_all(self, path: str, bodies: Iterable[Named], at_once: int = AT_ONCE) -> None:
        """Create all objects, so many at a time, in about their order."""
        left = iter(bodies)

        async def work() -> None:
            for named in left:
                await self.create(path, named)

        await side_by_side(work() for _ in range(at_once))

    async def delete(self, path: str) -> None:
        """Delete the object or the collection at a path; RefusedError with the server's words."""
        async with self._http.delete(self._server + path) as answer:
            content = await answer.read()
        if answer.status >= 300:
            raise RefusedError(f"{path}: {answer.status} {content[:300].decode(errors='replace')}")

    async def get(self, path: str) -> Any:
        """Return the object or list at a path."""
        async with self._http.get(self._server + path) as answer:
            content = await answer.read()
        if answer.status != 200:
            raise RefusedError(f"{path}: {answer.status} {content[:300].decode(errors='replace')}")
        return orjson.loads(content)

    async def lines(self, path: str) -> AsyncIterator[list[bytes]]:
        """Yield the lines of a watch as they come, several at a time when they come together."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=300)
        async with self._http.get(self._server + path, timeout=timeout) as answer:
            if answer.status != 200:
                raise RefusedError(f"{path}: {answer.status}")
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                yield lines
