"""One field of a cron expression: lists, ranges, steps and names become numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class ScheduleError(ValueError):
    """A schedule that cannot be used; the sentence names the field and the fix."""


_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTHS = dict(zip(_MONTH_NAMES, range(1, 13), strict=True))


@dataclass(frozen=True, slots=True)
class Unit:
    """What a field counts, from `low` to `high`, and the names that stand for numbers."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict, hash=False)


def numbers(unit: Unit, text: str) -> frozenset[int]:
    """Return the numbers that a field of `,`, `-`, `/` and `*` names; ScheduleError if it names none or others."""
    return frozenset(number for term in text.split(",") for number in _term(unit, term))


def _term(unit: Unit, term: str) -> range:
    span, slash, step = term.partition("/")
    if slash and (not _digits(step) or int(step) == 0):
        raise ScheduleError(f"{unit.name}: the step of {term!r} is not a number above 0; write for example */5")
    every = int(step) if slash else 1
    if span == "*":
        return range(unit.low, unit.high + 1, every)
    first, dash, last = span.partition("-")
    low = _number(unit, first, term)
    high = _number(unit, last, term) if dash else unit.high if slash else low
    if high < low:
        raise ScheduleError(
            f"{unit.name}: the range {span} runs backwards; write two: {first}-{unit.high},{unit.low}-{last}"
        )
    return range(low, high + 1, every)


def _number(unit: Unit, text: str, term: str) -> int:
    if text in unit.names:
        return unit.names[text]
    if not _digits(text):
        names = f" or {next(iter(unit.names))} to {list(unit.names)[-1]}" if unit.names else ""
        raise ScheduleError(f"{unit.name}: {term!r} is not understood; use {unit.low} to {unit.high}{names}")
    if not unit.low <= int(text) <= unit.high:
        raise ScheduleError(f"{unit.name}: {text} is out of range; use {unit.low} to {unit.high}")
    return int(text)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9
