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


def _seconds(value: float) -> str:
    size = abs(value)
    if size >= 3600:
        return f"{value / 3600:.3g} h"
    if size >= 60:
        return f"{value / 60:.3g} min"
    return f"{value:.3g} s" if size >= 1 or not value else f"{value * 1000:.3g} ms"
