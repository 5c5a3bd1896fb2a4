"""Conditions of an object's status, as they are written: each keeps the moment when it last turned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.world.parse import rfc3339


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether a statement holds, and why."""

    type: str
    holds: bool
    reason: str
    message: str = ""

    def written(self, generation: int, now: float, known: Iterable[Mapping[str, Any]] | None = ()) -> dict[str, Any]:
        """Return the entry of `status.conditions`; `known` are those that stand there."""
        status = "True" if self.holds else "False"
        old: Mapping[str, Any] = next((c for c in known or () if c.get("type") == self.type), {})
        turned = old.get("lastTransitionTime") if old.get("status") == status else None
        return {
            "type": self.type,
            "status": status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": generation,
            "lastTransitionTime": turned or rfc3339(int(now)),
        }
