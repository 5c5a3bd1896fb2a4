"""What may become of a request: the operator dies at it, the network loses it, the API server will not have it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random

from aiohttp import web

from crash.proxy import MUTATING, Road


@dataclass
class Fuse:
    """Burns through at the k-th write since it was laid, or at the k-th request of any kind.

    `sent` says whether that one still reaches the server. Not counted is what brings no life further: the Lease, with
    which each begins, and the creation of what was created before, like a gang's Service, which is asked for anew.
    """

    kill: Callable[[], None] = lambda: None
    methods: frozenset[str] = MUTATING
    left: int = 0
    sent: bool = True
    burnt: threading.Event = field(default_factory=threading.Event)
    made: set[tuple[str, str]] = field(default_factory=set)  # path and name
    _laid: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lay(self, writes: int, *, sent: bool) -> bool:
        """Lay a new one in place of the former; say whether that has burnt: else it never will."""
        with self._lock:
            burnt = self.burnt.is_set()
            self._laid += 1
            self.burnt.clear()
            self.left, self.sent = writes, sent
        return burnt

    def _burn(self, laid: int) -> None:
        with self._lock:
            if laid == self._laid:
                self.kill()
                self.burnt.set()

    def burns_at(self, road: Road) -> bool:
        again = self.methods == MUTATING and (road.is_lease or road.creates in self.made)
        if road.method not in self.methods or again or self.left <= 0:
            return False
        self.left -= 1
        return self.left == 0

    async def __call__(self, road: Road) -> web.StreamResponse:
        laid, burns = self._laid, self.burns_at(road)
        if (new := road.creates) and (self.sent or not burns):
            self.made.add(new)
        if not burns:
            return await road.go_on()
        if self.sent and not road.is_watch:
            await road.arrive()
        self._burn(laid)  # before the operator has heard of the write
        return road.cut()


@dataclass
class Weather:
    """Each of `faults` befalls a request with probability `each`, those of the Lease too.

    conflict, busy, broken: the answers 409, 429 (Retry-After 1) and 500, and nothing was done;
    deaf: it was done, and the answer is 500; lost: it was done, and the connection cut; silent: it was done, and no
    answer ever comes. A watch breaks off, tarries, says everything twice, or that its version is gone (410).
    """

    each: float
    faults: tuple[str, ...] = ("conflict", "busy", "broken", "deaf", "lost", "silent")
    watches: tuple[str, ...] = ("cut", "late", "twice", "gone")
    random: Random = field(default_factory=lambda: Random(1))
    patience: float = 2.0  # seconds of silence, then the cut: the operator's own patience is 30 s
    befell: Counter[str] = field(default_factory=Counter)

    async def __call__(self, road: Road) -> web.StreamResponse:
        if road.is_watch:
            return await road.go_on(self._events)
        fault = self._drawn(self.faults)
        if fault == "conflict" and road.method not in MUTATING:
            fault = "busy"
        if not fault:
            return await road.go_on()
        self.befell[fault] += 1
        return await self._befall(fault, road)

    def _drawn(self, faults: tuple[str, ...]) -> str:
        draw = int(self.random.random() / self.each) if self.each else len(faults)
        return faults[draw] if draw < len(faults) else ""

    async def _befall(self, fault: str, road: Road) -> web.StreamResponse:
        match fault:
            case "conflict":
                return road.refuse(409, "Conflict", "the object has been modified; try again")
            case "busy":
                return road.refuse(429, "TooManyRequests", "try again later", Retry_After="1")
            case "broken":
                return road.refuse(500, "InternalError", "etcdserver: request timed out")
        await road.arrive()
        if fault == "deaf":
            return road.refuse(500, "InternalError", "etcdserver: leader changed")
        if fault == "silent":
            await asyncio.sleep(self.patience)
        return road.cut()

    async def _events(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for line in lines:
            fault = self._drawn(self.watches)
            self.befell.update([f"watch {fault}"] if fault else [])
            if fault == "cut":
                yield line[: len(line) // 2]
                return
            if fault == "late":
                await asyncio.sleep(self.random.random() * self.patience)
            if fault == "gone":
                yield GONE
                return
            yield line
            if fault == "twice":
                yield line


GONE = json.dumps(
    {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old version"}}
).encode() + b"\n"  # fmt: skip
