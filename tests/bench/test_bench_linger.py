"""The simulated days of short and long jobs: all that was submitted has run when they end."""

from __future__ import annotations

from bench.linger import HOUR, SHAPE, day, live


def test_a_day_ends_and_its_nodes_cost_what_its_jobs_need_at_least() -> None:
    kinds, works = day(1, 30)
    needed = sum(kinds[work.kind][0] * work.seconds for work in works) / HOUR / (SHAPE.resources.cpu / 1000)
    longest = max(work.seconds for work in works) / HOUR
    assert live(1, 30) >= max(needed, longest)
