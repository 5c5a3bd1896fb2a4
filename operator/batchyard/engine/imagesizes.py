"""How many bytes images have, as the nodes' statuses tell; asked of one node at a time, and once for each image."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from batchyard.decide.images import canonical
from batchyard.kube.paths import core
from batchyard.kube.session import ApiError, Session, UnreachableError

KEPT = 2_000


class _Image(msgspec.Struct, rename="camel", gc=False):
    names: list[str] | None = None
    size_bytes: int = 0


class _Status(msgspec.Struct, gc=False):
    images: list[_Image] | None = None


class _Node(msgspec.Struct, gc=False):
    status: _Status


_NODE = msgspec.json.Decoder(_Node)


class ImageSizes(dict[str, int]):
    """Bytes by an image's whole name; 0 for one that no node has among its 50 largest, which is all that it tells."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    async def learn(self, names: Iterable[str], node: str) -> bool:
        """Ask a node about images that are not known yet; say whether it was asked."""
        wanted = [name for name in names if name not in self]
        if not wanted or not node:
            return False
        try:
            answer = await self._session.request("GET", core("nodes", name=node))
            images = _NODE.decode(answer.expect_ok().body).status.images or []
        except (ApiError, UnreachableError, msgspec.DecodeError):
            images = []  # gone meanwhile, for example: it is no loss not to know
        told = {canonical(name): image.size_bytes for image in images for name in image.names or ()}
        for name in wanted:
            self[name] = told.get(name, 0)
        while len(self) > KEPT:
            del self[next(iter(self))]
        return True
