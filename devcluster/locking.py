"""One command at a time on one thing; the kernel frees the lock of whoever was killed."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusively(path: Path, when_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock at `path`, calling `when_waiting` if another process has it; the holder may delete the file."""
    descriptor = _take(path, when_waiting)
    while not _is_still_there(path, descriptor):
        os.close(descriptor)
        descriptor = _take(path, when_waiting)
    try:
        yield
    finally:
        os.close(descriptor)


def _take(path: Path, when_waiting: Callable[[], None]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        when_waiting()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _is_still_there(path: Path, descriptor: int) -> bool:
    """Whether the file that is locked is the one that others would lock: its last holder may have deleted it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
