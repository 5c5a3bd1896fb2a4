"""The objects that a job waits for, as they are now: jobs, licences, the queue."""

from __future__ import annotations

from collections.abc import Iterator

from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.progress import counts
from batchyard.cli.words import name, phase

_DEPENDS = ("WaitingForDependencies", "DependencyNotFound", "DependencyCycle", "DependencyFailed")


def blockers(cluster: Cluster, job: Body, reason: str) -> list[str]:
    """Return a line for each object behind the reason; nothing for what may not be read."""
    if reason in _DEPENDS:
        return list(_jobs(cluster, job))
    if reason.startswith("Consumable"):
        return list(_consumables(cluster, job))
    if reason.startswith("Queue") or reason == "MaxRunningJobs":
        return list(_queue(cluster, job))
    return []


def _jobs(cluster: Cluster, job: Body) -> Iterator[str]:
    for entry in job["spec"].get("dependsOn") or ():
        if not entry.get("job"):
            continue
        other = cluster.find("Job", entry["job"], job["metadata"]["namespace"])
        how = "child by child" if entry.get("array") else f"to have {_done(entry.get('when', 'Succeeded'))}"
        count = counts(other) if other else ""
        now = f"{phase(other)}{count and f' {count}'}" if other else "not there"
        yield f"job {entry['job']} {how}: {now}"


def _done(when: str) -> str:
    return {"Succeeded": "succeeded", "Failed": "failed"}.get(when, "ended either way")


def _consumables(cluster: Cluster, job: Body) -> Iterator[str]:
    for entry in _taken(cluster, job):
        resource = cluster.find("ConsumableResource", entry["name"])
        wants = f"{entry.get('quantity', 1)} of {entry['name']}"
        if resource is None:
            yield f"{wants}: not there"
            continue
        status = resource.get("status") or {}
        holders = ", ".join(f"{held['job']} {held['quantity']}" for held in status.get("holders") or ())
        free = f"{status.get('available', '?')} of {resource['spec'].get('total')} available"
        yield f"{wants}: {free}" + (f", held by {holders}" if holders else "")


def _taken(cluster: Cluster, job: Body) -> list[Body]:
    """Return what the job takes: its definition's list with its own entries over it."""
    reference = job["spec"].get("definition")
    found = cluster.find("JobDefinition", reference["name"], job["metadata"]["namespace"]) if reference else None
    entries = [*((found or {}).get("spec", {}).get("consumables") or ()), *(job["spec"].get("consumables") or ())]
    return list({entry["name"]: entry for entry in entries}.values())


def _queue(cluster: Cluster, job: Body) -> Iterator[str]:
    queue = cluster.find("JobQueue", job["spec"]["queue"])
    if queue is None:
        yield f"queue {job['spec']['queue']}: not there"
        return
    state, status = queue["spec"].get("state", "Enabled"), queue.get("status") or {}
    running = (status.get("jobs") or {}).get("running", 0)
    limit = queue["spec"].get("maxRunningJobs")
    more = f", {running} running" + (f" of at most {limit}" if limit is not None else "")
    said = f": {status['message']}" if status.get("message") else ""
    yield f"queue {name(queue)}: {state}{more}{said}"
