"""What an environment tells of the sizes and prices that its provider offers."""

from __future__ import annotations

from typing import Any

from batchyard.decide.condition import Condition
from batchyard.world.offers import written
from batchyard.world.store import Store
from batchyard.world.views import Environment

KNOWN = "OffersKnown"


def being_read(store: Store, view: Environment) -> bool:
    """Say whether an environment has no shapes only because its provider has not answered yet."""
    return bool(view.entries) and not _answered(store, view)


def _answered(store: Store, view: Environment) -> bool:
    known = store.offers.get(view.name)
    return known is not None and known.uid == view.uid


def offers_of(store: Store, view: Environment) -> list[dict[str, Any]] | None:
    """Return status.offers: what holds now; what another operator wrote, until the provider has answered this one."""
    if not view.entries:
        return None
    return written(store.offers[view.name].of) or None if _answered(store, view) else view.status.get("offers")


def offers_known(store: Store, view: Environment, now: float) -> list[dict[str, Any]]:
    """Return the condition OffersKnown; nothing where the spec leaves nothing to the provider."""
    if not view.entries:
        return []
    old = view.status.get("conditions") or ()
    if not _answered(store, view):
        told = [dict(condition) for condition in old if condition.get("type") == KNOWN]
        reading = Condition(KNOWN, False, "Reading", "sizes and prices are being read from the provider")
        return told or [reading.written(view.generation, now, old)]
    problems = store.offers[view.name].problems
    message = "; ".join(problem.message for problem in problems)
    reason = problems[0].reason if problems else "Known"
    return [Condition(KNOWN, not problems, reason, message).written(view.generation, now, old)]
