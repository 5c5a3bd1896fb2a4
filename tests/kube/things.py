"""What the tests of the kube floor share: a small type, a sink that remembers, and credentials for any server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from batchyard.kube.backoff import Backoff
from batchyard.kube.credentials import Credentials, Token
from batchyard.kube.watch import Change, Pace

SOON = Backoff(first=0.002, longest=0.01)
QUICK = Pace(backoff=SOON)
DEADLINE = 20


async def until(condition: Callable[[], bool]) -> None:
    """Look until the condition holds; what changes it rings no bell."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class Metadata(msgspec.Struct, rename="camel", frozen=True):
    name: str
    resource_version: str
    labels: dict[str, str] = {}


class Thing(msgspec.Struct, frozen=True):
    metadata: Metadata
    text: str = ""
    data: dict[str, str] = {}


class Memory:
    """A sink: what there is now, and what was said in which order."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.lists: list[tuple[list[str], str]] = []
        self.changes: list[tuple[Change, str, str]] = []

    def replace(self, items: Sequence[Thing], version: str) -> None:
        self.things = {item.metadata.name: item for item in items}
        self.lists.append((list(self.things), version))

    def apply(self, change: Change, item: Thing) -> None:
        self.changes.append((change, item.metadata.name, item.metadata.resource_version))
        if change == "DELETED":
            self.things.pop(item.metadata.name, None)
        else:
            self.things[item.metadata.name] = item

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition)

    def versions(self) -> dict[str, str]:
        return {name: item.metadata.resource_version for name, item in self.things.items()}


def anonymous(url: str) -> Credentials:
    return Credentials(server=url, ssl=None, token=Token(lambda: ""))
