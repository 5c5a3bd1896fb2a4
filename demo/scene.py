"""What the cluster shows of the demo at one moment: its jobs and its nodes, slim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.kubectl import Kubectl

ENVIRONMENT = "batchyard.dev/compute-environment"
FINAL = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a job."""

    number: int
    pod: str
    node: str
    environment: str
    capacity_type: str
    reason: str
    message: str
    counted: bool
    cost: Decimal
    seconds: float | None
    started: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its status tells."""

    name: str
    phase: str
    reason: str
    message: str
    cost: Decimal
    attempts: tuple[Attempt, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it will not run again."""
        return self.phase in FINAL

    @property
    def latest(self) -> Attempt | None:
        """The attempt that runs, or ran last."""
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the demo's environments."""

    name: str
    environment: str
    state: str


@dataclass(frozen=True, slots=True)
class Scene:
    """All jobs and nodes by name."""

    jobs: Mapping[str, Job] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)

    @property
    def cost(self) -> Decimal:
        """What all jobs have cost so far."""
        return sum((job.cost for job in self.jobs.values()), Decimal(0))

    @property
    def wasted(self) -> Decimal:
        """What the attempts have cost that did not succeed."""
        attempts = (attempt for job in self.jobs.values() for attempt in job.attempts)
        return sum((attempt.cost for attempt in attempts if attempt.reason != "Completed"), Decimal(0))

    @property
    def over_at(self) -> datetime:
        """When the last attempt ended."""
        attempts = (attempt for job in self.jobs.values() for attempt in job.attempts)
        ends = (each.started + timedelta(seconds=each.seconds or 0) for each in attempts if each.started)
        return max(ends, default=datetime.now(UTC))

    def has(self, name: str, *phases: str) -> bool:
        """Whether a job is there and in one of the phases."""
        return name in self.jobs and self.jobs[name].phase in phases


def look(kubectl: Kubectl, environments: frozenset[str]) -> Scene:
    """Read jobs and nodes in one go."""
    found = kubectl.items("batchjobs,nodes")
    jobs = [job(item) for item in found if item["kind"] == "Job"]
    nodes = [node(item) for item in found if item["kind"] == "Node"]
    return Scene(
        jobs={entry.name: entry for entry in jobs},
        nodes={entry.name: entry for entry in nodes if entry.environment in environments},
    )


def job(item: Mapping[str, Any]) -> Job:
    """Read a Job."""
    status = item.get("status") or {}
    return Job(
        name=item["metadata"]["name"],
        phase=status.get("phase") or "Submitted",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        cost=Decimal((status.get("cost") or {}).get("amount") or 0),
        attempts=tuple(_attempt(entry) for entry in status.get("attempts") or ()),
    )


def node(item: Mapping[str, Any]) -> Node:
    """Read a Node; a taint of ours tells more than its readiness."""
    conditions = {entry["type"]: entry["status"] for entry in item.get("status", {}).get("conditions") or ()}
    taints = {taint["key"] for taint in item["spec"].get("taints") or ()}
    state = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    if "batchyard.dev/interrupted" in taints:
        state = "Interrupted"
    labels = item["metadata"].get("labels") or {}
    return Node(name=item["metadata"]["name"], environment=labels.get(ENVIRONMENT, ""), state=state)


def _attempt(entry: Mapping[str, Any]) -> Attempt:
    started, stopped = _moment(entry.get("startedAt")), _moment(entry.get("stoppedAt"))
    return Attempt(
        number=entry["number"],
        pod=entry.get("pod", ""),
        node=entry.get("node", ""),
        environment=entry.get("computeEnvironment", ""),
        capacity_type=entry.get("capacityType") or "",
        reason=entry.get("reason", ""),
        message=entry.get("message", ""),
        counted=entry.get("counted", True),
        cost=Decimal(entry.get("cost") or 0),
        seconds=(stopped - started).total_seconds() if started and stopped else None,
        started=started,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
