"""Two operators, one Lease: who does not lead lists nothing and writes nothing, whatever becomes of the leader.

BATCHYARD_PAUSE sets for how many seconds the leader is stopped.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cluster.lab import Lab
from cluster.operator_process import Operator
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, simulated

LEASE_SECONDS = 3.0
PAUSE = float(os.environ.get("BATCHYARD_PAUSE", "6"))
DECISIONS = ("start", "stop", "remove", "attempt ended", "launch", "retire", "unregister", "forget")


@dataclass
class Pair:
    """The lab without its own operator, and two that contend."""

    lab: Lab
    first: Operator
    second: Operator

    def submit(self, prefix: str, count: int) -> list[str]:
        return [self.lab.job(f"{prefix}-{index}", "led", template=simulated(500)) for index in range(count)]


@pytest.fixture
def pair(lab: Lab, tmp_path: Path) -> Iterator[Pair]:
    if lab.operator.alive:
        assert lab.operator.stop() == 0
    settings = {"BATCHYARD_LEASE_SECONDS": str(LEASE_SECONDS)}
    first, second = (
        replace(lab.operator, log=tmp_path / name, settings={**settings, "BATCHYARD_IDENTITY": name}, process=None)
        for name in ("first", "second")
    )
    first.start()
    with socket.create_server(("127.0.0.1", 0)) as free:  # who does not lead says nowhere where it listens
        second.port = free.getsockname()[1]
    second.settings = {**second.settings, "BATCHYARD_PORT": str(second.port)}
    second.launch()
    until(lambda: of(second, "standing by"), 20, second.tail)
    if ("JobQueue", lab.named("led")) not in lab.made:
        lab.environment("led", managed("simulated", [shape(4)], 8, scaleDownDelaySeconds=30))
        lab.queue("led", "led")
    yield Pair(lab, first, second)
    for operator in (first, second):
        if operator.alive:
            operator.stop()
    lab.operator.start()
    assert [operator.complaints() for operator in (first, second)] == [[], []]


def of(operator: Operator, *events: str) -> list[dict[str, Any]]:
    return [line for line in operator.lines() if line.get("event") in events]


def test_a_polite_leader_hands_over_at_once_and_who_stands_by_has_listed_nothing(pair: Pair) -> None:
    assert not of(pair.second, "operator runs", *DECISIONS)
    assert pair.second.page("/readyz") == pair.second.page("/healthz") == (200, "ok"), "a rollout waits for it"
    began = time.monotonic()
    assert pair.first.stop() == 0
    until(lambda: of(pair.second, "operator runs"), 10, pair.second.tail)
    assert time.monotonic() - began < LEASE_SECONDS + 3
    for name in pair.submit("handed", 4):
        pair.lab.succeeded(name)
    assert pair.second.stop() == 0


def test_a_leader_that_is_killed_is_replaced_when_its_lease_is_over(pair: Pair) -> None:
    names = pair.submit("killed", 12)
    pair.lab.phase(names[0], "Running", "Succeeded")
    pair.first.kill()
    began = time.monotonic()
    until(lambda: of(pair.second, "operator runs"), 20, pair.second.tail)
    assert LEASE_SECONDS / 3 < time.monotonic() - began < LEASE_SECONDS + 5
    for name in names:
        status = pair.lab.succeeded(name)
        assert len(status["attempts"]) == 1


def test_a_leader_that_was_stopped_and_wakes_writes_nothing_and_ends(pair: Pair) -> None:
    names = pair.submit("paused", 12)
    pair.lab.phase(names[0], "Running", "Succeeded")
    assert pair.first.process is not None
    pair.first.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    until(lambda: of(pair.second, "operator runs"), 20, pair.second.tail)
    for name in names:
        pair.lab.succeeded(name)
    until(lambda: time.monotonic() - began >= PAUSE, PAUSE + 1)
    more = pair.submit("woken", 8)
    said = len(of(pair.first, *DECISIONS))
    pair.first.process.send_signal(signal.SIGCONT)
    until(lambda: not pair.first.alive, 20, pair.first.tail)
    assert of(pair.first, "leadership lost")
    # Stopped in the middle of a plan it may say the rest of it; of what came after the pause it must know nothing.
    after = of(pair.first, *DECISIONS)[said:]
    assert not [line for line in after if "woken" in str(line)], "it went on to decide"
    for name in more:
        assert len(pair.lab.succeeded(name)["attempts"]) == 1
