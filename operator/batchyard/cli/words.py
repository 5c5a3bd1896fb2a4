"""Moments, spans, money and names as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from batchyard.model.phase import Phase

ENDED = frozenset(phase for phase in Phase if phase.final)
_STEPS = ((86_400, "d", 3_600, "h", 8), (3_600, "h", 60, "m", 8), (60, "m", 1, "s", 10))


def now() -> datetime:
    """Return the time; the one place where the commands ask for it."""
    return datetime.now(UTC)


def moment(text: str | None) -> datetime | None:
    """Return a moment of an API object, None if it is absent."""
    return datetime.fromisoformat(text) if text else None


def span(seconds: float) -> str:
    """Return a span as kubectl writes ages: 45s, 5m30s, 3h, 2d4h."""
    left = max(0, int(seconds))
    for unit, word, part, small, few in _STEPS:
        if left >= unit * (2 if unit > 60 else 1):
            whole, rest = divmod(left, unit)
            more = rest // part
            return f"{whole}{word}{more}{small}" if whole < few and more else f"{whole}{word}"
    return f"{left}s" if left < 3_600 else f"{left // 60}m"


def since(text: str | None, until: str | None = None) -> str:
    """Return how long ago a moment was, or how long it was before another one; "" if it is absent."""
    begin, end = moment(text), moment(until) or now()
    return span((end - begin).total_seconds()) if begin else ""


def ahead(text: str | None) -> str:
    """Return how far away a coming moment is: in 5m; "" if it is absent."""
    then = moment(text)
    return f"in {span((then - now()).total_seconds())}" if then else ""


def amount(text: Any) -> Decimal:
    """Return money as a number; 0 if it is absent or unreadable."""
    try:
        return Decimal(str(text or 0))
    except InvalidOperation:
        return Decimal(0)


def money(value: Decimal) -> str:
    """Return an amount with as many digits as it needs, at least cents: 12.30, 0.000123."""
    if value == 0:
        return "0.00"
    return f"{value:.2f}" if value >= 1 else f"{value:.6f}"


def phase(job: Mapping[str, Any]) -> str:
    """Return a job's phase; one that the operator has not seen yet is Submitted."""
    return str((job.get("status") or {}).get("phase") or Phase.Submitted)


def ended(job: Mapping[str, Any]) -> bool:
    """Say whether a job has ended for good."""
    return phase(job) in ENDED


def name(body: Mapping[str, Any]) -> str:
    """Return an object's name."""
    return str(body["metadata"]["name"])


def resource(body: Mapping[str, Any]) -> str:
    """Return an object's name as kubectl takes it: batchjob.batchyard.dev/NAME."""
    return f"batchjob.batchyard.dev/{name(body)}"
