"""Which containers decide about an attempt: all, or those that are essential, the first of them to end."""

from __future__ import annotations

from batchyard.world.views import Container, Pod

ENDED = "EssentialEnded"  # reason of the order to stop what still runs; no failure


def first_end(pod: Pod) -> Container | None:
    """Return the essential container that ended first, None before; of several in one second one that failed.

    A kubelet tells whole seconds, and the operator may have looked later than any: so only the node's own clock counts.
    """
    ended = [c for c in pod.containers if c.name in pod.essential and pod.matters(c) and c.state == "terminated"]
    return min(ended, key=lambda c: (c.finished or 0.0, c.exit_code == 0), default=None)


def rest(pod: Pod) -> str | None:
    """Return a sentence when containers run on though an essential one has ended; sidecars end by themselves.

    Nothing is said of a pod that the cluster is putting off its node: there every container is made to end.
    """
    ended = first_end(pod)
    if ended is None or pod.disrupted or all(c.init or c.state == "terminated" for c in pod.containers):
        return None
    return f"essential container {ended.name!r} has ended with code {ended.exit_code}"


def stopped_for_it(pod: Pod) -> bool:
    """Say whether we stopped a pod for no other reason than that its work was done, or had failed."""
    return pod.stop is not None and pod.stop.reason == ENDED


def culprit(pod: Pod) -> Container | None:
    """Return the container that made the attempt fail: one killed for memory, else the first that failed."""
    if stopped_for_it(pod):
        first = first_end(pod)
        return first if first is not None and first.exit_code != 0 else None
    to_blame = [c for c in pod.containers if (c.init and not c.sidecar) or pod.matters(c)]
    failed = [c for c in to_blame if c.state == "terminated" and c.exit_code != 0]
    return min(failed, key=lambda c: (c.reason != "OOMKilled", c.finished or 0.0), default=None)


def succeeded(pod: Pod) -> Container | None:
    """Return the container that shows that the work is done although the pod has not succeeded, None if none does."""
    if stopped_for_it(pod):
        first = first_end(pod)
        return first if first is not None and first.exit_code == 0 else None
    essential = [c for c in pod.containers if c.name in pod.essential and pod.matters(c)]
    done = len(essential) == len(pod.essential) and all(c.exit_code == 0 for c in essential)
    return first_end(pod) if essential and done else None


def others(pod: Pod) -> str:
    """Return what became of containers that do not matter and failed by themselves, empty if none did."""
    first = first_end(pod)
    until = first.finished if first is not None and stopped_for_it(pod) else None
    failed = [
        f"{c.name!r} exited with code {c.exit_code}"
        for c in pod.containers
        if c.exit_code and not c.init and not pod.matters(c) and (until is None or (c.finished or 0.0) < until)
    ]
    return f"not essential: container {', '.join(failed)}" if failed else ""
