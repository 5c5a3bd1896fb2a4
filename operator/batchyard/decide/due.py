"""Which fires of a schedule have come and are not settled, in scheduled time and with their delay in the window."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from batchyard.world.schedules import Schedule
from batchyard.world.timetable import MINUTE, Timetable, delay

MOST = 100  # fires that are made up for, the newest
_LOOKS = (300, 3600, 86_400, 32 * 86_400, 366 * 86_400, math.inf)  # seconds back, until there are enough fires


def due_at(schedule: Schedule, fire: float) -> float:
    """Return when a fire is made: put off within the flexible window, but never as far as the next fire."""
    window = schedule.spec.flexible_window_minutes * MINUTE
    assert schedule.timetable is not None
    if not window:
        return fire
    after = schedule.timetable.after(fire)
    return fire + delay(schedule.uid, fire, window if after is None else min(window, int(after - fire)))


def passed(schedule: Schedule, since: float, now: float) -> list[float]:
    """Return the newest 101 fires at most that came after `since`, the oldest first; the last may still be put off.

    Looks back in steps, so that a long pause of a frequent schedule costs no more than a short one.
    """
    assert schedule.timetable is not None
    found: deque[float] = deque(maxlen=MOST + 1)
    for back in _LOOKS:
        begin = max(since, (now - back) // MINUTE * MINUTE if back < math.inf else since)
        found = deque(_until(schedule.timetable, begin, now), maxlen=MOST + 1)
        if begin <= since or len(found) > MOST:
            break
    return list(found)


def _until(timetable: Timetable, since: float, now: float) -> Iterator[float]:
    fire = timetable.after(since)
    while fire is not None and fire <= now:
        yield fire
        fire = timetable.after(fire)


def following(schedule: Schedule, now: float, count: int = 5) -> list[float]:
    """Return the next fires after now."""
    assert schedule.timetable is not None
    found: list[float] = []
    fire = schedule.timetable.after(now // MINUTE * MINUTE)
    while fire is not None and len(found) < count:
        if fire > now:
            found.append(fire)
        fire = schedule.timetable.after(fire)
    return found


def eligible(schedule: Schedule, fires: list[float], now: float) -> list[float]:
    """Return those that may still be made, by startingDeadlineSeconds and concurrencyPolicy, the oldest first."""
    deadline = schedule.spec.starting_deadline_seconds
    if deadline is None:
        return fires[-1:]
    recent = [fire for fire in fires if now - due_at(schedule, fire) < deadline]
    return recent[-MOST:] if schedule.spec.concurrency_policy == "Allow" else recent[-1:]
