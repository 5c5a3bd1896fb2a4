"""Reads one HTTP/1.1 answer from bytes that come in pieces."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Reading = Generator[None, bytes, T]
"""Wants bytes at each `yield`, none at all when the connection has ended; returns what it has read."""

MOST_HEAD = 1 << 16
_NO_BODY = frozenset({204, 304})


class ProtocolError(ConnectionError):
    """What came is no answer, or only a part of one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole; names of headers in lower case. `last` says that the connection is of no more use."""

    status: int
    headers: dict[str, str]
    body: bytes
    last: bool


def answer() -> Reading[Answer]:
    """Read one answer; ValueError and ProtocolError if it is none."""
    pieces = _Pieces()
    status = 100
    while status < 200:  # before the answer there may be others that only say that it will come
        version, status, headers = _head((yield from pieces.until(b"\r\n\r\n")))
    body = yield from _body(pieces, status, headers)
    ends = "close" in headers.get("connection", "").lower() or version != "HTTP/1.1"
    return Answer(status, headers, body if body is not None else (yield from pieces.rest()), ends or bool(pieces.held))


class _Pieces:
    """What has come and was not read yet."""

    def __init__(self) -> None:
        self.held = bytearray()

    def until(self, mark: bytes) -> Reading[bytes]:
        """Read up to a mark, and the mark away."""
        seen = 0
        while (end := self.held.find(mark, seen)) < 0:
            if len(self.held) > MOST_HEAD:
                raise ProtocolError("a line without an end")
            seen = max(len(self.held) - len(mark) + 1, 0)
            yield from self._more()
        found = bytes(self.held[:end])
        del self.held[: end + len(mark)]
        return found

    def exactly(self, size: int) -> Reading[bytes]:
        """Read so many bytes."""
        while len(self.held) < size:
            yield from self._more()
        found = bytes(self.held[:size])
        del self.held[:size]
        return found

    def rest(self) -> Reading[bytes]:
        """Read until the connection ends."""
        while piece := (yield):
            self.held += piece
        return (yield from self.exactly(len(self.held)))

    def _more(self) -> Reading[None]:
        piece = yield
        if not piece:
            raise ProtocolError("the connection ended within an answer" if self.held else "the connection ended")
        self.held += piece


def _head(text: bytes) -> tuple[str, int, dict[str, str]]:
    first, *lines = text.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ", 2)
    if not version.startswith("HTTP/1."):
        raise ProtocolError(f"not HTTP/1: {version[:20]!r}")
    pairs = (line.partition(":") for line in lines)
    return version, int(status), {name.lower(): value.strip() for name, _, value in pairs}


def _body(pieces: _Pieces, status: int, headers: dict[str, str]) -> Reading[bytes | None]:
    """Read the body; None if it is what comes until the connection ends."""
    if status in _NO_BODY:
        return b""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return (yield from _chunks(pieces))
    if "content-length" in headers:
        return (yield from pieces.exactly(int(headers["content-length"])))
    return None


def _chunks(pieces: _Pieces) -> Reading[bytes]:
    chunks: list[bytes] = []
    while size := int((yield from pieces.until(b"\r\n")).partition(b";")[0], 16):
        chunks.append((yield from pieces.exactly(size)))
        yield from pieces.until(b"\r\n")
    while (yield from pieces.until(b"\r\n")):
        pass  # trailers
    return b"".join(chunks)
