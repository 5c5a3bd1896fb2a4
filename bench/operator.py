"""The operator as one of the benchmark's processes, at its shipped settings."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

from bench.arena import Arena
from cluster.operator_process import Operator as Process

START_SECONDS = 120.0
_POLL_SECONDS = 0.02


class Operator(Process):
    """Started and killed by the workloads; it logs as it is shipped, to memory."""

    @classmethod
    def of(cls, arena: Arena) -> Operator:
        """Return the operator of this cluster, not started yet."""
        return cls(arena.kubeconfig, arena.operator_log, {"BATCHYARD_DOCKER": "false"})

    @property
    def pid(self) -> int:
        """The process's id while it lives."""
        assert self.process is not None
        return self.process.pid

    async def ready(self) -> None:
        """Return when it has listed everything and decides."""
        deadline = time.monotonic() + START_SECONDS
        while not self._runs():
            assert time.monotonic() < deadline, f"the operator does not start:\n{self.tail(20)}"
            await asyncio.sleep(_POLL_SECONDS)

    def end(self) -> None:
        """Kill it if it lives: what it would still write is thrown away."""
        if self.alive:
            self.kill()

    def events(self, name: str) -> list[tuple[float, dict[str, Any]]]:
        """Return the lines of the log about one sort of event, with their time (seconds since 1970)."""
        lines = (line for line in self.lines() if line.get("event") == name)
        return [(datetime.fromisoformat(line["timestamp"]).timestamp(), line) for line in lines]

    def steps(self) -> dict[str, tuple[float, float]]:
        """Return how often each step of a cycle was taken, and the seconds that it took in all."""
        name, found = "batchyard_cycle_step_seconds", self.metrics()
        counts = {labels["step"]: value for key, labels, value in found if key == f"{name}_count"}
        sums = {labels["step"]: value for key, labels, value in found if key == f"{name}_sum"}
        return {step: (counts[step], sums[step]) for step in counts}
