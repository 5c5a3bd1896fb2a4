"""What a queue tells of its budget: numbers now and then, that it is spent at once."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Any

from batchyard.decide.budget import EXCEEDED, Till, period
from batchyard.decide.condition import Condition
from batchyard.decide.cycle import Cycle
from batchyard.model.plan import Tell
from batchyard.world.money import NOTHING
from batchyard.world.parse import rfc3339
from batchyard.world.purse import kept
from batchyard.world.views import Queue

CHANGED_SECONDS = 10.0  # between writes while pods come and go
STEADY_SECONDS = 60.0  # between writes while nothing but time changes the numbers
_MOST = Decimal(999_999_999)  # that a status can hold
_WAITS = ("Submitted", "Pending", "Runnable")
_EFFECTS = {
    "Hold": "nothing more starts until money comes free",
    "SpotOnly": "jobs use spot environments only until money comes free",
    "Notify": "jobs go on",
}
Told = dict[str, Any]


def budget_of(cycle: Cycle, queue: Queue) -> Told | None:
    """Return status.budget: what was told, until it is time to tell anew; None without a budget."""
    till = cycle.tills.get(queue.name)
    if till is None:
        return queue.status.get("budget") if queue.invalid else None
    old, new = queue.status.get("budget") or {}, _told(cycle, till)
    same = all(old.get(name) == value for name, value in new.items() if name != "updatedAt")
    if same or not _is_due(cycle, queue, till):
        return dict(old)
    return {**new, "kept": kept(till.spending) or None}


def _told(cycle: Cycle, till: Till) -> Told:
    at = till.frees_at() if till.exceeded else inf
    return {
        "amount": f"{till.budget.amount:f}",
        "spent": _written(till.spent),
        "committed": _written(till.committed),
        "forecast": _forecast(cycle, till.queue),
        "freesAt": rfc3339(at) if at < inf else None,
        "updatedAt": rfc3339(till.spending.at),
    }


def _forecast(cycle: Cycle, queue: str) -> str | None:
    each, phases = cycle.store.histories.costing(queue), cycle.roster.phases[queue]
    waiting = sum(phases[phase] + change for phase, change in _with_shift(cycle, queue))
    return _written(each * waiting) if each is not None and waiting > 0 else None


def _with_shift(cycle: Cycle, queue: str) -> list[tuple[str, int]]:
    moved = {str(phase): change for (where, phase), change in cycle.shift.items() if where == queue}
    return [(phase, moved.get(phase, 0)) for phase in _WAITS]


def _is_due(cycle: Cycle, queue: Queue, till: Till) -> bool:
    """Say whether it is time; that the budget is spent, changed or has money again is told at once."""
    amount = (queue.status.get("budget") or {}).get("amount")
    if amount != f"{till.budget.amount:f}" or _was_exceeded(queue) != till.exceeded:
        return True
    due = till.spending.told + (CHANGED_SECONDS if till.spending.dirty else STEADY_SECONDS)
    cycle.plan.wake_at(max(due, cycle.now + 1))
    return cycle.now >= due


def _was_exceeded(queue: Queue) -> bool:
    """Say whether a status tells of a budget that is spent."""
    known = queue.status.get("conditions") or ()
    return any(each.get("type") == EXCEEDED and each.get("status") == "True" for each in known)


def budget_condition(cycle: Cycle, queue: Queue) -> list[dict[str, Any]]:
    """Return the condition BudgetExceeded, and post an event when it turns; nothing without a budget."""
    till = cycle.tills.get(queue.name)
    if till is None:
        return []
    if _was_exceeded(queue) != till.exceeded:
        sentence = till.sentence() if till.exceeded else f"JobQueue {queue.name!r} has money again"
        told = EXCEEDED if till.exceeded else "BudgetAvailable"
        cycle.do(Tell("JobQueue", "", queue.name, queue.uid, till.exceeded, told, sentence[:900]))
    found = Condition(EXCEEDED, till.exceeded, EXCEEDED if till.exceeded else "WithinBudget", _words(till))
    return [found.written(queue.generation, cycle.now, queue.status.get("conditions"))]


def _words(till: Till) -> str:
    """Say it without numbers that change all the time: they stand in status.budget."""
    within = f"${till.budget.amount:f} within {period(till.budget.window_seconds)} (spec.budget)"
    if not till.exceeded:
        return f"less than {within} is spent and committed"
    return f"{within} are spent or committed; {_EFFECTS[till.budget.on_exceeded]}, or spec.budget.amount is raised"


def _written(amount: Decimal) -> str:
    return f"{min(max(amount, NOTHING), _MOST):.6f}"
