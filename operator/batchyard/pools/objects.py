"""Objects in the API server by which other controllers are told to make machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Objects:
    """One kind of object, as far as a provider needs it; bodies are JSON objects, failures ProviderErrors."""

    listed: Callable[[str], Awaitable[Sequence[Body]]]  # label selector -> objects
    find: Callable[[str], Awaitable[Body | None]]  # by name; None: there is none
    create: Callable[[Body], Awaitable[None]]  # exists already: done
    merge: Callable[[str, Body], Awaitable[None]]  # merge patch; gone: done
    delete: Callable[[str], Awaitable[None]]  # gone already: done


def condition(body: Body, kind: str) -> Body:
    """Return a condition of an object's status, with status Unknown if there is none."""
    conditions: Sequence[Body] = (body.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {"type": kind, "status": "Unknown"})
