"""Cron expressions, of five fields (Unix) and of six (EventBridge), and the moments that they name in a time zone."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from cronsim import CronSim, CronSimError

from batchyard.world.cronfields import MONTHS, ScheduleError, Unit, numbers

_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MINUTE, _HOUR = Unit("minute", 0, 59), Unit("hour", 0, 23)
_DAY, _MONTH = Unit("day-of-month", 1, 31), Unit("month", 1, 12, MONTHS)
_WEEKDAY = Unit("day-of-week", 0, 7, dict(zip(_WEEKDAYS, range(7), strict=True)))
_AWS_WEEKDAY = Unit("day-of-week", 1, 7, dict(zip(_WEEKDAYS, range(1, 8), strict=True)))
_YEAR = Unit("year", 1970, 2199)


@dataclass(frozen=True, slots=True)
class Cron:
    """Matching moments: `expression` in cronsim's five fields, `nearest` days of month moved to a weekday (15W)."""

    expression: str
    zone: tzinfo
    nearest: frozenset[int] = frozenset()
    only_nearest: bool = False
    years: tuple[int, ...] | None = None

    def after(self, moment: float) -> float | None:
        """Return the first matching moment after this one, in unix seconds; None if there is none within 50 years.

        A fixed hour is read off the clock on the wall: what does not exist in spring comes at the first moment that
        does, what is there twice in autumn comes the first time only. With an hour of * or */n time simply passes.
        """
        start = datetime.fromtimestamp(moment, self.zone)
        if self.years is None:
            return next(self._moments(start, moment), (0, None))[1]
        for year in self.years:
            if year >= start.year:
                begin = max(moment, datetime(year, 1, 1, tzinfo=self.zone).timestamp() - 1)
                found = next(self._moments(datetime.fromtimestamp(begin, self.zone), moment), None)
                if found is None or found[0] == year:
                    return found[1] if found else None
        return None

    def _moments(self, start: datetime, moment: float) -> Iterator[tuple[int, float]]:
        for at in _Calendar(self, start):
            if at.timestamp() > moment:  # in an hour that comes twice cronsim begins with the first
                yield at.year, at.timestamp()


class _Calendar(CronSim):
    """Cronsim that knows the weekday nearest to a day of the month."""

    def __init__(self, cron: Cron, start: datetime) -> None:
        super().__init__(cron.expression, start)
        self._nearest = cron.nearest
        if cron.only_nearest:
            self.days = set()

    def match_dom(self, d: date) -> bool:
        """Say whether a day matches the field day-of-month."""
        return super().match_dom(d) or any(nearest_weekday(d.year, d.month, day) == d.day for day in self._nearest)


def nearest_weekday(year: int, month: int, day: int) -> int | None:
    """Return the day of the month of the weekday (Monday to Friday) nearest to a day, within the same month."""
    last = calendar.monthrange(year, month)[1]
    if day > last:
        return None
    weekday = date(year, month, day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < last else day - 2
    return day


def five_fields(text: str, zone: tzinfo) -> Cron:
    """Read `minute hour day-of-month month day-of-week` or a macro such as @daily; ScheduleError names field and fix.

    As in Unix cron: of day-of-month and day-of-week one must match if both are given, and Sunday is 0 or 7.
    """
    fields = _MACROS.get(text.lower(), text).upper().split()
    if len(fields) != 5:
        raise ScheduleError(f"{text!r} has {len(fields)} fields, not five; write for example '0 2 * * *' (02:00 daily)")
    minute, hour, day, month, weekday = fields
    days, nearest = _days(day)
    parts = (_listed(_MINUTE, minute), _hours(hour), days, _listed(_MONTH, month), _weekdays(_WEEKDAY, weekday))
    return _checked(text, Cron(" ".join(parts), zone, nearest, _only_nearest(day, nearest)))


def six_fields(text: str, zone: tzinfo) -> Cron:
    """Read EventBridge's `minutes hours day-of-month month day-of-week year`; ScheduleError names field and fix.

    One of day-of-month and day-of-week must be `?`; Sunday is 1 and Saturday 7.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    """
    fields = text.upper().split()
    if len(fields) != 6:
        raise ScheduleError(
            f"cron({text}) has {len(fields)} fields, not six; write for example cron(0 2 * * ? *): minutes, hours, "
            "day-of-month, month, day-of-week, year"
        )
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise ScheduleError(
            f"cron({text}): exactly one of day-of-month ({day}) and day-of-week ({weekday}) must be ?; write for "
            "example cron(0 2 * * ? *)"
        )
    days, nearest = ("*", frozenset[int]()) if day == "?" else _days(day)
    weekdays = "*" if weekday == "?" else _weekdays(_AWS_WEEKDAY, weekday)
    parts = (_listed(_MINUTE, minute), _hours(hour), days, _listed(_MONTH, month), weekdays)
    years = None if year == "*" else tuple(sorted(numbers(_YEAR, year)))
    return _checked(text, Cron(" ".join(parts), zone, nearest, _only_nearest(day, nearest), years))


def _checked(text: str, cron: Cron) -> Cron:
    try:
        _Calendar(cron, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ScheduleError(f"{text!r} never fires: no such day ({error}); check day-of-month and month") from error
    return cron


def _listed(unit: Unit, text: str) -> str:
    return ",".join(map(str, sorted(numbers(unit, text))))


def _hours(text: str) -> str:
    """Give cronsim a star where time is to pass by itself, and numbers where the clock on the wall counts."""
    found = numbers(_HOUR, text)
    first, _, step = text.partition("/")
    if len(found) == 24:
        return "*"
    return f"*/{step}" if step.isdigit() and first in ("*", "0") else ",".join(map(str, sorted(found)))


def _days(text: str) -> tuple[str, frozenset[int]]:
    if text.startswith("*") and "," not in text:
        numbers(_DAY, text)
        return text, frozenset()
    plain: list[str] = []
    nearest: set[int] = set()
    for term in text.split(","):
        if term in ("L", "LW"):
            plain.append(term)
        elif term.endswith("W"):
            nearest |= _single(_DAY, term[:-1], term)
        elif term.startswith("L"):
            raise ScheduleError(f"day-of-month: {term!r} is not known; write L (last day) or LW (last weekday)")
        else:
            plain += map(str, sorted(numbers(_DAY, term)))
    return ",".join(plain) or "1", frozenset(nearest)


def _only_nearest(text: str, nearest: frozenset[int]) -> bool:
    return bool(nearest) and all(term.endswith("W") and term != "LW" for term in text.split(","))


def _weekdays(unit: Unit, text: str) -> str:
    """Return the days of the week as cronsim counts them, from Sunday 0."""
    if text.startswith("*") and "," not in text and unit is _WEEKDAY:
        numbers(unit, text)
        return text
    terms = [_weekday(unit, term) for term in text.split(",")]
    return ",".join(dict.fromkeys(day for days in terms for day in days))


def _weekday(unit: Unit, term: str) -> list[str]:
    shift = 1 if unit is _AWS_WEEKDAY else 0
    if "#" in term:
        day, _, which = term.partition("#")
        if which not in ("1", "2", "3", "4", "5"):
            raise ScheduleError(f"day-of-week: {term!r} asks for the {which or '?'}th; write #1 to #5")
        return [f"{number - shift}#{which}" for number in _single(unit, day, term)]
    if term == "L":
        return ["6"]
    if term.endswith("L"):
        return [f"{number - shift}L" for number in _single(unit, term[:-1], term)]
    return [str(number - shift) for number in sorted(numbers(unit, term))]


def _single(unit: Unit, text: str, term: str) -> frozenset[int]:
    if not text.isalnum():
        raise ScheduleError(f"{unit.name}: {term!r} needs one value before its letter, from {unit.low} to {unit.high}")
    return numbers(unit, text)
