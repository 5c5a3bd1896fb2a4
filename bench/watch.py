"""One watcher: when each object was first seen, bound, running and over, by the time of receipt."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from bench.client import Client

STALL_SECONDS = 120.0  # without any sign of progress
JOB_UID, INDEX = "batchyard.dev/job-uid", "batchyard.dev/array-index"
_OVER = frozenset({"Succeeded", "Failed"})


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    uid: str
    resource_version: str
    labels: dict[str, str] = {}


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str = ""


class _Condition(msgspec.Struct):
    type: str
    status: str


class _Status(msgspec.Struct):
    phase: str = ""
    conditions: list[_Condition] = []


class _Object(msgspec.Struct):
    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


class _Event(msgspec.Struct):
    type: str
    object: _Object


class StalledError(Exception):
    """Nothing happened for too long."""


@dataclass
class Timeline:
    """What has happened to the objects of one kind, by name: seconds since 1970."""

    added: dict[str, float] = field(default_factory=dict)
    bound: dict[str, float] = field(default_factory=dict)
    over: dict[str, float] = field(default_factory=dict)
    told: set[str] = field(
        default_factory=set
    )  # an operator has written a status: the API server's own first one says Submitted
    failed: set[str] = field(default_factory=set)
    ran: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))  # job, index -> its pods

    def take(self, seen: _Object, now: float) -> None:
        """Note what is new about one object."""
        meta, status = seen.metadata, seen.status
        self.added.setdefault(meta.name, now)
        if status.phase not in ("", "Submitted"):
            self.told.add(meta.name)
        if seen.spec.node_name:
            self.bound.setdefault(meta.name, now)
        if status.phase in ("Running", "Succeeded", "Failed") and JOB_UID in meta.labels:
            self.ran[meta.labels[JOB_UID], meta.labels.get(INDEX, "")].add(meta.uid)
        end = status.phase if status.phase in _OVER else _ended(status.conditions)
        if end:
            self.over.setdefault(meta.name, now)
        if end == "Failed":
            self.failed.add(meta.name)


def _ended(conditions: list[_Condition]) -> str:
    """Say how a native Job has ended, if it has; a pod's phase says it of a pod."""
    ends = {"Complete": "Succeeded", "Failed": "Failed"}
    return next((ends[c.type] for c in conditions if c.type in ends and c.status == "True"), "")


class Watch:
    """Follows one collection from now on, for as long as it is entered."""

    def __init__(self, client: Client, path: str) -> None:
        self.timeline = Timeline()
        self._client, self._path = client, path
        self._decoder = msgspec.json.Decoder(_Event)
        self._progress = asyncio.Event()
        self._version = ""

    async def __aenter__(self) -> Watch:
        listed = await self._client.get(f"{self._path}?limit=1")
        self._version = listed["metadata"]["resourceVersion"]
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, holds: Callable[[Timeline], bool], stall: float = STALL_SECONDS) -> None:
        """Return once something holds of the timeline; StalledError if nothing is heard for so many seconds."""
        while not holds(self.timeline):
            if self._task.done():
                self._task.result()
            self._progress.clear()
            try:
                await asyncio.wait_for(self._progress.wait(), stall)
            except TimeoutError:
                line = self.timeline
                raise StalledError(
                    f"{self._path}: {len(line.added)} seen, {len(line.over)} over, then silence"
                ) from None

    async def _follow(self) -> None:
        while True:
            query = f"?watch=1&timeoutSeconds=7200&resourceVersion={self._version}"
            async for lines in self._client.lines(self._path + query):
                self._take(lines)

    def _take(self, lines: list[bytes]) -> None:
        now = time.time()
        for line in lines:
            if line:
                event = self._decoder.decode(line)  # an ERROR cannot be decoded, and ends the run with its words
                self._version = event.object.metadata.resource_version
                self.timeline.take(event.object, now)
        self._progress.set()
