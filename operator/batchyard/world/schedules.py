"""Views of JobSchedules, and the fires that their jobs stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from batchyard.world.cronfields import ScheduleError
from batchyard.world.parse import FIRST, LAST, instant, moment
from batchyard.world.timetable import Timetable, When, minute_of, timetable
from batchyard.world.views import Job, View

Body = Mapping[str, Any]
_MARGIN = 366 * 86_400.0


class JobTemplate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.jobTemplate`: what a fire submits."""

    spec: dict[str, Any]
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class ScheduleSpec(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """A schedule's spec as the API server validated it."""

    schedule: str
    job_template: JobTemplate
    time_zone: str = "UTC"
    start: str | None = None
    end: str | None = None
    flexible_window_minutes: int = 0
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None
    suspend: bool = False
    successful_jobs_history_limit: int = 3
    failed_jobs_history_limit: int = 1

    @property
    def timing(self) -> str:
        """Return what decides when it fires, as text: a change of it begins a new timetable."""
        bounds = [f"from {self.start}"] * bool(self.start) + [f"until {self.end}"] * bool(self.end)
        return ", ".join([self.schedule, self.time_zone, *bounds, *["suspended"] * self.suspend])


class Schedule(View, frozen=True, kw_only=True, gc=False):
    """A JobSchedule; `invalid` holds the sentence when its spec cannot be used.

    `status` is what was last written, `last_fire`, `known_timing` and `known_since` are the API server's word on it:
    only what is on record there survives us.
    """

    namespace: str
    generation: int = 1
    spec: ScheduleSpec
    timetable: Timetable | None = None
    invalid: str = ""
    last_fire: float | None = None
    known_timing: str = ""
    known_since: float | None = None
    status: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def last_minute(self) -> int:
        """Return the minute of the latest fire on record, -1 if there is none."""
        return -1 if self.last_fire is None else minute_of(self.last_fire)


def schedule(body: Body) -> Schedule:
    """Return a JobSchedule; its shape was checked by the API server's schema."""
    meta, status = body["metadata"], dict(body.get("status") or {})
    spec = msgspec.convert(dict(body["spec"]), ScheduleSpec)
    created = moment(meta.get("creationTimestamp")) or 0.0
    read, invalid = _timetable(spec, created)
    return Schedule(
        name=meta["name"], namespace=meta["namespace"], uid=meta.get("uid", ""),
        version=meta.get("resourceVersion", ""), generation=meta.get("generation", 1),
        created=created, deleting=moment(meta.get("deletionTimestamp")),
        spec=spec, timetable=read, invalid=invalid, last_fire=moment(status.get("lastFire")),
        known_timing=status.get("timetable", ""), known_since=moment(status.get("since")), status=status,
    )  # fmt: skip


def _timetable(spec: ScheduleSpec, created: float) -> tuple[Timetable | None, str]:
    try:
        start, end = (_bound(spec.start), _bound(spec.end))
        when = When(spec.schedule, spec.time_zone, start, end, created)
        return timetable(when), ""
    except ScheduleError as error:
        return None, str(error)
    except (OverflowError, ValueError) as error:
        return None, f"spec.start or spec.end is beyond what a calendar has: {error}"


def _bound(stamp: str | None) -> float | None:
    """Return a time that a calendar has in every zone; OverflowError for one at the calendar's ends."""
    at = instant(stamp) if stamp else None
    if at is not None and not FIRST + _MARGIN < at < LAST - _MARGIN:
        raise OverflowError(f"{stamp} is not between the years 2 and 9998")
    return at


def job_name(name: str, minute: int) -> str:
    """Return the name of a fire's job."""
    return f"{name}-{minute}"


def job_minute(job: Job) -> int:
    """Return the minute of the fire that a schedule's job stands for, -1 if its name has none."""
    digits = job.name.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1
