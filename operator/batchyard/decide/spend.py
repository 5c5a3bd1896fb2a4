"""What a queue tells of its budgets: numbers now and then, that one is spent at once."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Any

from batchyard.decide.budget import EXCEEDED, Till, period
from batchyard.decide.condition import Condition
from batchyard.decide.cycle import Cycle
from batchyard.decide.roster import WAITS
from batchyard.model.plan import Tell
from batchyard.world.money import NOTHING
from batchyard.world.parse import rfc3339
from batchyard.world.purse import told_of
from batchyard.world.spending import kept
from batchyard.world.views import Queue

SHARES = "ShareBudgetExceeded"
CHANGED_SECONDS = 10.0  # between writes while pods come and go
STEADY_SECONDS = 60.0  # between writes while nothing but time changes the numbers
_MOST = Decimal(999_999_999)  # that a status can hold
_EFFECTS = {
    "Hold": "nothing more starts until money comes free",
    "SpotOnly": "jobs use spot environments only until money comes free",
    "Notify": "jobs go on",
}
Told = dict[str, Any]


def budget_of(cycle: Cycle, queue: Queue) -> Told | None:
    """Return status.budget: what was told, until it is time to tell anew; None without a budget."""
    till = cycle.tills.get((queue.name, ""))
    if till is None:
        return queue.status.get("budget") if queue.invalid else None
    return _tell(cycle, queue, till)


def share_budgets_of(cycle: Cycle, queue: Queue) -> list[Told] | None:
    """Return status.shareBudgets, an entry for each of spec.shareBudgets; None if there are none."""
    tills = [till for (of, share), till in cycle.tills.items() if of == queue.name and share]
    if not tills:
        return queue.status.get("shareBudgets") if queue.invalid else None
    return [{**_tell(cycle, queue, till), "share": till.budget.share, "exceeded": till.exceeded} for till in tills]


def _tell(cycle: Cycle, queue: Queue, till: Till) -> Told:
    old, new = told_of(queue, till.budget.share), _told(cycle, till)
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
        "forecast": _forecast(cycle, till),
        "freesAt": rfc3339(at) if at < inf else None,
        "updatedAt": rfc3339(till.spending.at),
    }


def _forecast(cycle: Cycle, till: Till) -> str | None:
    each, waiting = cycle.store.histories.costing(till.queue), _waiting(cycle, till)
    return _written(each * waiting) if each is not None and waiting > 0 else None


def _waiting(cycle: Cycle, till: Till) -> int:
    """Return how many pods wait; of a share, those that this decision starts are still among them."""
    if not till.budget.share:
        phases = cycle.roster.phases[till.queue]
        return sum(phases[phase] + change for phase, change in _with_shift(cycle, till.queue))
    shares = cycle.roster.waiting[till.queue].items()
    return sum(count for share, count in shares if till.budget.covers(share))


def _with_shift(cycle: Cycle, queue: str) -> list[tuple[str, int]]:
    moved = {str(phase): change for (where, phase), change in cycle.shift.items() if where == queue}
    return [(phase, moved.get(phase, 0)) for phase in WAITS]


def _is_due(cycle: Cycle, queue: Queue, till: Till) -> bool:
    """Say whether it is time; that the budget is spent, changed or has money again is told at once."""
    amount = told_of(queue, till.budget.share).get("amount")
    if amount != f"{till.budget.amount:f}" or _was_exceeded(queue, till) != till.exceeded:
        return True
    due = till.spending.told + (CHANGED_SECONDS if till.spending.dirty else STEADY_SECONDS)
    cycle.plan.wake_at(max(due, cycle.now + 1))
    return cycle.now >= due


def _was_exceeded(queue: Queue, till: Till) -> bool:
    """Say whether a status tells of a budget that is spent."""
    if till.budget.share:
        return bool(told_of(queue, till.budget.share).get("exceeded"))
    known = queue.status.get("conditions") or ()
    return any(each.get("type") == EXCEEDED and each.get("status") == "True" for each in known)


def budget_conditions(cycle: Cycle, queue: Queue) -> list[Told]:
    """Return the conditions of a queue's budgets, and post an event for each that turns; nothing without budgets."""
    tills = [till for (of, _), till in cycle.tills.items() if of == queue.name]
    for till in tills:
        if _was_exceeded(queue, till) != till.exceeded:
            sentence = till.sentence() if till.exceeded else f"{till.owner} has money again"
            told = EXCEEDED if till.exceeded else "BudgetAvailable"
            cycle.do(Tell("JobQueue", "", queue.name, queue.uid, till.exceeded, told, sentence[:900]))
    own = [_own(till) for till in tills if not till.budget.share]
    shares = [till for till in tills if till.budget.share]
    found = [*own, _of_shares(shares)] if shares else own
    return [each.written(queue.generation, cycle.now, queue.status.get("conditions")) for each in found]


def _own(till: Till) -> Condition:
    return Condition(EXCEEDED, till.exceeded, EXCEEDED if till.exceeded else "WithinBudget", _words(till))


def _words(till: Till) -> str:
    """Say it without numbers that change all the time: they stand in status.budget."""
    within = f"${till.budget.amount:f} within {period(till.budget.window_seconds)} (spec.budget)"
    if not till.exceeded:
        return f"less than {within} is spent and committed"
    return f"{within} are spent or committed; {_EFFECTS[till.budget.on_exceeded]}, or spec.budget.amount is raised"


def _of_shares(tills: list[Till]) -> Condition:
    """Name the shares whose money is spent."""
    spent = ", ".join(repr(till.budget.share) for till in tills if till.exceeded)
    if not spent:
        return Condition(SHARES, False, "WithinBudget", "no share has spent its budget (spec.shareBudgets)")
    return Condition(SHARES, True, SHARES, f"spent or committed is the budget of {spent} (spec.shareBudgets)")


def _written(amount: Decimal) -> str:
    return f"{min(max(amount, NOTHING), _MOST):.6f}"
