"""One bounded HTTP session to the API server: requests, paged lists, streams; every answer is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from time import monotonic, time
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec
import orjson
from yarl import URL

from batchyard.kube import message
from batchyard.kube.connections import Connections, Origin
from batchyard.kube.credentials import Credentials
from batchyard.kube.paths import Subject, subject, verb
from batchyard.kube.response import ApiError, Response, Status, UnreachableError
from batchyard.telemetry import requests as telemetry

__all__ = ["ApiError", "Credentials", "Listed", "Response", "Session", "Status", "UnreachableError"]

T = TypeVar("T")
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
PAGE = 500
CONNECTIONS = 32
# Watches and the lease must never wait for a connection behind writes that hang.
RESERVED = 8
REQUEST_SECONDS = 30.0
CONNECT_SECONDS = 10.0
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
CLOCK_TOLERANCE = 3.0  # seconds: of the server's clock whole ones are known, and the answer was on its way


class PageMetadata(msgspec.Struct, rename="camel"):
    """metav1.ListMeta."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, Generic[T]):
    """One page of a list."""

    metadata: PageMetadata
    items: list[T] | None = None


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """All objects of a resource as they were at one version."""

    items: list[T]
    version: str


@cache  # making one takes longer than decoding most pages
def _page_decoder(kind: Any) -> msgspec.json.Decoder[Page[Any]]:
    return msgspec.json.Decoder(Page[kind])


class Session:
    """The connection to one API server; `connections` bounds requests in flight, watches and the lease apart.

    Raises UnreachableError when there is no answer. There is no client-side rate limit: that is up to the server's
    priority and fairness.
    """

    def __init__(
        self,
        credentials: Credentials,
        connections: int = CONNECTIONS,
        request_seconds: float = REQUEST_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.credentials = credentials
        self.connections = connections
        self._clock = clock
        self.clock_error = 0.0  # seconds to add to our wall clock for the server's; 0 if they hardly differ
        self._dated = ""
        self._seconds = request_seconds
        self._origin = Origin.of(credentials.server, credentials.ssl, credentials.server_name)
        self._connections = Connections(self._origin, connections + RESERVED)
        # Compressing lists costs the API server more than the bytes save inside a cluster.
        self._fixed = {
            "User-Agent": f"batchyard/{version('batchyard')}",
            "Accept": JSON,
            "Accept-Encoding": "identity",
        }
        self._options: dict[str, Any] = {"server_hostname": credentials.server_name} if credentials.server_name else {}
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # watches are few
                ssl=credentials.ssl if credentials.ssl is not None else True,
                keepalive_timeout=60,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._fixed,
            read_bufsize=1 << 18,
        )

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; streams end."""
        self._connections.close()
        await self._http.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "",
    ) -> Response:
        """Send one request and read the whole answer, whatever its status; a PATCH is a merge patch unless typed."""
        text = await self._message(method, path, params, body, content_type)
        about = subject(path)
        kind = verb(method, named=about.named)
        started, code = self._clock(), 0
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._connections.send(text, again=method in _REPEATABLE)
            code = answer.status
        except (TimeoutError, OSError) as error:
            raise UnreachableError(f"{method} {path}: {type(error).__name__} {error}") from error
        finally:
            self._count(kind, about, code)
            telemetry.observe_request(kind, self._clock() - started)
        self._compare_clocks(answer.headers.get("date", ""))
        return Response(code, answer.body, answer.headers)

    async def _message(
        self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None, content_type: str
    ) -> bytes:
        headers = {"Host": self._origin.authority, **self._fixed, **await self._headers()}
        if body is not None:
            headers["Content-Type"] = content_type or (MERGE_PATCH if method == "PATCH" else JSON)
        return message.request(method, message.target(self._origin.prefix + path, params), headers, body)

    async def get_json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the decoded object at a path; raises ApiError, UnreachableError."""
        answer = await self.request("GET", path, params=params)
        return orjson.loads(answer.expect_ok().body)

    async def list(self, path: str, kind: type[T], params: Mapping[str, str] | None = None) -> Listed[T]:
        """Return all objects, asked for in pages of 500.

        Raises ApiError (410: a page came too late, begin anew), UnreachableError, msgspec.DecodeError.
        """
        items: list[T] = []
        version = ""
        async for page in self.pages(path, kind, params):
            items += page.items
            version = page.version
        return Listed(items, version)

    async def pages(
        self, path: str, kind: type[T], params: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Listed[T], None]:
        """Yield all objects page by page, so that nobody has to hold them all; raises what `list` raises.

        The next page is on its way while the caller is busy with one; leave early with `aclosing`.
        """
        query = {**(params or {}), "limit": str(PAGE)}
        decoder: msgspec.json.Decoder[Page[T]] = _page_decoder(kind)  # type: ignore[arg-type]  # classes have a hash
        ahead = asyncio.create_task(self._page(path, query, decoder))
        try:
            while True:
                page = await ahead
                if more := page.metadata.continue_:
                    ahead = asyncio.create_task(self._page(path, {**query, "continue": more}, decoder))
                    await asyncio.sleep(0)  # until it is sent
                yield Listed(page.items or [], page.metadata.resource_version)
                if not more:
                    return
        finally:
            ahead.cancel()

    async def _page(self, path: str, query: Mapping[str, str], decoder: msgspec.json.Decoder[Page[T]]) -> Page[T]:
        answer = await self.request("GET", path, params=query)
        return decoder.decode(answer.expect_ok().body)

    async def stream(self, path: str, params: Mapping[str, str], silence: float) -> AsyncGenerator[bytes, None]:
        """Yield the chunks of a watch, an empty one first when it is open; close it with `aclosing`.

        Raises UnreachableError when cut, or silent for so many seconds; ApiError if refused.
        """
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=silence)
        headers, code = await self._headers(), 0
        try:
            async with self._http.get(
                self._url(path, params), headers=headers, timeout=timeout, **self._options
            ) as answer:
                code = answer.status
                self._count("watch", subject(path), code)
                if code != 200:
                    raise ApiError(*await _failure(answer))
                yield b""
                async for chunk in answer.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not code:
                self._count("watch", subject(path), code)
            raise UnreachableError(f"watch {path}: {type(error).__name__} {error}") from error

    def _compare_clocks(self, date: str) -> None:
        """Whether time is up is decided by times that the API server has written."""
        if date == self._dated:
            return
        self._dated = date
        try:
            error = parsedate_to_datetime(date).timestamp() + 0.5 - time()
        except (TypeError, ValueError):
            return
        self.clock_error = error if abs(error) > CLOCK_TOLERANCE else 0.0

    def _count(self, kind: str, about: Subject, code: int) -> None:
        telemetry.count_request(kind, about.resource, code)
        if code == 401:
            self.credentials.token.expire()

    async def _headers(self) -> dict[str, str]:
        token = await self.credentials.token.header()
        return {"Authorization": token} if token else {}

    def _url(self, path: str, params: Mapping[str, str] | None) -> URL:
        return URL(message.target(f"{self.credentials.server}{path}", params), encoded=True)


async def _failure(answer: aiohttp.ClientResponse) -> tuple[Status, float]:
    failed = Response(answer.status, await answer.read(), answer.headers)
    return failed.failure(), failed.retry_after
