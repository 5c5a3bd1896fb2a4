"""Arithmetic of measurements: slopes, percentiles, medians with their ranges."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several measurements, and between what they lie."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values), len(values))


def slope(times: Sequence[float], low: float = 0.1, high: float = 0.9) -> float:
    """Return completions a second between the shares `low` and `high` of all: neither ramp nor stragglers count.

    Args:
        times: seconds, one of each completion, in any order; at least three.

    Raises:
        ValueError: there are too few completions to have a slope, or they all came at once.
    """
    ordered = sorted(times)
    first, last = math.ceil(len(ordered) * low), math.floor(len(ordered) * high) - 1
    if last <= first or ordered[last] <= ordered[first]:
        raise ValueError(f"{len(ordered)} completions have no slope")
    return (last - first) / (ordered[last] - ordered[first])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not below `share` (0 to 1) of all (nearest rank); NaN of none."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(math.ceil(len(ordered) * share), 1) - 1]


def written(value: float) -> str:
    """Write a number with three digits that mean something: 0.0123, 1.23, 12.3, 123, 12,300."""
    if math.isnan(value) or math.isinf(value):
        return str(value)
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"
