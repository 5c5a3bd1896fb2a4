"""What a schedule says of itself: phase, last and next fires, and why a fire that has come was not made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from batchyard.decide.condition import Condition
from batchyard.decide.due import MOST, following
from batchyard.decide.round import Round
from batchyard.model.plan import Report
from batchyard.world.parse import rfc3339
from batchyard.world.timetable import MINUTE, Once, minute_of, zone

REPORT_SECONDS = 1.0  # one status write per schedule a second at most
_LISTED = 100
_SOON = 300 * 86_400.0  # seconds ahead that a moment needs no year


def report(look: Round) -> None:
    """Write the schedule's status if it has changed."""
    schedule, now = look.schedule, look.cycle.now
    status = _status(look)
    if all(schedule.status.get(name) == value for name, value in status.items()):
        return
    last = look.cycle.store.reported.get(schedule.uid, 0.0)
    if now < last + REPORT_SECONDS:
        look.until = min(look.until, last + REPORT_SECONDS)
        return
    look.cycle.do(Report("jobschedules", schedule.namespace, schedule.name, schedule.uid, status))


def _status(look: Round) -> dict[str, Any]:
    schedule = look.schedule
    runs = schedule.timetable is not None and not schedule.spec.suspend
    coming = following(schedule, look.cycle.now) if runs else []
    if coming:
        look.until = min(look.until, coming[0])
    phase, reason, message = _phase(look, coming)
    active = [job.name for job in look.active]
    last = _last_fire(look)
    return {
        "phase": phase,
        "message": message[:2000],
        **({"lastFire": rfc3339(last)} if last is not None else {}),
        "nextFires": [rfc3339(fire) for fire in coming] if phase == "Active" else [],
        "next": _for_people(look, coming[0]) if coming else "",
        "active": active[-_LISTED:],
        "activeJobs": len(active),
        "timetable": schedule.spec.timing,
        "since": _known_since(look),
        "observedGeneration": schedule.generation,
        "conditions": _conditions(look, phase, reason, message),
    }


def _for_people(look: Round, fire: float) -> str:
    """Return a moment on the clock of the schedule's zone, in twelve characters."""
    at = datetime.fromtimestamp(fire, zone(look.schedule.spec.time_zone))
    return at.strftime("%d %b %H:%M" if fire < look.cycle.now + _SOON else "%d %b %Y")


def _known_since(look: Round) -> str:
    """Keep the moment that is being written, until the API server's word on it is in."""
    status = look.schedule.status
    written: str | None = status.get("since")
    return written if written and status.get("timetable") == look.schedule.spec.timing else rfc3339(look.since)


def _last_fire(look: Round) -> float | None:
    schedule = look.schedule
    if look.settled < 0 or look.settled == schedule.last_minute:
        return schedule.last_fire
    begin = float(look.settled * MINUTE)
    fire = schedule.timetable.after(begin - 0.001) if schedule.timetable is not None else None
    return fire if fire is not None and minute_of(fire) == look.settled else begin


def _phase(look: Round, coming: list[float]) -> tuple[str, str, str]:
    """Return phase, the reason of the condition Valid, and the sentence."""
    schedule = look.schedule
    if schedule.timetable is None:
        return "Invalid", "InvalidSchedule", schedule.invalid
    if schedule.spec.suspend:
        return "Suspended", "Accepted", "fires nothing (spec.suspend)"
    if coming or look.due or look.put_off:
        return "Active", "Accepted", _hindrance(look)
    if look.settled >= 0 or schedule.timetable.after(look.since) is not None:
        return "Ended", "Accepted", "; ".join(filter(None, [_hindrance(look), "no fire is left"]))
    return "Invalid", "NeverFires", _never(look)


def _never(look: Round) -> str:
    schedule = look.schedule
    assert schedule.timetable is not None
    bounds = " within spec.start and spec.end" if schedule.spec.start or schedule.spec.end else ""
    fix = (
        "choose a moment that is still to come"
        if isinstance(schedule.timetable.rule, Once)
        else "check day-of-month, month and year"
    )
    return f"spec.schedule: {schedule.spec.schedule!r} never fires after {rfc3339(look.since)}{bounds}; {fix}"


def _hindrance(look: Round) -> str:
    """Say why a fire that has come was not made."""
    schedule = look.schedule
    if not look.missed:
        return ""
    if not look.due:
        count = f"{len(look.missed)}" if len(look.missed) <= MOST else f"more than {MOST}"
        return (
            f"fires missed by more than spec.startingDeadlineSeconds ({schedule.spec.starting_deadline_seconds}): "
            f"{count}, the latest that of {rfc3339(look.missed[-1])}"
        )
    refusal = look.cycle.store.refusals.get(schedule.uid)
    if refusal is not None:
        return f"the Job of {rfc3339(look.due[0])} was refused and is submitted again: {refusal.message}"
    if schedule.spec.concurrency_policy == "Forbid" and look.active:
        names = ", ".join(job.name for job in look.active[:3])
        return f"the fire of {rfc3339(look.due[0])} waits until {names} has ended (spec.concurrencyPolicy: Forbid)"
    return ""


def _conditions(look: Round, phase: str, reason: str, message: str) -> list[dict[str, Any]]:
    schedule, valid = look.schedule, phase != "Invalid"
    found = [Condition("Valid", valid, reason, "" if valid else message[:2000])]
    refusal = look.cycle.store.refusals.get(schedule.uid)
    if refusal is not None and look.due:
        found.append(Condition("Submitted", False, refusal.reason, refusal.message[:2000]))
    elif look.settled >= 0:
        found.append(Condition("Submitted", True, "Submitted"))
    known = schedule.status.get("conditions")
    return [condition.written(schedule.generation, look.cycle.now, known) for condition in found]
