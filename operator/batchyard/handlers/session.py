"""The HTTP session that kopf uses: bounded, our TLS and rotating token, and no watch that ends in half an event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp

from batchyard.kube.credentials import Credentials

CONNECTIONS = 16


class WholeLines:
    """The content of a watch without the event in which it was cut: kopf would take that for a defect of its own."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield what has arrived up to the last newline; the server sends again what was cut off."""
        rest = bytearray()
        async for chunk in self._content.iter_chunked(size):
            rest += chunk
            end = rest.rfind(b"\n", len(rest) - len(chunk)) + 1
            if end:
                yield bytes(rest[:end])
                del rest[:end]


async def whole_lines(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Have watches end between two events."""
    response = await handler(request)
    if request.url.query.get("watch") == "true":
        response.content = cast(aiohttp.StreamReader, WholeLines(response.content))
    return response


def kopf_session(credentials: Credentials) -> aiohttp.ClientSession:
    """Return a session with our credentials; kopf closes it at its end."""

    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        token = await credentials.token.header()
        if token:
            request.headers["Authorization"] = token
        return await handler(request)

    tls = credentials.ssl if credentials.ssl is not None else True
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=tls)
    return aiohttp.ClientSession(
        connector=connector, middlewares=(authorize, whole_lines), headers={"User-Agent": "batchyard-kopf"}
    )
