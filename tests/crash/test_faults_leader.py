"""Two operators: the API server goes away, clocks differ, leaders die; never do both write, and one always comes.

BATCHYARD_PAUSE sets for how many seconds the API server is away, BATCHYARD_TAKEOVERS how many leaders are killed.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import pytest

from cluster.rest import until
from crash.contenders import Contenders, contenders
from crash.own_cluster import OwnCluster

LEASE = 3.0
PAUSE = float(os.environ.get("BATCHYARD_PAUSE", "6"))
TAKEOVERS = int(os.environ.get("BATCHYARD_TAKEOVERS", "2"))
SKEWS = [300.0, -300.0] if os.environ.get("BATCHYARD_FAULTS") == "long" else [-300.0]
BUSY = 6.0  # seconds that a new leader may take to list everything on a machine with much else to do


def test_the_api_server_is_away_for_long(own: OwnCluster, tmp_path: Path) -> None:
    with contenders(own, tmp_path, LEASE) as both:
        trial = both.trial
        trial.pool("led", 8, scaleDownDelaySeconds=5)
        names = trial.submit("led", 20, 500)
        until(lambda: trial.phases()["Succeeded"] >= 2, 60, trial.story)
        own.kill("kube-apiserver")
        began = time.monotonic()
        until(lambda: both.lost("first"), LEASE + 5, trial.story)
        lost = time.monotonic() - began
        assert lost <= LEASE + 1, "it gives up before another may take its place"
        written = len(both.logbook.entries)
        until(lambda: time.monotonic() - began >= PAUSE, PAUSE + 1)
        assert len(both.logbook.entries) == written, "nobody leads, nobody writes"
        terms = both.terms("first") + both.terms("second")
        back = time.monotonic()
        own.start("kube-apiserver")
        until(lambda: both.terms("first") + both.terms("second") > terms, LEASE + 30, trial.story)
        took = time.monotonic() - back
        trial.once_each(names)
        both.one_writer_at_a_time()
        trial.pools_are_as_told("led")
        trial.all_retired("led")
        print(f"\naway for {back - began:.1f} s: leadership given up after {lost:.1f} s, "
              f"a leader {took:.1f} s after it was started again; turns {both.logbook.turns}")  # fmt: skip


@pytest.mark.parametrize("skew", SKEWS)
def test_a_wrong_clock_takes_no_lease_and_loses_no_job(own: OwnCluster, tmp_path: Path, skew: float) -> None:
    with contenders(own, tmp_path, LEASE, skew) as both:
        trial = both.trial
        trial.pool("led", 8)
        names = trial.submit("led", 12, 300)
        _renewals(both, 12)
        assert not both.terms("second"), "the leader renews; what its times say is nobody's business"
        both.dies("first")
        began = time.monotonic()
        until(lambda: both.terms("second"), LEASE + BUSY, both.keepers["second"].operator.tail)
        took = time.monotonic() - began
        names += trial.submit("led", 12, 300, prefix="later-")
        trial.once_each(names)
        both.one_writer_at_a_time()
        trial.pools_are_as_told("led")
        trial.all_retired("led")
        print(f"\nskew {skew:+.0f} s: takeover after {took:.1f} s")


def _renewals(both: Contenders, count: int) -> None:
    """Wait until the Lease was renewed so often: 12 times are a good deal longer than it lasts."""
    seen: set[object] = set()

    def ask() -> bool:
        seen.add(both.lease()["metadata"]["resourceVersion"])
        return len(seen) >= count

    until(ask, 60)


def test_leaders_are_killed_in_turn(own: OwnCluster, tmp_path: Path) -> None:
    times, names = [], []
    with contenders(own, tmp_path, LEASE) as both:
        trial = both.trial
        trial.pool("led", 8)
        leader, other = "first", "second"
        for number in range(TAKEOVERS):
            names += trial.submit("led", 10, 200, prefix=f"turn{number}-")
            terms = both.terms(other)
            both.dies(leader)
            began = time.monotonic()
            until(lambda: both.terms(other) > terms, LEASE + BUSY, both.keepers[other].operator.tail)  # noqa: B023
            times.append(time.monotonic() - began)
            both.comes_again(leader)
            leader, other = other, leader
        trial.once_each(names)
        both.one_writer_at_a_time()
        assert both.transitions() == TAKEOVERS
        trial.all_retired("led")
    assert min(times) > LEASE / 3, "sooner than the Lease could be over"
    assert statistics.median(times) < LEASE + 2
    print(f"\n{TAKEOVERS} takeovers with a Lease of {LEASE:g} s: {min(times):.1f} to {max(times):.1f} s, "
          f"median {statistics.median(times):.1f} s")  # fmt: skip
