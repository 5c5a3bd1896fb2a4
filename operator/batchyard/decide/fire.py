"""Schedules: submit the jobs of fires that have come, each once, and keep as many finished ones as is asked for.

A fire is settled when its job exists or a later one's does. What is settled is derived: status.lastFire as the API
server knows it, and the jobs that there are. One job of a schedule is created at a time, the oldest fire first, so that
a crash between any two writes leaves no gap; and no job goes before its fire is on record.
"""

from __future__ import annotations

from typing import Any

from batchyard.decide.admit import is_terminating
from batchyard.decide.cycle import DEFECT_SECONDS, FOREVER, Cycle
from batchyard.decide.due import due_at, eligible, passed
from batchyard.decide.firestatus import report
from batchyard.decide.round import Round
from batchyard.model.labels import GROUP, SCHEDULE, VERSION
from batchyard.model.phase import Phase
from batchyard.model.plan import Submit, Tell, Terminate
from batchyard.world.parse import rfc3339
from batchyard.world.schedules import Schedule, job_name
from batchyard.world.timetable import MINUTE, minute_of
from batchyard.world.views import Job

_JUST_BEFORE = 0.001


def fire(cycle: Cycle) -> None:
    """Look at every schedule of which something has changed, or whose time has come."""
    memo = cycle.store.memo
    for schedule in list(cycle.store.schedules.values()):
        until = memo.get(schedule.uid)
        if until is None or cycle.now >= until:
            before = len(cycle.plan.verbs) + len(cycle.surplus)
            until = _looked_at(cycle, schedule)
            if len(cycle.plan.verbs) + len(cycle.surplus) == before:
                memo[schedule.uid] = until
        if until < FOREVER:
            cycle.plan.wake_at(until)


def _looked_at(cycle: Cycle, schedule: Schedule) -> float:
    """Look at one schedule; a defect of ours that it brings out must not stop all the others."""
    try:
        return _look(cycle, schedule)
    except Exception as error:
        cycle.defect(schedule, error)
        return cycle.now + DEFECT_SECONDS


def _look(cycle: Cycle, schedule: Schedule) -> float:
    if schedule.deleting:
        return FOREVER
    look = _round(cycle, schedule)
    if schedule.timetable is not None and not schedule.spec.suspend:
        _find(look)
        _submit(look)
    if schedule.spec.concurrency_policy == "Replace":
        _replace(look)
    _tidy(look)
    report(look)
    return look.until


def _round(cycle: Cycle, schedule: Schedule) -> Round:
    store = cycle.store
    settled = max(schedule.last_minute, store.fired.get(schedule.uid, -1))
    return Round(cycle, schedule, store.jobs_of_schedule(schedule.uid), _since(cycle, schedule), settled)


def _since(cycle: Cycle, schedule: Schedule) -> float:
    """Return since when the present timetable holds: creation, or when it was first seen after a change."""
    if schedule.known_timing == "":
        return schedule.created
    if schedule.known_timing == schedule.spec.timing and schedule.known_since is not None:
        return schedule.known_since
    return float(int(cycle.now))


def _find(look: Round) -> None:
    schedule, now = look.schedule, look.cycle.now
    since = max(look.since, (look.settled + 1) * MINUTE - _JUST_BEFORE)
    found = passed(schedule, since, now)
    if found and due_at(schedule, found[-1]) > now:
        look.put_off, look.until = True, due_at(schedule, found.pop())
    look.missed, look.due = found, eligible(schedule, found, now)
    deadline = schedule.spec.starting_deadline_seconds
    if deadline is not None:
        look.until = min([look.until, *(due_at(schedule, fire) + deadline for fire in look.due)])


def _submit(look: Round) -> None:
    """Create the job of the oldest fire that is due, unless something is in its way."""
    store, schedule = look.cycle.store, look.schedule
    if not look.due or _held(look):
        return
    refusal = store.refusals.get(schedule.uid)
    if refusal is not None and refusal.until > look.cycle.now:
        look.until = min(look.until, refusal.until)
        return
    skipped = [fire for fire in look.missed if fire < look.due[0]]
    if skipped and refusal is None:
        look.cycle.do(_missed(schedule, skipped, look.due[0]))
    minute = minute_of(look.due[0])
    look.cycle.do(Submit(schedule.uid, minute, manifest(schedule, minute)))


def _held(look: Round) -> bool:
    schedule, store = look.schedule, look.cycle.store
    if schedule.uid in store.submitting or is_terminating(store, schedule.namespace):
        return True
    if schedule.known_timing not in ("", schedule.spec.timing):
        return True  # since when the new timetable holds must be on record first
    return schedule.spec.concurrency_policy == "Forbid" and bool(look.active)


def _missed(schedule: Schedule, skipped: list[float], made: float) -> Tell:
    count = f"{len(skipped)}" if len(skipped) <= 100 else "more than 100"
    message = (
        f"{count} fires before that of {rfc3339(made)} were missed and are not made up for "
        "(spec.concurrencyPolicy, spec.startingDeadlineSeconds)"
    )
    return Tell("JobSchedule", schedule.namespace, schedule.name, schedule.uid, True, "FiresMissed", message)


def manifest(schedule: Schedule, minute: int) -> dict[str, Any]:
    """Return the job of a fire."""
    template = schedule.spec.job_template
    owner = {
        "apiVersion": f"{GROUP}/{VERSION}", "kind": "JobSchedule", "name": schedule.name, "uid": schedule.uid,
        "controller": True,
    }  # fmt: skip
    metadata = {
        **template.metadata,
        "name": job_name(schedule.name, minute),
        "namespace": schedule.namespace,
        "labels": {**(template.metadata.get("labels") or {}), SCHEDULE: schedule.name},
        "ownerReferences": [owner],
    }
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Job", "metadata": metadata, "spec": template.spec}


def _replace(look: Round) -> None:
    """Terminate all but the newest job: only once that exists, so that nothing ends for a job that is refused."""
    for job in look.jobs[:-1]:
        told = job.spec.stop is not None and job.spec.stop.mode == "Terminate"
        if not job.status.phase.final and job.deleting is None and not told:
            reason = f"replaced by {look.jobs[-1].name} (concurrencyPolicy Replace of JobSchedule {look.schedule.name})"
            look.cycle.do(Terminate(job.namespace, job.name, job.uid, reason))


def _tidy(look: Round) -> None:
    """Find the oldest finished jobs beyond the history limits."""
    spec = look.schedule.spec
    for phase, limit in (
        (Phase.Succeeded, spec.successful_jobs_history_limit),
        (Phase.Failed, spec.failed_jobs_history_limit),
    ):
        ended = [job for job in look.jobs if job.status.phase is phase and _is_certain(look, job)]
        for job in ended[: max(len(ended) - limit, 0)]:
            _forget(look, job)


def _is_certain(look: Round, job: Job) -> bool:
    store = look.cycle.store
    return job.deleting is None and job.uid not in store.pending and job.uid not in store.doubtful


def _forget(look: Round, job: Job) -> None:
    store = look.cycle.store
    leaving = store.leaving.get(job.uid, 0.0)
    if leaving > look.cycle.now:
        look.until = min(look.until, leaving)
    elif store.fire_on_record(job):
        look.cycle.surplus.append(job)
