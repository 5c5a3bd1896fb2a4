"""When schedules fire: every form, leap years, both changes of the clock, and sentences for what cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.world.cron import nearest_weekday
from batchyard.world.cronfields import ScheduleError
from batchyard.world.timetable import Timetable, When, delay, minute_of, timetable


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def read(schedule: str, zone: str = "UTC", created: float = 0.0, **bounds: float | None) -> Timetable:
    return timetable(When(schedule, zone, bounds.get("start"), bounds.get("end"), created))


def fires(table: Timetable, since: float, count: int) -> list[float]:
    found: list[float] = []
    while len(found) < count and (fire := table.after(found[-1] if found else since)) is not None:
        found.append(fire)
    return found


def shown(schedule: str, since: str, count: int, zone: str = "UTC") -> list[str]:
    begin = at(since, zone)
    return [
        datetime.fromtimestamp(fire, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %a")
        for fire in fires(read(schedule, zone, begin), begin, count)
    ]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/20 * * * *", ["2026-03-01 00:20 Sun", "2026-03-01 00:40 Sun", "2026-03-01 01:00 Sun"]),
        ("5,10-12 3 * * *", ["2026-03-01 03:05 Sun", "2026-03-01 03:10 Sun", "2026-03-01 03:11 Sun"]),
        ("0 0 * * 0", ["2026-03-08 00:00 Sun", "2026-03-15 00:00 Sun", "2026-03-22 00:00 Sun"]),
        ("0 0 * * 7", ["2026-03-08 00:00 Sun", "2026-03-15 00:00 Sun", "2026-03-22 00:00 Sun"]),
        ("0 0 * * mon-tue", ["2026-03-02 00:00 Mon", "2026-03-03 00:00 Tue", "2026-03-09 00:00 Mon"]),
        ("0 0 1 * 1", ["2026-03-02 00:00 Mon", "2026-03-09 00:00 Mon", "2026-03-16 00:00 Mon"]),  # either
        ("0 0 */10 * 1", ["2026-05-11 00:00 Mon", "2026-06-01 00:00 Mon", "2026-08-31 00:00 Mon"]),  # both
        ("0 0 31 * *", ["2026-03-31 00:00 Tue", "2026-05-31 00:00 Sun", "2026-07-31 00:00 Fri"]),
        ("0 0 29 2 *", ["2028-02-29 00:00 Tue", "2032-02-29 00:00 Sun", "2036-02-29 00:00 Fri"]),
        ("0 0 L 2 *", ["2027-02-28 00:00 Sun", "2028-02-29 00:00 Tue", "2029-02-28 00:00 Wed"]),
        ("0 0 LW * *", ["2026-03-31 00:00 Tue", "2026-04-30 00:00 Thu", "2026-05-29 00:00 Fri"]),
        ("0 0 15W * *", ["2026-03-16 00:00 Mon", "2026-04-15 00:00 Wed", "2026-05-15 00:00 Fri"]),
        ("0 0 * * MON#1", ["2026-03-02 00:00 Mon", "2026-04-06 00:00 Mon", "2026-05-04 00:00 Mon"]),
        ("0 0 * * 5L", ["2026-03-27 00:00 Fri", "2026-04-24 00:00 Fri", "2026-05-29 00:00 Fri"]),
        ("@weekly", ["2026-03-08 00:00 Sun", "2026-03-15 00:00 Sun", "2026-03-22 00:00 Sun"]),
        ("cron(0 2 * * ? *)", ["2026-03-01 02:00 Sun", "2026-03-02 02:00 Mon", "2026-03-03 02:00 Tue"]),
        ("cron(0/30 9-10 ? * MON-FRI *)", ["2026-03-02 09:00 Mon", "2026-03-02 09:30 Mon", "2026-03-02 10:00 Mon"]),
        ("cron(0 10 ? * 1 *)", ["2026-03-01 10:00 Sun", "2026-03-08 10:00 Sun", "2026-03-15 10:00 Sun"]),
        ("cron(0 10 ? * 7 *)", ["2026-03-07 10:00 Sat", "2026-03-14 10:00 Sat", "2026-03-21 10:00 Sat"]),
        ("cron(0 10 ? * L *)", ["2026-03-07 10:00 Sat", "2026-03-14 10:00 Sat", "2026-03-21 10:00 Sat"]),
        ("cron(0 10 ? * 6L 2026-2027)", ["2026-03-27 10:00 Fri", "2026-04-24 10:00 Fri", "2026-05-29 10:00 Fri"]),
        ("cron(0 10 ? * 3#2 *)", ["2026-03-10 10:00 Tue", "2026-04-14 10:00 Tue", "2026-05-12 10:00 Tue"]),
        ("cron(0 10 3W * ? *)", ["2026-03-03 10:00 Tue", "2026-04-03 10:00 Fri", "2026-05-04 10:00 Mon"]),
        ("cron(0 10 1W,31W * ? *)", ["2026-03-02 10:00 Mon", "2026-03-31 10:00 Tue", "2026-04-01 10:00 Wed"]),
        ("cron(0 0 L * ? *)", ["2026-03-31 00:00 Tue", "2026-04-30 00:00 Thu", "2026-05-31 00:00 Sun"]),
        ("cron(0 0 1 1 ? 2028,2150)", ["2028-01-01 00:00 Sat", "2150-01-01 00:00 Thu"]),
        ("cron(0 0 1 JAN ? 2026/2)", ["2028-01-01 00:00 Sat", "2030-01-01 00:00 Tue", "2032-01-01 00:00 Thu"]),
        ("rate(1 minute)", ["2026-03-01 00:01 Sun", "2026-03-01 00:02 Sun", "2026-03-01 00:03 Sun"]),
        ("rate(1 minutes)", ["2026-03-01 00:01 Sun", "2026-03-01 00:02 Sun", "2026-03-01 00:03 Sun"]),
        ("rate(36 hours)", ["2026-03-02 12:00 Mon", "2026-03-04 00:00 Wed", "2026-03-05 12:00 Thu"]),
        ("rate(7 days)", ["2026-03-08 00:00 Sun", "2026-03-15 00:00 Sun", "2026-03-22 00:00 Sun"]),
        ("at(2026-12-24T18:00:00)", ["2026-12-24 18:00 Thu"]),
    ],
)
def test_every_form(schedule: str, expected: list[str]) -> None:
    assert shown(schedule, "2026-03-01T00:00:00", 3) == expected


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


@pytest.mark.parametrize(
    ("zone", "schedule", "since", "expected"),
    [
        # Spring: at 02:00 the clock jumps to 03:00.
        (BERLIN, "30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        (BERLIN, "0,30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        (BERLIN, "*/15 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        (BERLIN, "0 2,3 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        (BERLIN, "cron(30 2 * * ? *)", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        (BERLIN, "30 * * * *", "2026-03-29T01:00", ["2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"]),
        (BERLIN, "0 */2 * * *", "2026-03-29T00:00", ["2026-03-29T04:00+02:00", "2026-03-29T06:00+02:00"]),
        (NEW_YORK, "30 2 * * *", "2026-03-07T12:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
        (NEW_YORK, "cron(15 2 * * ? *)", "2026-03-07T12:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:15-04:00"]),
        (NEW_YORK, "0/20 * * * *", "2026-03-08T01:40", ["2026-03-08T03:00-04:00", "2026-03-08T03:20-04:00"]),
        # Autumn: 02:00 to 03:00 (Berlin), 01:00 to 02:00 (New York) is there twice.
        (BERLIN, "30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        (BERLIN, "*/30 2 * * *", "2026-10-25T02:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:00+01:00"]),
        (BERLIN, "30 * * * *", "2026-10-25T02:00", ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]),
        (BERLIN, "cron(0 0/2 * * ? *)", "2026-10-25T01:00", ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]),
        (NEW_YORK, "30 1 * * *", "2026-10-31T12:00", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
        (NEW_YORK, "cron(0 1 * * ? *)", "2026-10-31T12:00", ["2026-11-01T01:00-04:00", "2026-11-02T01:00-05:00"]),
        (NEW_YORK, "30 * * * *", "2026-11-01T01:00", ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00"]),
        # One time, and a rate, which knows no clock on the wall.
        (BERLIN, "at(2026-03-29T02:30:00)", "2026-03-28T12:00", ["2026-03-29T03:00+02:00"]),
        (BERLIN, "at(2026-10-25T02:30:00)", "2026-03-28T12:00", ["2026-10-25T02:30+02:00"]),
        (BERLIN, "rate(1 day)", "2026-03-28T12:00", ["2026-03-29T13:00+02:00", "2026-03-30T13:00+02:00"]),
        # A day that begins at 01:00.
        ("Africa/Cairo", "0 0 * * *", "2026-04-23T12:00", ["2026-04-24T01:00+03:00", "2026-04-25T00:00+03:00"]),
    ],
)
def test_when_the_clock_changes(zone: str, schedule: str, since: str, expected: list[str]) -> None:
    begin = at(since, zone)
    found = fires(read(schedule, zone, begin), begin, len(expected))
    written = [datetime.fromtimestamp(fire, ZoneInfo(zone)).isoformat(timespec="minutes") for fire in found]
    assert written == expected


def test_an_hour_that_comes_twice_is_not_begun_again() -> None:
    """Asked from within its second pass, a fixed time of its first pass is over."""
    table, second = read("30 2 * * *", BERLIN), datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=ZoneInfo(BERLIN))
    assert table.after(second.timestamp()) == at("2026-10-26T02:30", BERLIN)


@given(
    st.sampled_from(
        ["30 2 * * *", "*/7 1-3 * * *", "0 */3 * * *", "15 * L * *", "cron(5 0/4 ? * MON#2 *)", "0 0 * * *"]
    ),
    st.sampled_from([BERLIN, NEW_YORK, "Australia/Lord_Howe", "Africa/Cairo", "UTC", "Asia/Kolkata"]),
    st.integers(0, 2 * 366 * 86400),
)
def test_fires_go_on_and_none_is_found_or_lost_by_where_one_begins(schedule: str, zone: str, offset: int) -> None:
    table, begin = read(schedule, zone), at("2026-01-01T00:00") + offset
    found = fires(table, begin, 4)
    assert begin < found[0] < found[1] < found[2] < found[3]
    for earlier, later in pairwise(found):
        for since in (earlier, earlier + 0.5, (earlier + later) // 2, later - 1, later - 0.001):
            assert table.after(since) == later


@given(st.dates(date(2024, 1, 1), date(2032, 12, 31)))
def test_the_nearest_weekday_is_one_and_is_near(day: date) -> None:
    found = nearest_weekday(day.year, day.month, day.day)
    assert found is not None
    near = day.replace(day=found)
    assert near.weekday() < 5
    assert abs((near - day).days) <= 2
    if 1 < day.day < 28:
        assert abs((near - day).days) <= 1


def test_there_is_no_weekday_near_a_day_that_is_not() -> None:
    assert nearest_weekday(2026, 2, 30) is None


def test_start_and_end_belong_to_the_timetable() -> None:
    start, end = at("2026-06-01T00:00"), at("2026-06-03T00:00")
    assert fires(read("0 0 * * *", start=start, end=end), 0, 9) == [start, start + 86400, end]
    assert fires(read("rate(1 day)", start=start, end=end), 0, 9) == [start, start + 86400, end]
    assert fires(read("rate(5 hours)", start=start + 0.5), 0, 2) == [start + 0.5, start + 0.5 + 18000]
    assert read("0 0 * * *", end=start).after(start) is None


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("61 * * * *", "spec.schedule: minute: 61 is out of range; use 0 to 59"),
        ("* 24 * * *", "hour: 24 is out of range; use 0 to 23"),
        ("* * 0 * *", "day-of-month: 0 is out of range; use 1 to 31"),
        ("* * * 13 *", "month: 13 is out of range; use 1 to 12"),
        ("* * * * 8", "day-of-week: 8 is out of range; use 0 to 7"),
        ("* * * * FRO", "day-of-week: 'FRO' is not understood; use 0 to 7 or SUN to SAT"),
        ("x * * * *", "minute: 'X' is not understood; use 0 to 59"),
        ("* * * *", "has 4 fields, not five"),
        ("* * ? * *", "day-of-month: '?' is not understood"),
        ("*/0 * * * *", "minute: the step of '*/0' is not a number above 0"),
        ("1- * * * *", "minute: '1-' is not understood"),
        ("0 22-2 * * *", "hour: the range 22-2 runs backwards; write two: 22-23,0-2"),
        ("0 0 L-3 * *", "day-of-month: 'L-3' is not known; write L (last day) or LW (last weekday)"),
        ("0 0 1-5W * *", "day-of-month: '1-5W' needs one value before its letter"),
        ("0 0 * * MON#6", "day-of-week: 'MON#6' asks for the 6th; write #1 to #5"),
        ("0 0 30 2 *", "never fires: no such day"),
        ("cron(0 0 30 FEB ? *)", "never fires: no such day"),
        ("cron(0 0 31 4,6 ? *)", "never fires: no such day"),
        ("cron(0 0 * * ?)", "has 5 fields, not six; write for example cron(0 2 * * ? *)"),
        ("cron(0 0 * * * *)", "exactly one of day-of-month (*) and day-of-week (*) must be ?"),
        ("cron(0 0 ? * ? *)", "exactly one of day-of-month (?) and day-of-week (?) must be ?"),
        ("cron(0 0 ? * 0 *)", "day-of-week: 0 is out of range; use 1 to 7"),
        ("cron(0 0 1 1 ? 1969)", "year: 1969 is out of range; use 1970 to 2199"),
        ("rate(0 minutes)", "'rate(0 minutes)' is not from 1 minute to 3650 days"),
        ("rate(9999 days)", "is not from 1 minute to 3650 days"),
        ("rate(5)", "'rate(5)' is not understood; write rate(5 minutes)"),
        ("at(2026-02-30T00:00:00)", "at(2026-02-30T00:00:00) is no date and time: day is out of range"),
        ("at(2200-01-01T00:00:00)", "year is out of range; use 1970 to 2199"),
        ("at(2026-02-01)", "is not understood"),
        ("@fortnightly", "has 1 fields, not five"),
    ],
)
def test_what_cannot_be_is_said_with_field_and_fix(schedule: str, words: str) -> None:
    with pytest.raises(ScheduleError, match=r"^spec\.schedule: ") as refused:
        read(schedule)
    assert words in str(refused.value)


@pytest.mark.parametrize("zone", ["Europe/Berln", "Local", "localtime", "right/UTC", "../etc/passwd", "America", ""])
def test_an_unknown_time_zone_is_named(zone: str) -> None:
    with pytest.raises(ScheduleError, match=r"^spec\.timeZone: ") as refused:
        read("0 0 * * *", zone)
    assert f"{zone!r} is not a time zone of the IANA database; write for example " in str(refused.value)


def test_a_time_zone_nearly_right_is_put_right() -> None:
    with pytest.raises(ScheduleError, match="write for example Europe/Berlin"):
        read("0 0 * * *", "Europe/Berln")


@pytest.mark.parametrize("schedule", ["cron(0 0 1 1 ? 2020)", "cron(0 0 29 2 ? 2027)", "cron(0 0 30W 2 ? *)"])
def test_what_never_comes_again_has_no_next_fire(schedule: str) -> None:
    assert read(schedule).after(at("2026-01-01T00:00")) is None


def test_the_end_of_the_calendar_is_no_accident() -> None:
    late = datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp()
    assert read("0 0 1 1 *", BERLIN).after(late) is None


def test_a_delay_is_within_its_window_and_always_the_same() -> None:
    found = [delay("uid", minute * 60.0, 900) for minute in range(300)]
    assert found == [delay("uid", minute * 60.0 + 59, 900) for minute in range(300)]
    assert all(0 <= seconds < 900 for seconds in found)
    assert len(set(found)) > 200
    assert found != [delay("other", minute * 60.0, 900) for minute in range(300)]
    assert delay("uid", 60.0, 0) == 0


def test_the_minute_of_a_fire_is_that_of_the_clock() -> None:
    moment = datetime(2027, 1, 15, 8, 0, 37, tzinfo=UTC)
    assert minute_of(moment.timestamp()) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
