"""How a job ended, as an exit code that scripts can use."""

from __future__ import annotations

from typing import Any

from batchyard.cli.cluster import Body
from batchyard.model.phase import Phase
from batchyard.world.indexes import parse

_FAILED = 1
_LARGEST = 255


def exit_code(job: Body) -> int:
    """Return 0 for Succeeded, else the code with which the last attempt failed, or 1 if no container told one.

    Of an array it is the code that all failed children on record have in common, else 1.
    """
    status = job.get("status") or {}
    if status.get("phase") == Phase.Succeeded:
        return 0
    if status.get("array"):
        codes = {code for attempt in _failures(status["array"]) if (code := _code(attempt))}
        return codes.pop() if len(codes) == 1 else _FAILED
    attempts = status.get("attempts") or [{}]
    return _code(attempts[-1]) or _FAILED


def _failures(array: dict[str, Any]) -> list[dict[str, Any]]:
    failed = parse(array.get("failed", ""))
    return [attempt for attempt in array.get("attempts") or () if failed >> attempt["index"] & 1]


def _code(attempt: dict[str, Any]) -> int:
    code = int(attempt.get("exitCode") or 0)
    return code if 0 <= code <= _LARGEST else _FAILED


def verdict(job: Body) -> str:
    """Return the end of a job in one sentence."""
    status = job.get("status") or {}
    said = status.get("message") or status.get("reason") or ""
    return f"{job['metadata']['name']} {str(status.get('phase', '')).lower()}" + (f": {said}" if said else "")
