"""Queues and environments as the status page shows them: by their last status, with prices and the head of the line."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from batchyard.decide.budget import period
from batchyard.decide.price import paid
from batchyard.engine.status_jobs import cut
from batchyard.engine.status_walk import Spent, Survey, why
from batchyard.model.machine import MachineState
from batchyard.world.specs import Budget
from batchyard.world.store import Store
from batchyard.world.views import Environment, Queue

Row = dict[str, Any]
_REASONS = 4  # of each queue, the most frequent


def queues(store: Store, survey: Survey, now: float) -> list[Row]:
    """Return all queues, those of the highest priority first."""
    heads: dict[str, str] = {}
    for uid in store.front:
        if uid in store.active:
            heads.setdefault(store.jobs[uid].spec.queue, uid)
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (queue, reason), count in survey.reasons.items():
        reasons[queue][reason] += count
    views = sorted(store.queues.values(), key=lambda view: (-view.priority, view.name))
    return [
        {
            **_queue(view),
            "oldestSeconds": _oldest(store, view, now),
            "head": _head(store, heads.get(view.name)),
            "reasons": [
                {"reason": cut(reason, 80), "jobs": n} for reason, n in reasons[view.name].most_common(_REASONS)
            ],
            "cost": money(survey.spent.get(view.name, Spent())),
            "budget": next((_budget(store, view.name, each) for each in view.budgets if not each.share), None),
            "shareBudgets": [_budget(store, view.name, each) for each in view.budgets if each.share],
        }
        for view in views
    ]


def _queue(view: Queue) -> Row:
    return {
        "name": cut(view.name, 80),
        "phase": view.status.get("phase", "Creating"),
        "message": cut(view.status.get("message") or ""),
        "priority": view.priority,
        "strategy": view.strategy,
        "jobs": view.status.get("jobs") or {},
    }


def _budget(store: Store, queue: str, budget: Budget) -> Row:
    """Return what may be spent and what is, as of the latest decision."""
    spending = store.purse.spendings[queue, budget.share]
    return {
        "share": cut(budget.share, 80),
        "amount": f"{budget.amount:f}",
        "spent": f"{spending.spent():.6f}",
        "committed": f"{spending.committed():.6f}",
        "window": period(budget.window_seconds),
    }


def _oldest(store: Store, view: Queue, now: float) -> float | None:
    """Return for how long the oldest has waited for room; the status is not rewritten for it alone."""
    ages = store.memo.roster.ages.get(view.name) if store.memo.roster is not None else None
    return max(now - ages[0], 0.0) if ages else None


def _head(store: Store, uid: str | None) -> Row | None:
    if uid is None:
        return None
    job = store.jobs[uid]
    reason, message = why(job, store.memo.get(uid))
    return {"namespace": job.namespace, "name": job.name, "reason": cut(reason, 80), "message": cut(message)}


def environments(store: Store) -> list[Row]:
    """Return all environments by name."""
    return [_environment(store, view) for _, view in sorted(store.environments.items())]


def _environment(store: Store, view: Environment) -> Row:
    unavailable = view.status.get("unavailable") or ()
    return {
        "name": cut(view.name, 80),
        "phase": view.status.get("phase", "Creating"),
        "message": cut(view.status.get("message") or ""),
        "capacityType": view.capacity_type if view.managed else "Unmanaged",
        "provider": view.provider,
        "vCpus": {**(view.status.get("vCpus") or {}), "min": view.min_vcpus, "max": view.max_vcpus},
        "nodes": view.status.get("nodes") or {},
        "pricePerHour": per_hour(store, view),
        "unavailable": [cut(f"{entry.get('instanceType')}: {entry.get('reason')}", 120) for entry in unavailable[:5]],
    }


def per_hour(store: Store, view: Environment) -> str | None:
    """Return what the machines of an environment cost an hour as they stand; None where they are somebody else's."""
    if not view.managed:
        return None
    shapes = {shape.name: shape for shape in view.shapes}
    total = Decimal(0)
    for machine in store.machines_of(view.name):
        if machine.state != MachineState.Failed and machine.instance_type in shapes:
            total += paid(machine, shapes[machine.instance_type])
    return f"{total:f}"


def money(spent: Spent) -> Row:
    """Return sums of money as the page reads them."""
    return {"jobs": spent.jobs, "amount": f"{spent.amount:.6f}", "wasted": f"{spent.wasted:.6f}"}
