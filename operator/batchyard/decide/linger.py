"""Which nodes are left to run empty, so that they can be retired: a pod goes where others stay for long anyway.

A pod starts on a node that others are expected to keep busy at least until half of its own run is over. Among such
nodes, and else among the others, it goes to the fullest. So long jobs gather, and where only short ones are left, or
none, the node becomes empty. What is expected of a job is what half of its kind did not pass, its timeout at most; of
whose run nobody knows anything, that it lasts for ever.
"""

from __future__ import annotations

from math import inf

from batchyard.decide.cycle import Ask, Cycle


def half_way(cycle: Cycle, ask: Ask) -> float:
    """Return when half of a pod's run is over if it starts now (unix seconds)."""
    return cycle.now + _lasts(cycle, ask) / 2


def end(cycle: Cycle, ask: Ask) -> float:
    """Return when a pod is expected to have ended if it starts now."""
    return cycle.now + _lasts(cycle, ask)


def _lasts(cycle: Cycle, ask: Ask) -> float:
    half = cycle.store.histories.half_last(ask.job)
    return min(inf if half is None else half, ask.lasts)
