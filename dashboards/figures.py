"""Numbers as people read them, by Grafana's names of units."""

from __future__ import annotations

import math


def written(value: float, unit: str) -> str:
    """Return a number with its unit, in three digits or so."""
    if math.isnan(value):
        return "no data"
    match unit:
        case "s":
            return _seconds(value)
        case "percentunit":
            return f"{100 * value:.3g} %"
        case "bytes":
            return f"{value / 2**20:.4g} MiB"
        case "reqps":
            return f"{value:.3g}/s"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def step(span: float, unit: str) -> float:
    """Return a round distance between the marks of an axis, so that there are five or so."""
    least = span / 5
    if unit == "s" and least > 1:
        return next((size for size in _ROUND_SECONDS if size >= least), 86400.0)
    base = 2.0**20 if unit == "bytes" else 1.0
    power = 10.0 ** math.floor(math.log10(max(least / base, 1e-9)))
    return base * power * next(size for size in (1, 2, 5, 10) if base * power * size >= least * 0.999)


_ROUND_SECONDS = (2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0)


def _seconds(value: float) -> str:
    size = abs(value)
    if size >= 3600:
        return f"{value / 3600:.3g} h"
    if size >= 60:
        return f"{value / 60:.3g} min"
    return f"{value:.3g} s" if size >= 1 or not value else f"{value * 1000:.3g} ms"
