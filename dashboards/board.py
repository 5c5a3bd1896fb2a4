"""What a dashboard is made of, whoever draws it: rows of panels, each with its queries and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What means something good, bad or neither has the same colour everywhere; the others take turns.
COLOURS = {
    "Succeeded": "#1a7f37", "Failed": "#cf222e", "Infrastructure": "#d4720b", "Stopped": "#8c959f",
    "Running": "#1a7f37", "Starting": "#54aeff", "Runnable": "#d4a72c", "Pending": "#8c959f", "Submitted": "#c297ff",
    "ready": "#1a7f37", "launching": "#54aeff", "draining": "#d4720b", "failed": "#cf222e",
    "used": "#1a7f37", "provisioned": "#0969da", "desired": "#d4a72c", "max": "#cf222e", "min": "#8c959f",
    "p10": "#8c959f", "p50": "#0969da", "p90": "#d4a72c", "p99": "#cf222e",
}  # fmt: skip
Form = Literal["number", "lines", "stacked"]
Query = tuple[str, str]  # PromQL, and the name of its series ({{label}} stands for the label's value)


@dataclass(frozen=True, slots=True)
class Panel:
    """One question that the panel answers; `unit` is Grafana's name of a unit."""

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]
    form: Form = "lines"


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a dashboard: values of a label, all of them at first."""

    name: str
    metric: str


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `rows` by their headings."""

    uid: str
    title: str
    meaning: str
    variables: tuple[Variable, ...]
    rows: dict[str, tuple[Panel, ...]]


def number(title: str, meaning: str, unit: str, expression: str) -> Panel:
    """Return a panel that shows the latest value."""
    return Panel(title, meaning, unit, ((expression, title),), "number")


def lines(title: str, meaning: str, unit: str, *queries: Query) -> Panel:
    """Return a panel with a line for each series."""
    return Panel(title, meaning, unit, queries)


def stacked(title: str, meaning: str, unit: str, *queries: Query) -> Panel:
    """Return a panel with the series on top of each other, for what adds up."""
    return Panel(title, meaning, unit, queries, "stacked")


def quantiles(metric: str, *parts: float) -> tuple[Query, ...]:
    """Return the quantiles of a histogram over the latest interval; `metric` with its selector in braces."""
    name, brace, selector = metric.partition("{")
    rate = f"sum by (le) (rate({name}_bucket{brace}{selector}[$__rate_interval]))"
    return tuple((f"histogram_quantile({part}, {rate})", f"p{part * 100:g}") for part in parts)
