"""One connection to a server: a request, its answer, then the next."""

from __future__ import annotations

import asyncio

from batchyard.kube.answer import Answer, ProtocolError, Reading, answer


class UnheardError(ProtocolError):
    """A kept connection ended before it brought a byte: mostly the server had closed it while nobody asked."""


class Connection(asyncio.Protocol):
    """One request at a time; `idle` once its answer is whole and it may serve for another."""

    def __init__(self) -> None:
        self.idle = False
        self.since = 0.0  # the time from which it is idle
        self._transport: asyncio.Transport | None = None
        self._reading: Reading[Answer] | None = None
        self._heard = False
        self._whole: asyncio.Future[Answer] | None = None

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and return its answer; raises OSError."""
        assert self._transport is not None
        self.idle = self._heard = False
        if self._transport.is_closing():
            raise UnheardError("the connection is closed")
        self._reading, self._whole = answer(), asyncio.get_running_loop().create_future()
        next(self._reading)
        self._transport.write(request)
        return await self._whole

    def close(self) -> None:
        """Break it off; who waits for an answer gets none."""
        self.idle = False
        self._fail(ProtocolError("broken off"))
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be open."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody has asked for ends the connection."""
        self._heard = True
        self._feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer without a length is whole now, any other never will be."""
        if exc is None and self._heard and self._reading is not None:
            self._feed(b"")
        self.idle = False
        self._fail(exc or ProtocolError("the connection ended"))

    def _feed(self, data: bytes) -> None:
        if self._reading is None:
            self.close()
            return
        try:
            self._reading.send(data)
        except StopIteration as end:
            self._settle(end.value)
        except (ValueError, ProtocolError) as error:
            self._fail(error if isinstance(error, ProtocolError) else ProtocolError(f"not an answer: {error}"))
            self.close()

    def _settle(self, whole: Answer) -> None:
        self._reading = None
        self.idle = not whole.last
        if self._whole is not None and not self._whole.done():
            self._whole.set_result(whole)

    def _fail(self, error: Exception) -> None:
        self._reading = None
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(error if self._heard else UnheardError(str(error)))
