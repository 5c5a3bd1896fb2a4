"""What a ConsumableResource says of itself: how much there is, who holds it, how many wait for it."""

from __future__ import annotations

from batchyard.decide.bookings import settle
from batchyard.decide.condition import Condition
from batchyard.decide.consume import holders
from batchyard.decide.cycle import Cycle
from batchyard.decide.stock import in_use
from batchyard.model.plan import Report
from batchyard.world.views import Consumable

_HOLDERS = 20


def inventory(cycle: Cycle, view: Consumable) -> Report:
    """Return the status to be written; that of what is used up carries the version that it rests on."""
    held = in_use(cycle.store, view)
    changes, used_up = ({}, 0) if view.replenishable else settle(cycle, view)
    over = held + used_up - view.total
    message = _sentence(view, over) if over > 0 else ""
    overcommitted = Condition("Overcommitted", over > 0, "TotalLowered" if over > 0 else "WithinTotal", message)
    status = {
        "phase": "Overcommitted" if over > 0 else "Valid",
        "message": message or None,
        "total": view.total,
        "inUse": held,
        "consumed": None if view.replenishable else used_up,
        "available": max(-over, 0),
        "waiting": len(cycle.stock.waiting.get(view.name, ())),
        "holders": [
            {"job": job, "quantity": quantity} for job, quantity in holders(cycle.store, view.name, _HOLDERS)
        ] or None,
        "observedGeneration": view.generation,
        "conditions": [overcommitted.written(view.generation, cycle.now, view.status.get("conditions"))],
        **({"taking": changes} if changes else {}),
    }  # fmt: skip
    version = "" if view.replenishable else view.version
    return Report("consumableresources", "", view.name, view.uid, status, version)


def _sentence(view: Consumable, over: int) -> str:
    what = "in use" if view.replenishable else "used up"
    then = "nothing that runs is touched, and nothing new starts until enough has come back"
    if not view.replenishable:
        then = "nothing new starts until spec.total is raised"
    return f"{view.total + over} are {what}, {over} more than spec.total ({view.total}); {then}"
