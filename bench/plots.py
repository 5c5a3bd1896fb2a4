"""Pictures of a run, where matplotlib is installed: `pip install .[bench]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Spread
from bench.meter import PROGRAMS
from bench.thresholds import Run

GROWTH = {"W1": ("cpu.operator", "operator CPU-ms a job"), "W6": ("memory.job", "operator KiB a waiting job")}
RATES, SHARES = (5, 10, 20, 40), (50, 99)


def draw(out: Path, runs: Sequence[Run]) -> list[Path]:
    """Draw what there are figures for; return the files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pictures = {"rates": _rates, "cpu": _cpu, "growth": _growth, "latency": _latency}
    made = []
    for name, picture in pictures.items():
        figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
        if picture(axes, runs):
            made.append(out / f"{name}.png")
            figure.savefig(made[-1], dpi=100)
        pyplot.close(figure)
    return made


def _median(runs: Sequence[Run], subject: str, figure: str) -> Spread | None:
    values = [run.figures[figure] for run in runs if run.subject == subject and figure in run.figures]
    return Spread.of(values) if values else None


def _subjects(runs: Sequence[Run], figure: str) -> dict[str, Spread]:
    names = dict.fromkeys(run.subject for run in runs)
    found = {name: _median(runs, name, figure) for name in sorted(names)}
    return {name: spread for name, spread in found.items() if spread is not None}


def _rates(axes: Any, runs: Sequence[Run]) -> bool:
    found = _subjects(runs, "rate")
    medians = [spread.median for spread in found.values()]
    ranges = [[s.median - s.low for s in found.values()], [s.high - s.median for s in found.values()]]
    axes.bar(list(found), medians, yerr=ranges, capsize=3, color=["C1" if n[0] == "W" else "C7" for n in found])
    axes.set_ylabel("jobs a second (median, range)")
    axes.tick_params(axis="x", rotation=45)
    return bool(found)


def _cpu(axes: Any, runs: Sequence[Run]) -> bool:
    names = list(_subjects(runs, "cpu"))
    below = [0.0] * len(names)
    for program in PROGRAMS:
        parts = [spread.median if (spread := _median(runs, name, f"cpu.{program}")) else 0.0 for name in names]
        axes.bar(names, parts, bottom=below, label=program)
        below = [low + part for low, part in zip(below, parts, strict=True)]
    axes.set_ylabel("CPU-ms a job")
    axes.tick_params(axis="x", rotation=45)
    axes.legend(fontsize="small")
    return bool(names)


def _growth(axes: Any, runs: Sequence[Run]) -> bool:
    drawn = False
    for subject, (figure, what) in GROWTH.items():
        sizes = sorted({run.size for run in runs if run.subject.split("@")[0] == subject})
        groups = [
            [
                r.figures[figure]
                for r in runs
                if r.subject.split("@")[0] == subject and r.size == n and figure in r.figures
            ]
            for n in sizes
        ]
        points = [(n, Spread.of(values).median) for n, values in zip(sizes, groups, strict=True) if values]
        if len(points) > 1:
            axes.plot(*zip(*points, strict=True), marker="o", label=what)
            drawn = True
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("jobs")
    if drawn:
        axes.legend()
    return drawn


def _latency(axes: Any, runs: Sequence[Run]) -> bool:
    drawn = False
    for share in SHARES:
        found = {rate: _median(runs, "W5", f"bound.{rate}.p{share}") for rate in RATES}
        points = [(rate, spread.median) for rate, spread in found.items() if spread]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=f"p{share}")
            drawn = True
    axes.set_yscale("log")
    axes.set_xlabel("jobs a second, open loop")
    axes.set_ylabel("seconds from submission to bound")
    if drawn:
        axes.legend()
    return drawn
