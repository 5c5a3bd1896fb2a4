"""An operator between a law and its own cluster, kept alive, and what must be true when it is over."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from cluster.lab import Lab
from cluster.operator_process import REQUESTS, Operator
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, short, simulated
from crash.keeper import Keeper
from crash.own_cluster import OwnCluster
from crash.proxy import Proxy, undisturbed
from crash.witness import Witness

LIMIT = 300.0
FULL = Path("/dev/full")  # each write fails: no space left on device


class Diskless(Operator):
    """Can write nowhere: not its output, no temporary file, nothing at home."""

    def launch(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self.settings |= {"BATCHYARD_PORT": str(self.port), "TMPDIR": str(FULL), "HOME": str(FULL)}
        log, self.log = self.log, FULL
        try:
            super().launch()
        finally:
            self.log = log

    def _runs(self) -> bool:
        assert self.alive
        with suppress(OSError):
            return self.page("/readyz")[0] == 200
        return False


@dataclass
class Trial:
    """Everything that a test of faults has."""

    cluster: OwnCluster
    lab: Lab
    proxy: Proxy
    keeper: Keeper
    witness: Witness
    expected: tuple[str, ...] = ()  # words of complaints that are what the test is about

    def pool(self, name: str, vcpus: int, **more: Any) -> None:
        """Make an environment with nodes of two vCPUs and its queue."""
        self.lab.environment(name, managed("simulated", [shape(2)], vcpus, **{"scaleDownDelaySeconds": 1, **more}))
        self.lab.queue(name, name)

    def submit(self, queue: str, count: int, milliseconds: int = 100, prefix: str = "j") -> list[str]:
        return [
            self.lab.job(f"{prefix}{number}", queue, template=simulated(milliseconds, cpu="500m", memory="256Mi"))
            for number in range(count)
        ]

    def lives(self, number: int) -> None:
        """Wait until the operator has been started so often and decides."""
        until(lambda: self._begun() >= number, 60, self.story)

    def _begun(self) -> int:
        return sum(1 for line in self.lab.operator.lines() if line.get("event") == "operator runs")

    def failed_writes(self) -> float:
        """How many requests the operator was answered with a 5xx."""
        samples = self.lab.operator.metrics()
        return sum(v for name, labels, v in samples if name == REQUESTS and labels["code"].startswith("5"))

    def phases(self) -> Counter[str]:
        jobs = self.lab.api.list("Job", self.lab.namespace)
        return Counter((job.get("status") or {}).get("phase", "") for job in jobs)

    def all_end(self, seconds: float = LIMIT) -> None:
        """Wait until each job of the namespace has ended."""
        until(lambda: not self.phases().keys() - {"Succeeded", "Failed"}, seconds, self.story)

    def once_each(self, names: list[str]) -> None:
        """Each job has succeeded with its first and only pod; each pod is on record by its uid."""
        self.all_end()
        jobs = {job["metadata"]["name"]: job for job in self.lab.api.list("Job", self.lab.namespace)}
        assert sorted(jobs) == sorted(names), "lost"
        for name, job in jobs.items():
            assert job["status"]["phase"] == "Succeeded", f"{name}: {short(job)}"
            runs = self.witness.of(job["metadata"]["uid"])
            assert [run.attempt for run in runs] == [1], f"{name}: {runs}"
            paid(job)
        self.nothing_twice()

    def nothing_twice(self) -> None:
        assert self.witness.twice() == []
        assert self.witness.wrongs == []

    def pools_are_as_told(self, *names: str) -> None:
        """The machines of each pool are those that its status tells of."""
        for name in names:
            until(lambda name=name: self._told(name) == len(self.lab.nodes(name)), 30, lambda: self.story())  # type: ignore[misc]

    def _told(self, name: str) -> int:
        return sum(self.lab.status("ComputeEnvironment", name).get("nodes", {}).get(s, 0) for s in _STATES)

    def all_retired(self, *names: str) -> None:
        """No machine is left, and the status says so."""
        until(lambda: not any(self.lab.nodes(name) for name in names), 90, self.story)
        until(lambda: not any(self._told(name) for name in names), 30, self.story)

    def story(self) -> str:
        """For the message of a failure."""
        waits = [
            f"{job['metadata']['name']}: {short(job)[:600]}"
            for job in self.lab.api.list("Job", self.lab.namespace)
            if (job.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]
        nodes = [node["metadata"]["name"] for node in self.lab.api.list("Node")]
        lines = "\n".join(waits[:5])
        return f"{self.phases()}, nodes {nodes}, ends {self.keeper.ends}\n{lines}\n{self.lab.operator.tail(40)}"


_STATES = ("launching", "ready", "draining")


def paid(job: Body) -> None:
    """A job costs what its attempts cost."""
    cost = job["status"].get("cost") or {}
    parts = [Decimal(attempt["cost"]) for attempt in job["status"].get("attempts", ()) if attempt.get("cost")]
    assert abs(Decimal(cost.get("amount", "0")) - sum(parts)) < Decimal("0.0002"), short(job)


@contextmanager
def trial_on(cluster: OwnCluster, folder: Path, kind: type[Operator] = Operator, **settings: str) -> Iterator[Trial]:
    """An operator that is started by the test; afterwards nothing is left and nothing was complained about."""
    proxy = Proxy(cluster.api.host, cluster.api.authority())
    rights = cluster.rights_by(proxy.start(), folder / "kubeconfig")
    operator = kind(rights, folder / "operator.log", {"BATCHYARD_DOCKER": "false", **settings})
    witness = Witness(cluster.api)
    witness.start()
    lab = Lab(cluster.api, f"k{uuid4().hex[:5]}", operator, witness, "")
    keeper, starts = Keeper(operator), cluster.starts
    try:
        lab.namespace = lab.new_namespace("jobs")
        trial = Trial(cluster, lab, proxy, keeper, witness)
        yield trial
        proxy.law = undisturbed
        keeper.stop()
        if not operator.alive:
            operator.launch()
        lab.clear()
        assert cluster.api.list("Node", labelSelector="batchyard.dev/compute-environment") == []
    finally:
        keeper.stop()
        if operator.alive:
            operator.kill()
        witness.stop()
        proxy.stop()
    wrong = complaints(operator, trial.expected, restarted=cluster.starts > starts)
    assert not wrong, "\n".join(wrong)


def complaints(operator: Operator, expected: tuple[str, ...] = (), *, restarted: bool) -> list[str]:
    """What no run may say; an API server that has just started knows of no rights yet, and refuses everything."""
    allowed = (*expected, "is forbidden: User") if restarted else expected
    return [line for line in operator.complaints() if not any(words in line for words in allowed)]
