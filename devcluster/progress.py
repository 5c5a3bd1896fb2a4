"""Show that a long build is alive: what it does, how far it is, how long it has run."""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from typing import IO

from .console import duration
from .errors import SetupError

PR_SET_PDEATHSIG = 1


class Progress:
    """Counts the lines that Go prints, and reports every ten seconds; to a terminal every second."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.total = 0
        self.last_lines: deque[str] = deque(maxlen=20)
        self._started = time.monotonic()
        self._reported = self._started
        self._packages = 0
        self._modules = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._started

    def line(self, text: str) -> None:
        """Take one line that Go wrote."""
        if text.startswith("go: downloading "):
            self._modules += 1
        elif text and " " not in text:
            self._packages += 1
        else:
            self.last_lines.append(text)

    def tick(self) -> None:
        """Report, if it is time again."""
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if now - self._reported < (1 if terminal else 10):
            return
        self._reported = now
        print(f"  {self}", end="\x1b[K\r" if terminal else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the line that is rewritten on a terminal."""
        if sys.stderr.isatty():
            print("\x1b[K", end="", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        doing = f"{self._modules} modules fetched"
        if self.total:
            doing = f"{self._packages} of at most {self.total} packages compiled"
        if self.total and self._packages in (0, self.total - 1):  # nothing left to compile: one long silence
            doing = "linking"
        return f"{self.title}: {doing}, {duration(self.elapsed)}"

    @staticmethod
    def end_with_parent() -> None:
        """Interrupt the child when this process is killed; Go then removes its temporary files."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored in the background jobs of a script, and inherited
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def follow(process: subprocess.Popen[bytes], progress: Progress) -> str:
    """Return what the process wrote to stdout, reporting from its stderr; an error code is SetupError."""
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        output = _read_both(process.stdout, process.stderr, progress)
        if process.wait() != 0:
            said = "\n".join(progress.last_lines)
            raise SetupError(f"The build of the {progress.title} failed: is the Go module proxy reachable?\n{said}")
        return output
    finally:
        progress.end()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def _read_both(stdout: IO[bytes], stderr: IO[bytes], progress: Progress) -> str:
    output, partial = bytearray(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stderr, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(timeout=1):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is stdout:
                    output += chunk
                else:
                    *lines, partial = (partial + chunk).split(b"\n")
                    for line in lines:
                        progress.line(line.decode(errors="replace"))
            progress.tick()
    return output.decode()
