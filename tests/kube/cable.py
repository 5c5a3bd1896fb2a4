"""A cable to the API server which can be cut: a TCP relay on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Cable:
    """Relays bytes; `cut` breaks every connection and refuses new ones until `mend`."""

    def __init__(self, server: str) -> None:
        target = urlsplit(server)
        self._target = target.hostname, target.port
        self._ends: set[asyncio.StreamWriter] = set()
        self._broken = False
        self.breaks = 0
        self.port = 0

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._broken:
            self.breaks += 1
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._ends |= {writer, far_writer}
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        self._ends -= {writer, far_writer}

    def cut(self) -> None:
        self._broken = True
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._broken = False


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(1 << 16):
            sink.write(chunk)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def cable_to(server: str) -> AsyncIterator[Cable]:
    cable = Cable(server)
    listener = await asyncio.start_server(cable.relay, "127.0.0.1", 0)
    cable.port = listener.sockets[0].getsockname()[1]
    try:
        yield cable
    finally:
        listener.close()
        cable.cut()
