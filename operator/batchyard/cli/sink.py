"""Logs of several pods on one stdout: lines stay whole, memory stays small however much there is."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from threading import Lock

LONGEST = 65_536  # bytes of a line that are held back while its end is not there


class Sink:
    """Writes to stdout from many threads, a whole line at a time."""

    def __init__(self) -> None:
        self._lock = Lock()

    def copy(self, chunks: Iterable[bytes], prefix: bytes = b"") -> None:
        """Write a stream; with a prefix before each line, and lines beyond 64 KiB folded."""
        if not prefix:
            for chunk in chunks:
                self._write(chunk)
            return
        rest = b""
        for chunk in chunks:
            rest += chunk
            cut = rest.rfind(b"\n") + 1
            if cut:
                self._write(_prefixed(rest[:cut], prefix))
                rest = rest[cut:]
            while len(rest) > LONGEST:
                self._write(_prefixed(rest[:LONGEST] + b"\n", prefix))
                rest = rest[LONGEST:]
        if rest:
            self._write(_prefixed(rest + b"\n", prefix))

    def _write(self, piece: bytes) -> None:
        with self._lock:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()


def _prefixed(lines: bytes, prefix: bytes) -> bytes:
    return prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
