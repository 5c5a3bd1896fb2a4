"""Many jobs of one pod on simulated nodes: CPU and writes of the operator a job; `make bench` has the rates."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass

from batchyard.kube.credentials import Credentials
from batchyard.kube.session import Session
from cluster.lab import Lab
from cluster.operator_process import REQUESTS
from cluster.rest import place, until
from cluster.specs_of_jobs import managed, shape, simulated

CPUS = 4  # of a node, and so many jobs run on it at once
WRITES = 3  # a job: its pod, one status on the way, one at the end
AT_ONCE = 16
_WRITES = ("create", "patch", "delete", "deletecollection", "update")


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    jobs: int
    seconds: float
    cpu_milliseconds: float
    written: dict[str, float]  # by resource, a job
    attempts: list[int]
    paths: Counter[str]  # what the statuses of a job said one after the other -> jobs
    median_writes: float  # a job: its pods and its statuses

    @property
    def writes(self) -> float:
        """What grows with the jobs; the statuses of queue and environment are written once a second at most."""
        return sum(count for resource, count in self.written.items() if resource.split("/")[0] in ("pods", "batchjobs"))

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs in {self.seconds:.1f} s: "
            f"{self.cpu_milliseconds:.2f} operator CPU-ms and {self.writes:.2f} operator writes per job ("
            + ", ".join(f"{resource} {count:.2f}" for resource, count in sorted(self.written.items()))
            + ")"
        )


def run(lab: Lab, jobs: int, nodes: int, seconds: float) -> Result:
    """Submit all jobs at once and wait for the last; the lab's operator runs already."""
    lab.environment("many", managed("simulated", [shape(CPUS)], nodes * CPUS, scaleDownDelaySeconds=60))
    lab.queue("many", "many")
    namespace = lab.new_namespace("many")
    cpu, written, began = lab.operator.cpu_seconds(), writes(lab), time.monotonic()
    submission = threading.Thread(target=lambda: asyncio.run(_submit(lab, namespace, jobs)), daemon=True)
    submission.start()
    until(lambda: _ended(lab) >= jobs, seconds, lambda: f"{_ended(lab)} of {jobs} jobs have ended")
    took = time.monotonic() - began
    submission.join()
    cpu, written = lab.operator.cpu_seconds() - cpu, writes(lab) - written
    per_job = {resource: count / jobs for resource, count in written.items()}
    uids = [job["metadata"]["uid"] for job in lab.api.list("Job", namespace)]
    until(lambda: all(lab.recorder.of(uid) for uid in uids), 20)
    paths = Counter(" ".join(lab.recorder.statuses[uid]) for uid in uids)
    # The first status is the empty one that a job is submitted with.
    median = statistics.median(len(lab.recorder.statuses[uid]) - 1 + len(lab.recorder.of(uid)) for uid in uids)
    attempts = [len(lab.recorder.of(uid)) for uid in uids]
    return Result(jobs, took, cpu * 1000 / jobs, per_job, attempts, paths, median)


def writes(lab: Lab) -> Counter[str]:
    """Count what the operator has written by resource; nodes are the price of the pool, not of its jobs."""
    counts: Counter[str] = Counter()
    for name, labels, value in lab.operator.metrics():
        if name == REQUESTS and labels["verb"] in _WRITES and not labels["resource"].startswith("nodes"):
            counts[labels["resource"]] += int(value)
    return counts


async def _submit(lab: Lab, namespace: str, jobs: int) -> None:
    spec = {"queue": lab.named("many"), "template": simulated(cpu="1", memory="1Gi")}
    gate = asyncio.Semaphore(AT_ONCE)

    async def submit(session: Session, number: int) -> None:
        body = {"apiVersion": "batchyard.dev/v1alpha1", "kind": "Job", "metadata": {"name": f"j{number}"}, "spec": spec}
        async with gate:
            (await session.request("POST", place("Job", namespace), body=json.dumps(body).encode())).expect_ok()

    async with Session(Credentials.load(lab.api.kubeconfig)) as session:
        await asyncio.gather(*(submit(session, number) for number in range(jobs)))


def _ended(lab: Lab) -> int:
    """Count the ends that the API server told of; the operator is left in peace."""
    return list(lab.recorder.phases_of(lab.named("many"))).count("Succeeded")
