"""Slopes, percentiles, spreads and how numbers are written."""

from __future__ import annotations

import math

import pytest
from bench.figures import Spread, percentile, slope, written


def test_a_steady_stream_has_its_rate_as_slope() -> None:
    assert slope([n / 50 for n in range(1000)]) == pytest.approx(50)


def test_neither_ramp_nor_stragglers_count() -> None:
    ramp = [float(n) for n in range(100)]
    steady = [100 + n / 40 for n in range(800)]
    stragglers = [steady[-1] + 10 * n for n in range(1, 101)]
    assert slope(ramp + steady + stragglers) == pytest.approx(40, rel=0.02)


def test_the_order_of_completions_does_not_matter() -> None:
    times = [n * n / 100 for n in range(50)]
    assert slope(times[::-1]) == slope(times)


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 2.0], [3.0] * 100])
def test_too_few_completions_or_all_at_once_have_no_slope(times: list[float]) -> None:
    with pytest.raises(ValueError, match="no slope"):
        slope(times)


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.99) == 7
    assert math.isnan(percentile([], 0.5))


def test_a_spread_is_median_and_range() -> None:
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3, 3)
    assert Spread.of([4, 1, 2, 3]).median == 2.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345, "12,345"),
        (-2.5, "-2.50"),
    ],
)
def test_numbers_are_written_with_three_digits(value: float, text: str) -> None:
    assert written(value) == text
