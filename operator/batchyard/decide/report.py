"""What environments, queues and consumables say of themselves, and the finalizer that keeps nodes from being lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from batchyard.decide.admit import let_in, policy_problem
from batchyard.decide.bills import cost_of
from batchyard.decide.condition import Condition
from batchyard.decide.cycle import Cycle, Standing
from batchyard.decide.inventory import inventory
from batchyard.decide.offers import being_read, offers_known, offers_of
from batchyard.decide.room import Pool
from batchyard.decide.spend import budget_conditions, budget_of, share_budgets_of
from batchyard.decide.update import update_of, updating, words
from batchyard.decide.usage import policy_status, shares_of
from batchyard.model.labels import FINALIZER
from batchyard.model.phase import Phase
from batchyard.model.plan import Hold, Report
from batchyard.world.parse import rfc3339
from batchyard.world.views import Consumable, Environment, Policy, Queue, View

REPORT_SECONDS = 1.0  # one status write per environment, queue or consumable a second at most


def report(cycle: Cycle, pools: Mapping[str, Pool]) -> None:
    """Write what changed of environments, queues and consumables, and hold or release managed environments."""
    for pool in pools.values():
        _hold(cycle, pool)
        if not _resting(cycle, pool.environment):
            told = _environment(cycle, pool)
            cost = cost_of(cycle, pool.environment, changed=_is_news(pool.environment, told))
            _write(cycle, "computeenvironments", pool.environment, {**told, "cost": cost})
    for queue in list(cycle.store.queues.values()):
        if not _resting(cycle, queue):
            _write(cycle, "jobqueues", queue, _queue(cycle, queue))
    for policy in list(cycle.store.policies.values()):
        if not _resting(cycle, policy):
            _write(cycle, "schedulingpolicies", policy, _policy(cycle, policy))
    for consumable in list(cycle.store.consumables.values()):
        if not _resting(cycle, consumable):
            _write_due(cycle, consumable, inventory(cycle, consumable))


def _policy(cycle: Cycle, policy: Policy) -> dict[str, Any]:
    told = policy_status(policy, cycle.store.queues.values())
    return {**told, "conditions": _valid(cycle, policy, not policy.invalid, policy.invalid)}


def _write(cycle: Cycle, plural: str, view: Environment | Queue | Policy, status: dict[str, Any]) -> None:
    _write_due(cycle, view, Report(plural, "", view.name, view.uid, status))


def _write_due(cycle: Cycle, view: Environment | Queue | Policy | Consumable, verb: Report) -> None:
    if view.deleting and not isinstance(view, Environment):
        return
    if _is_news(view, verb.status):
        cycle.do(verb)


def _is_news(view: Environment | Queue | Policy | Consumable, status: Mapping[str, Any]) -> bool:
    written = status.items()
    return not all(_same(view.status.get(name), value) for name, value in written if name != "oldestRunnableSeconds")


def _resting(cycle: Cycle, view: View) -> bool:
    """Say whether an object was written so recently that the next write, if there is to be one, has to wait."""
    due = cycle.store.reported.get(view.uid, 0.0) + REPORT_SECONDS
    if cycle.now < due:
        cycle.plan.wake_at(due)
    return cycle.now < due


def _same(old: Any, new: Any) -> bool:
    if isinstance(new, Mapping):
        return all(_same((old or {}).get(name), value) for name, value in new.items())
    if isinstance(new, list):
        return len(old or ()) == len(new) and all(map(_same_condition, old or (), new))
    return bool(old == new)


def _same_condition(old: Any, new: Any) -> bool:
    """Conditions are equal but for when they turned."""
    if isinstance(new, Mapping):
        return all(_same(old.get(k), v) for k, v in new.items() if k not in ("lastTransitionTime", "until"))
    return bool(old == new)


def _hold(cycle: Cycle, pool: Pool) -> None:
    view = pool.environment
    held = FINALIZER in view.finalizers
    if view.managed and not view.invalid and not view.deleting and not held:
        cycle.do(Hold(view.name, view.version, (*view.finalizers, FINALIZER)))
    elif view.deleting and held and not _has_nodes(cycle, view):
        cycle.do(Hold(view.name, view.version, tuple(f for f in view.finalizers if f != FINALIZER)))


def _has_nodes(cycle: Cycle, view: Environment) -> bool:
    store = cycle.store
    if view.provider and store.observed_at.get(view.provider, 0.0) <= (view.deleting or 0.0):
        return True  # not observed since: there may be machines that nobody has seen yet
    return bool(store.machines_of(view.name)) or any(node.environment == view.name for node in store.nodes.values())


def _environment(cycle: Cycle, pool: Pool) -> dict[str, Any]:
    view = pool.environment
    update = update_of(cycle.store, view, pool.outdated, cycle.now)
    phase, message = _environment_phase(cycle, view, update)
    launching = sum(1 for slot in pool.slots if not slot.ready) + len(pool.planned)
    provisioned = (
        sum(slot.shape.resources.cpu for slot in pool.slots if slot.ready and slot.shape)
        if view.managed
        else pool.vcpus
    )
    return {
        "phase": phase,
        "message": message or None,
        "nodes": {
            "launching": launching,
            "ready": sum(1 for slot in pool.slots if slot.ready),
            "draining": len(pool.trouble),
            "failed": len(cycle.store.blamed.get(view.name, ())),
        },
        "vCpus": {
            "min": view.min_vcpus,
            "desired": _vcpus(pool.vcpus),
            "provisioned": _vcpus(provisioned),
            "used": _vcpus(pool.used),
        },
        "unavailable": _unavailable(cycle, view) or None,
        "offers": offers_of(cycle.store, view),
        "observedGeneration": view.generation,
        "update": update,
        "conditions": [
            *_valid(cycle, view, phase in ("Valid", "Updating"), "" if phase == "Updating" else message),
            *updating(view, update, cycle.now),
            *offers_known(cycle.store, view, cycle.now),
        ],
    }


def _vcpus(millicores: int) -> int:
    return -(-millicores // 1000)


def _environment_phase(cycle: Cycle, view: Environment, update: Mapping[str, Any] | None) -> tuple[str, str]:
    if view.deleting:
        queues = sorted(q.name for q in cycle.store.queues.values() if view.name in q.environments)
        named = f"; still named by queues: {', '.join(queues)}" if queues else ""
        return "Deleting", f"running jobs end, then the nodes go{named}"
    if view.invalid:
        return "Creating" if being_read(cycle.store, view) else "Invalid", view.invalid
    if view.provider and view.provider in cycle.store.provider_problems:
        return "Invalid", cycle.store.provider_problems[view.provider]
    if view.state == "Disabled":
        return "Disabled", "takes no jobs and adds no nodes (spec.state)"
    if update is not None:
        return "Updating", words(update)
    blamed = cycle.store.blamed.get(view.name)
    return "Valid", blamed[-1] if blamed else ""


def _unavailable(cycle: Cycle, view: Environment) -> list[dict[str, str]]:
    return [
        {"instanceType": shape.name, "until": rfc3339(int(refusal.until)), "reason": refusal.reason}
        for shape in view.shapes
        if (refusal := cycle.store.unavailable.get((view.name, shape.name))) and refusal.until > cycle.now
    ]


def _valid(cycle: Cycle, view: Environment | Queue | Policy, good: bool, message: str) -> list[dict[str, Any]]:
    condition = Condition("Valid", good, "Valid" if good else "NotValid", message)
    return [condition.written(view.generation, cycle.now, view.status.get("conditions"))]


def _counts(cycle: Cycle, queue: str) -> Counter[str]:
    """Return the unfinished jobs of a queue by phase, as this decision leaves them."""
    counts = cycle.roster.phases[queue].copy()
    for (where, phase), change in cycle.shift.items():
        counts[str(phase)] += change if where == queue else 0
    return counts


def _oldest(cycle: Cycle, queue: str) -> int | None:
    ages = cycle.roster.ages.get(queue)
    return int(cycle.now - ages[0]) or None if ages else None


def _front(cycle: Cycle, queue: str) -> list[dict[str, Any]] | None:
    jobs = ((cycle.store.jobs[uid], place) for uid, place in cycle.positions.items())
    return [
        {"job": f"{job.namespace}/{job.name}", "position": place.number}
        for job, place in jobs if job.spec.queue == queue
    ] or None  # fmt: skip


def _queue(cycle: Cycle, queue: Queue) -> dict[str, Any]:
    phase, message = _queue_phase(cycle, queue)
    counts = _counts(cycle, queue.name)
    finished = cycle.store.finished.get(queue.name, Counter())
    jobs = {str(p).lower(): finished[str(p)] if p.final else counts[str(p)] for p in Phase}
    return {
        "phase": phase,
        "message": message or None,
        "jobs": jobs,
        "oldestRunnableSeconds": _oldest(cycle, queue.name),
        "front": _front(cycle, queue.name),
        "shares": shares_of(cycle, queue),
        "budget": budget_of(cycle, queue),
        "shareBudgets": share_budgets_of(cycle, queue),
        "observedGeneration": queue.generation,
        "conditions": [
            *_valid(cycle, queue, phase in ("Valid", "Held", "Draining"), message),
            *budget_conditions(cycle, queue),
        ],
    }


def _queue_phase(cycle: Cycle, queue: Queue) -> tuple[str, str]:
    if queue.invalid:
        return "Invalid", queue.invalid
    if unfair := policy_problem(cycle.store, queue):
        return "Invalid", unfair
    missing = [name for name in queue.environments if name not in cycle.store.environments]
    usable = [e for name in queue.environments if (e := cycle.store.environments.get(name)) and not e.invalid]
    note = f"compute environments that do not exist: {', '.join(missing)}" if missing else ""
    leaving = [e.name for e in usable if e.deleting]
    if leaving:
        note = "; ".join(filter(None, [note, f"compute environments that are being deleted: {', '.join(leaving)}"]))
    if not usable:
        return "Invalid", note or "none of its compute environments is valid"
    if queue.state == "Enabled":
        return "Valid", note
    return queue.state, "; ".join(filter(None, [_by_state(cycle, queue), note]))


def _by_state(cycle: Cycle, queue: Queue) -> str:
    """Say what a queue does that is not Enabled."""
    if queue.state != "Draining":
        return {"Disabled": "takes no new jobs (spec.state)", "Held": "starts nothing (spec.state)"}[queue.state]
    standings = (entry.standing for entry in cycle.roster.entries.values() if entry.counted)
    left = sum(1 for standing in standings if standing.job.spec.queue == queue.name and _is_in(standing))
    if not left:
        return "drained: nothing is left of what was queued (spec.state)"
    return f"takes no new jobs, and runs the {left} that it has to their end (spec.state)"


def _is_in(standing: Standing) -> bool:
    """Say whether a queue has a job and will run it, whether or not that is on record yet."""
    if standing.phase == Phase.Pending:
        return let_in(standing.job)
    return not standing.phase.final
