"""When a schedule fires: cron(...), rate(...), at(...) or five fields, within start and end, in a time zone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from batchyard.world.cron import Cron, five_fields, six_fields
from batchyard.world.cronfields import ScheduleError

MINUTE = 60
_UNITS = {"minute": MINUTE, "hour": 3600, "day": 86400}
_LONGEST = 3650 * 86400  # seconds of a rate
_RATE = re.compile(r"rate\(\s*([0-9]{1,9})\s+(minute|hour|day)s?\s*\)")
_AT = re.compile(r"at\(\s*([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\s*\)")
_CRON = re.compile(r"cron\((.*)\)")
_JUST_BEFORE = 0.001
_NO_ZONES = ("posix/", "right/", "localtime", "posixrules", "Factory")  # of the machine, or with leap seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """Every `period` seconds counted from `anchor`, the first time after `skip` periods."""

    anchor: float
    period: int
    skip: int

    def after(self, moment: float) -> float | None:
        """Return the first multiple after a moment."""
        return self.anchor + max(int((moment - self.anchor) // self.period) + 1, self.skip) * self.period


@dataclass(frozen=True, slots=True)
class Once:
    """One moment."""

    at: float

    def after(self, moment: float) -> float | None:
        """Return the moment unless it has come."""
        return self.at if moment < self.at else None


@dataclass(frozen=True, slots=True)
class Timetable:
    """The fires of one schedule: those of its rule from `start` to `end`, both included; unix seconds."""

    text: str
    rule: Cron | Rate | Once
    start: float | None = None
    end: float | None = None

    def after(self, moment: float) -> float | None:
        """Return the first fire after a moment, None if there is none."""
        return _after(self, moment)


@lru_cache(maxsize=20_000)
def _after(timetable: Timetable, moment: float) -> float | None:
    if timetable.start is not None:
        moment = max(moment, timetable.start - _JUST_BEFORE)
    try:
        found = timetable.rule.after(moment)
    except (OverflowError, ValueError):  # beyond the last year that a calendar has
        return None
    late = timetable.end is not None and found is not None and found > timetable.end
    return None if late else found


@dataclass(frozen=True, slots=True)
class When:
    """What a schedule's spec says of time; `created` is where rates without a start begin."""

    schedule: str
    zone: str
    start: float | None
    end: float | None
    created: float


@lru_cache(maxsize=4096)
def timetable(when: When) -> Timetable:
    """Read a schedule; ScheduleError names the field and the fix."""
    place = zone(when.zone)
    return Timetable(when.schedule, _rule(when, place), when.start, when.end)


def _rule(when: When, place: tzinfo) -> Cron | Rate | Once:
    text = when.schedule.strip()
    if match := _RATE.fullmatch(text):
        return _rate(when, int(match[1]) * _UNITS[match[2]])
    if match := _AT.fullmatch(text):
        return Once(_moment(match[1], place))
    if match := _CRON.fullmatch(text):
        return _named(lambda: six_fields(match[1], place))
    if "(" in text:
        raise ScheduleError(
            f"spec.schedule: {text!r} is not understood; write rate(5 minutes), at(2027-01-01T00:00:00), "
            "cron(0 2 * * ? *) or five fields: 0 2 * * *"
        )
    return _named(lambda: five_fields(text, place))


def _named(read: Callable[[], Cron]) -> Cron:
    try:
        return read()
    except ScheduleError as error:
        raise ScheduleError(f"spec.schedule: {error}") from error


def _rate(when: When, period: int) -> Rate:
    if not 0 < period <= _LONGEST:
        raise ScheduleError(
            f"spec.schedule: {when.schedule!r} is not from 1 minute to 3650 days; write rate(5 minutes)"
        )
    return Rate(when.created, period, 1) if when.start is None else Rate(when.start, period, 0)


def _moment(text: str, place: tzinfo) -> float:
    """Return the moment that a clock on the wall shows this; one that it skips is the first that it shows then."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError as error:
        raise ScheduleError(f"spec.schedule: at({text}) is no date and time: {error}") from error
    if not 1970 <= wall.year <= 2199:
        raise ScheduleError(f"spec.schedule: at({text}): year is out of range; use 1970 to 2199")
    while wall.replace(tzinfo=place).astimezone(UTC).astimezone(place).replace(tzinfo=None) != wall:
        wall = (wall + timedelta(minutes=1)).replace(second=0)
    return wall.replace(tzinfo=place).timestamp()


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """Return a time zone of the IANA database; ScheduleError with names like it if there is none."""
    if name == "UTC":
        return UTC
    try:
        if name.startswith(_NO_ZONES):
            raise ZoneInfoNotFoundError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        like = get_close_matches(name, sorted(available_timezones()), 3) or ["Europe/Berlin", "America/New_York", "UTC"]
        raise ScheduleError(
            f"spec.timeZone: {name!r} is not a time zone of the IANA database; write for example {' or '.join(like)}"
        ) from error


def delay(uid: str, fire: float, window: int) -> int:
    """Return by how many seconds a fire is put off within a window of seconds: always the same for the same fire."""
    digest = hashlib.sha256(f"{uid}/{minute_of(fire)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % window if window else 0


def minute_of(fire: float) -> int:
    """Return the minutes since 1970, which name a fire's job."""
    return int(fire // MINUTE)
