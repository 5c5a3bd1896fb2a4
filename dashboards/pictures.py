"""Pictures of the dashboards over a real run: `python -m dashboards.pictures DIRECTORY SECONDS`.

The queries are those of the JSON that is shipped, asked of a real Prometheus; the layout is its grid. matplotlib draws
them, so that nobody needs a Grafana to see what they show.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.board import COLOURS
from dashboards.figures import step, written
from dashboards.prometheus import Prometheus, Series
from dashboards.reading import Shown, filled, shown, variables

ROOT = Path(__file__).resolve().parents[1]
STEP = 2.0  # seconds between points
INTERVAL = "20s"
WIDTH, UNIT = 15.0, 0.36  # inches: of the picture, and of a grid unit's height
GAP = 0.3  # grid units between panels
INK, FAINT, CARD = "#24292f", "#6e7781", "#f6f8fa"
TURNS = ("#0969da", "#d4a72c", "#8250df", "#1b7c83", "#bf3989", "#57606a", "#bc4c00", "#4d2d00", "#2da44e", "#a40e26")
MOST_NAMED = 8  # series in a legend


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: a Prometheus, from when to when (unix seconds)."""

    prometheus: Prometheus
    begin: float
    end: float

    def series(self, dashboard: str, query: str) -> list[Series]:
        """Return a query's series with all variables at All."""
        chosen = {name: ".*" for name, _ in variables(dashboard)}
        values = {"__rate_interval": INTERVAL, "__range": f"{int(self.end - self.begin)}s", **chosen}
        return self.prometheus.over(filled(query, values), (self.begin, self.end), STEP)


def draw(dashboard: str, span: Span, out: Path) -> None:
    """Draw one dashboard."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = shown(dashboard)
    height = max(panel.place[1] + panel.place[3] for panel in panels) + 1  # below it the last legends
    figure = pyplot.figure(figsize=(WIDTH, height * UNIT), facecolor="white")
    for panel in panels:
        box = _box(panel, height)
        if panel.kind == "row":
            figure.text(0.012, box[1] + box[3] * 0.35, panel.title, fontsize=13, fontweight="bold", color=INK)
            continue
        series = [(one, legend) for query, legend in panel.queries for one in span.series(dashboard, query)]
        axes = figure.add_axes(_inner(box, panel))
        _number(axes, panel, series) if panel.kind == "stat" else _graph(axes, panel, series, span)
    figure.savefig(out, dpi=80)
    pyplot.close(figure)


def _box(panel: Shown, height: int) -> tuple[float, float, float, float]:
    x, y, w, h = panel.place
    return (x + GAP) / 24, 1 - (y + h) / height, (w - 2 * GAP) / 24, h / height


def _inner(box: tuple[float, float, float, float], panel: Shown) -> tuple[float, float, float, float]:
    """Leave room for title, axes and legend."""
    x, y, w, h = box
    if panel.kind == "stat":
        return x, y + 0.06 * h, w, 0.88 * h
    return x + 0.12 * w, y + 0.27 * h, 0.86 * w, 0.6 * h


def _number(axes: Any, panel: Shown, series: list[tuple[Series, str]]) -> None:
    axes.set_facecolor(CARD)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#d0d7de")
    value = series[0][0].points[-1][1] if series and series[0][0].points else float("nan")
    axes.text(0.06, 0.8, panel.title, transform=axes.transAxes, fontsize=10, color=FAINT, va="center")
    text = written(value, panel.unit)
    axes.text(0.5, 0.36, text, transform=axes.transAxes, fontsize=22, color=TURNS[0], ha="center", va="center")


def _graph(axes: Any, panel: Shown, series: list[tuple[Series, str]], span: Span) -> None:
    from matplotlib.ticker import MultipleLocator

    named = sorted(((_name(one, legend), one) for one, legend in series if one.points), key=lambda pair: pair[0])
    if panel.stacked:
        _stack(axes, named, span)
    else:
        for (name, one), colour in zip(named, _colours(named), strict=True):
            at, values = zip(*one.points, strict=True)
            axes.plot([moment - span.begin for moment in at], values, label=name, color=colour, linewidth=1.4)
    axes.set_title(panel.title, loc="left", fontsize=11, color=INK)
    axes.set_xlim(0, span.end - span.begin)
    _scale(axes, panel.unit)
    axes.xaxis.set_major_locator(MultipleLocator(step((span.end - span.begin) * 8 / panel.place[2], "s")))
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        columns = 4 if max(map(len, labels)) < 13 else 3 if max(map(len, labels)) < 19 else 2
        axes.legend(handles[:MOST_NAMED], labels[:MOST_NAMED], loc="upper left", bbox_to_anchor=(-0.1, -0.14),
                    ncols=columns, fontsize=8.5, frameon=False, handlelength=1.2, columnspacing=1.2)  # fmt: skip


def _stack(axes: Any, named: list[tuple[str, Series]], span: Span) -> None:
    count = int((span.end - span.begin) / STEP) + 1
    grid = [span.begin + STEP * step for step in range(count)]
    rows = [[dict(one.points).get(_nearest(one, at), 0.0) for at in grid] for _, one in named]
    if rows:
        axes.stackplot([at - span.begin for at in grid], rows, labels=[name for name, _ in named], alpha=0.75,
                       colors=_colours(named), linewidth=0)  # fmt: skip


def _nearest(one: Series, at: float) -> float:
    return min((moment for moment, _ in one.points if abs(moment - at) <= STEP / 2), default=-1.0)


def _scale(axes: Any, unit: str) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    low, high = axes.dataLim.y0, axes.dataLim.y1
    low, high = (min(low, 0.0), max(high * 1.08, 0.0) or 1.0) if abs(high) < float("inf") else (0.0, 1.0)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MultipleLocator(step(high - low, unit)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 60:g} min"))
    axes.tick_params(labelsize=8.5, colors=FAINT, length=2)
    axes.grid(axis="y", color="#eaeef2", linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#d0d7de")


def _colours(named: list[tuple[str, Series]]) -> list[str]:
    turns = itertools.cycle(TURNS)
    return [COLOURS.get(name) or next(turns) for name, _ in named]


def _name(one: Series, legend: str) -> str:
    """Fill in a legend, without the prefix by which this run's objects are told from those of others."""
    for label, value in one.labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value.split("-", 1)[1] if _is_ours(label, value) else value)
    return legend


def _is_ours(label: str, value: str) -> bool:
    return label in ("queue", "environment", "consumable") and "-" in value


def main(out: Path, seconds: float) -> None:
    """Play the scene for so long, then draw both dashboards."""
    sys.path.insert(0, str(ROOT / "tests"))
    from cluster.rest import until
    from monitoring.prometheus_process import prometheus
    from monitoring.scene import scene

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, scene(Path(name)) as played:
        program = Path(os.environ["BATCHYARD_PROMETHEUS"])
        with prometheus(program, Path(name), f"127.0.0.1:{played.lab.operator.port}") as asked:
            begin = time.time()
            played.open()
            for act in played.acts(seconds):
                until(lambda due=begin + act.at: time.time() >= due, seconds)  # type: ignore[misc]
                act.do()
            for dashboard in ("users", "operators"):
                draw(dashboard, Span(asked, begin, time.time()), out / f"{dashboard}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
