"""Run subjects in turn, round after round, each on a cluster begun anew."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.arena import Arena
from bench.catalogue import Entry
from bench.client import Client
from bench.figures import written
from bench.meter import Figures
from bench.operator import Operator
from bench.thresholds import Run
from bench.trial import Trial


def order(entries: Sequence[Entry], repeat: int) -> Iterator[tuple[int, Entry]]:
    """Yield round and subject: all subjects once, then all again, so that a ratio's two sides lie beside each other."""
    for number in range(1, repeat + 1):
        for entry in entries:
            if number == 1 or not entry.once:
                yield number, entry


def run_all(arena: Arena, turns: Iterable[tuple[int, Entry]]) -> tuple[list[Run], list[str]]:
    """Return what was measured, and a sentence for each run that failed; those after it are not to be lost."""
    runs, failures = [], []
    for number, entry in turns:
        began = time.monotonic()
        try:
            run = run_one(arena, entry, number)
        except Exception as error:
            failures.append(f"{entry.name}, round {number}: {_sentence(error)}")
            _say(f"{failures[-1]}")
            continue
        runs.append(run)
        _say(f"{entry.name:9} round {number}, {time.monotonic() - began:4.0f} s: {_short(run.figures)}")
    return runs, failures


def run_one(arena: Arena, entry: Entry, number: int) -> Run:
    """Run one subject on a fresh cluster."""
    arena.fresh(entry.settings)
    return Run(entry.name, entry.size, number, asyncio.run(_measure(arena, entry)))


async def _measure(arena: Arena, entry: Entry) -> Figures:
    operator = Operator.of(arena)
    async with Client(arena) as client:
        try:
            figures = await entry.measure(Trial(arena, client, operator, entry.size))
            if complaints := operator.complaints():
                raise AssertionError(f"{len(complaints)} complaints: {complaints[0][:500]}")
            return figures
        finally:
            operator.end()


def _sentence(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _sentence(error.exceptions[0])
    return f"{type(error).__name__}: {error}"


def _short(figures: Mapping[str, float]) -> str:
    names = ("rate", "cpu.operator", "cpu.kube-apiserver", "writes", "writes.jobs", "others")
    special = (name for name in figures if name.split(".")[0] not in _COMMON)
    return ", ".join(f"{name} {written(figures[name])}" for name in (*names, *special) if name in figures)


_COMMON = frozenset({"rate", "cpu", "writes", "requests", "detail", "others", "seconds", "pace"})


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
