"""Connections to one server, kept and bounded: a request costs half of what aiohttp's client takes for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

from batchyard.kube.answer import Answer, ProtocolError
from batchyard.kube.connection import Connection, UnheardError

KEEP_SECONDS = 60.0  # API servers close connections that were idle for 90 s


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a server is, and how to trust it; `prefix` stands before every path."""

    host: str
    port: int
    authority: str
    prefix: str = ""
    tls: ssl.SSLContext | None = None
    name: str | None = None  # in the server's certificate, if not the host

    @classmethod
    def of(cls, url: str, tls: ssl.SSLContext | None, name: str | None) -> Origin:
        """Read an address like https://host:6443/prefix; a system's own certificates serve where none are given."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        tls = (tls or ssl.create_default_context()) if secure else None
        authority = parts.netloc.rpartition("@")[2]
        port = parts.port or (443 if secure else 80)
        return cls(parts.hostname or "", port, authority, parts.path.rstrip("/"), tls, name if secure else None)


class Connections:
    """At most `limit` connections, opened when needed; the one used last serves first, so that others may go."""

    def __init__(self, origin: Origin, limit: int, clock: Callable[[], float] = monotonic) -> None:
        self._origin = origin
        self._clock = clock
        self._gate = asyncio.Semaphore(limit)
        self._kept: list[Connection] = []
        self._used: set[Connection] = set()
        self._closed = False

    async def send(self, request: bytes, *, again: bool) -> Answer:
        """Return the answer to a request; one that may be sent `again` is, if a kept connection turns out closed.

        Raises OSError, ssl.CertificateError among them. The caller sets the deadline.
        """
        async with self._gate:
            while (kept := self._take()) is not None:
                try:
                    return await self._exchange(kept, request)
                except UnheardError:
                    if not again:
                        raise
            return await self._exchange(await self._open(), request)

    def close(self) -> None:
        """Break all off; none is opened any more."""
        self._closed = True
        for connection in [*self._kept, *self._used]:
            connection.close()
        self._kept.clear()

    async def _exchange(self, connection: Connection, request: bytes) -> Answer:
        self._used.add(connection)
        try:
            return await connection.exchange(request)
        finally:
            self._used.discard(connection)
            self._keep(connection)

    def _take(self) -> Connection | None:
        oldest = self._clock() - KEEP_SECONDS
        while self._kept:
            connection = self._kept.pop()
            if connection.idle and connection.since > oldest:
                return connection
            connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        if not connection.idle:
            connection.close()
            return
        connection.since = self._clock()
        self._kept.append(connection)

    async def _open(self) -> Connection:
        if self._closed:
            raise ProtocolError("closed")
        origin = self._origin
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection, origin.host, origin.port, ssl=origin.tls, server_hostname=origin.name or None
        )
        return connection
