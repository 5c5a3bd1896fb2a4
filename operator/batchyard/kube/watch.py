"""List and watch one resource for ever: whole lists and single changes, typed, end in one sink."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from operator import attrgetter
from random import random
from time import monotonic
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import msgspec
import structlog

from batchyard.kube.backoff import Backoff
from batchyard.kube.paths import subject
from batchyard.kube.session import ApiError, Session, Status, UnreachableError

log = structlog.get_logger(__name__)

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
Change = Literal["ADDED", "MODIFIED", "DELETED"]
GONE = 410
EXPIRED = "Expired"


class Sink(Protocol[T_contra]):
    """Where objects go; called in the loop, must not block. What it raises is our defect and ends the watcher."""

    def replace(self, items: Sequence[T_contra], version: str) -> None:
        """Take these as all there are: what is absent was deleted unseen."""

    def apply(self, change: Change, item: T_contra) -> None:
        """Take one change; after a reconnection the same one may come twice."""


@dataclass(frozen=True, slots=True)
class Target(Generic[T]):
    """What to watch: a path of a collection, the type to decode into, selectors for the server.

    `version` reads the resourceVersion of a decoded object.
    """

    path: str
    kind: type[T]
    label_selector: str = ""
    field_selector: str = ""
    version: Callable[[T], str] = attrgetter("metadata.resource_version")

    def query(self) -> dict[str, str]:
        """Return the selectors as query parameters."""
        both = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in both.items() if value}


@dataclass(frozen=True, slots=True)
class Pace:
    """When to lose patience, in seconds.

    API servers send a bookmark every minute, so 70 silent seconds mean a dead connection. A list every 15 minutes finds
    what a broken watch may have missed. Watches last 5 to 10 minutes, as in client-go, to spread over API servers.
    """

    silence: float = 70.0
    relist_every: float = 900.0
    watch_seconds: float = 300.0
    backoff: Backoff = field(default_factory=Backoff)
    clock: Callable[[], float] = monotonic
    random: Callable[[], float] = random


class _Added(msgspec.Struct, Generic[T], tag_field="type", tag="ADDED", gc=False):
    change: ClassVar[Change] = "ADDED"
    object: T


class _Modified(msgspec.Struct, Generic[T], tag_field="type", tag="MODIFIED", gc=False):
    change: ClassVar[Change] = "MODIFIED"
    object: T


class _Deleted(msgspec.Struct, Generic[T], tag_field="type", tag="DELETED", gc=False):
    change: ClassVar[Change] = "DELETED"
    object: T


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str


class _Marked(msgspec.Struct):
    metadata: _Version


class _Bookmark(msgspec.Struct, tag_field="type", tag="BOOKMARK"):
    object: _Marked


class _Error(msgspec.Struct, tag_field="type", tag="ERROR"):
    object: Status


class ExpiredError(Exception):
    """The version we stood at is no longer known, or cannot be followed: list anew."""


class Watcher(Generic[T]):
    """Equivalent to listing without end and telling the sink each difference; watches in between to be quick.

    `synced` is set once the first list is delivered. `last_byte` is the clock's time of the last sign of life,
    bookmarks included.
    """

    def __init__(self, session: Session, target: Target[T], sink: Sink[T], pace: Pace | None = None) -> None:
        self.synced = asyncio.Event()
        self._session = session
        self._target = target
        self._sink = sink
        self._pace = pace or Pace()
        self.last_byte = self._pace.clock()
        self._version = ""
        self._failures = 0
        self._relist_at = 0.0
        self._decoder = _decoder(target.kind)

    @property
    def resource(self) -> str:
        """Return the name of what is watched, for metrics."""
        return subject(self._target.path).resource

    @property
    def newest(self) -> int:
        """Return the version at which we stand; 0 if there is none, or it is no number."""
        return int(self._version) if self._version.isdigit() else 0

    async def run(self) -> None:
        """Run until cancelled; the world's errors are retried, whatever the sink raises ends it."""
        while True:
            try:
                if not self._version or self._pace.clock() >= self._relist_at:
                    await self._list()
                await self._watch()
            except ExpiredError as reason:
                await self._begin_anew(str(reason))
            except ApiError as error:
                await self._refused(error)
            except (UnreachableError, msgspec.DecodeError) as error:
                await self._rest(error)

    async def _list(self) -> None:
        listed = await self._session.list(self._target.path, self._target.kind, self._target.query())
        pace = self._pace
        self.last_byte = pace.clock()
        self._relist_at = pace.clock() + pace.relist_every * (0.9 + 0.2 * pace.random())
        self._version = listed.version
        self._sink.replace(listed.items, listed.version)
        self.synced.set()

    async def _watch(self) -> None:
        opened, seen = self._pace.clock(), False
        stream = self._session.stream(self._target.path, self._watch_query(), self._pace.silence)
        try:
            async with aclosing(stream) as chunks:
                async for lines in self._lines(chunks):
                    for line in lines:
                        self._take(line)
                    seen, self._failures = True, 0
                    if self._pace.clock() >= self._relist_at:
                        return
        finally:
            lasted = self._pace.clock() - opened
            if lasted > self._pace.backoff.longest:
                self._failures = 0
        if not seen and lasted < 1:
            raise UnreachableError(f"watch {self._target.path}: closed at once")

    async def _lines(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
        rest = b""
        async for chunk in chunks:
            self.last_byte = self._pace.clock()
            # What follows the last newline waits for its end; if the stream is cut first, the server sends it again.
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                yield lines

    def _take(self, line: bytes) -> None:
        if not line:
            return
        try:
            event = self._decoder.decode(line)
        except msgspec.DecodeError as error:
            self._failures += 1
            raise ExpiredError(f"event cannot be read: {error}") from error
        match event:
            case _Bookmark():
                self._version = event.object.metadata.resource_version
            case _Error():
                raise ApiError(event.object)
            case _:
                self._sink.apply(event.change, event.object)
                self._version = self._target.version(event.object)

    def _watch_query(self) -> dict[str, str]:
        pace = self._pace
        until_relist = max(1.0, self._relist_at - pace.clock())
        lasting = min(until_relist, pace.watch_seconds * (1 + pace.random()))
        return {
            **self._target.query(),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(max(1, round(lasting))),
        }

    async def _refused(self, error: ApiError) -> None:
        if error.status.code == GONE or error.status.reason == EXPIRED:
            await self._begin_anew(str(error))
        else:
            await self._rest(error, error.retry_after)

    async def _begin_anew(self, reason: str) -> None:
        log.info("watch begins anew with a list", path=self._target.path, reason=reason)
        self._version = ""
        await self._rest(None)

    async def _rest(self, error: Exception | None, at_least: float = 0.0) -> None:
        self._failures += 1
        delay = self._pace.backoff.delay(self._failures, at_least)
        if error is not None:
            log.warning("watch interrupted", path=self._target.path, error=str(error), retry_seconds=round(delay, 3))
        await asyncio.sleep(delay)


def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(
        _Added[kind] | _Modified[kind] | _Deleted[kind] | _Bookmark | _Error  # type: ignore[valid-type]
    )
