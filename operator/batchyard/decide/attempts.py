"""The attempts of a job that have ended: those on record, and those whose pods have since become final."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from batchyard.decide.outcome import End, judge
from batchyard.decide.price import at_price, cost
from batchyard.model.labels import INSTANCE_TYPE
from batchyard.model.machine import Shape
from batchyard.world.parse import moment, rfc3339
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Job, Pod


def ended_attempts(store: Store, job: Job, pods: Iterable[Pod]) -> tuple[Attempt, ...]:
    """Return all ended attempts by number.

    An attempt on record as started whose pod is nowhere was lost with its node: infrastructure's fault.
    """
    known = {attempt.number: attempt for attempt in job.status.attempts}
    present = set()
    for pod in pods:
        present.add(pod.attempt)
        recorded = known.get(pod.attempt)
        if pod.final and not (recorded and recorded.ended):
            known[pod.attempt] = close(store, pod, recorded)
    for number, attempt in known.items():
        if not attempt.ended and number not in present:
            known[number] = _lost(attempt)
    return tuple(known[number] for number in sorted(known) if known[number].ended)


def open_attempt(store: Store, pod: Pod, known_type: str = "") -> Attempt:
    """Return the record of an attempt that runs."""
    shape, capacity_type = node_price(store, pod, known_type)
    started = pod.running_since
    return Attempt(
        number=pod.attempt,
        pod=pod.name,
        node=pod.node,
        compute_environment=pod.environment,
        instance_type=shape.name if shape else "",
        capacity_type=capacity_type,
        started_at=rfc3339(started) if started else None,
    )


def close(store: Store, pod: Pod, recorded: Attempt | None) -> Attempt:
    """Return the record of an attempt that ended; what was recorded while its node lived is kept."""
    end = judge(pod)
    known_type = recorded.instance_type if recorded else ""
    opened = open_attempt(store, pod, known_type)
    shape, _ = node_price(store, pod, known_type)
    started = pod.running_since or end.started
    return Attempt(
        number=pod.attempt,
        pod=pod.name,
        node=pod.node,
        compute_environment=pod.environment,
        instance_type=opened.instance_type or known_type,
        capacity_type=opened.capacity_type or (recorded.capacity_type if recorded else ""),
        started_at=rfc3339(started) if started else (recorded.started_at if recorded else None),
        stopped_at=rfc3339(stopped(pod, end)),
        exit_code=end.exit_code,
        reason=end.reason,
        message=end.message[:2000] or None,
        container=end.container if not end.success else None,
        counted=end.counted,
        cost=_with_workers(store, pod, stopped(pod, end), _cost(shape, opened.capacity_type, pod, end)),
    )


def stopped(pod: Pod, end: End) -> float:
    """Return the program's own end; for a pod without one the last time that the API server saw it alive."""
    return end.stopped or pod.deleting or (pod.stop.at if pod.stop else None) or end.started or pod.created


def _cost(shape: Shape | None, capacity_type: str, pod: Pod, end: End) -> str | None:
    if shape is None:
        return None
    return cost(shape, capacity_type, pod.requests, stopped(pod, end) - end.started if end.started else None)


def _with_workers(store: Store, main: Pod, stopped: float, own: str | None) -> str | None:
    """Return the cost of all nodes of a multi-node attempt, which its main node's end stops."""
    if not main.gang:
        return own
    costs = [Decimal(own)] if own is not None else []
    for pod in store.pods_of.get(main.job, {}).values():
        shape, capacity_type = node_price(store, pod)
        if pod.worker and pod.attempt == main.attempt and shape is not None:
            starts = [container.started for container in pod.containers if container.started]
            ends = [container.finished for container in pod.containers if container.finished and pod.final]
            seconds = min(max(ends, default=stopped), stopped) - min(starts) if starts else None
            costs.append(Decimal(cost(shape, capacity_type, pod.requests, seconds)))
    return str(sum(costs, Decimal(0))) if costs else None


def _lost(attempt: Attempt) -> Attempt:
    return Attempt(
        number=attempt.number, pod=attempt.pod, node=attempt.node, compute_environment=attempt.compute_environment,
        instance_type=attempt.instance_type, capacity_type=attempt.capacity_type, started_at=attempt.started_at,
        stopped_at=attempt.started_at, reason="NodeLost", counted=False,
        message=f"pod {attempt.pod} vanished with node {attempt.node or 'unknown'} while no operator was watching",
    )  # fmt: skip


def node_price(store: Store, pod: Pod, known_type: str = "") -> tuple[Shape | None, str]:
    """Return the shape and capacity type of a pod's node, as far as they are known or were when it still lived.

    The shape has the price that the node was launched at, where that was the provider's.
    """
    environment = store.environments.get(pod.environment)
    if environment is None:
        return None, ""
    if not environment.managed:
        return None, environment.capacity_type
    node, machine = store.nodes.get(pod.node), store.machines.get(pod.node)
    label = node.labels.get(INSTANCE_TYPE) if node else store.former_types.get(pod.node)
    name = machine.instance_type if machine else label or known_type
    shape = next((shape for shape in environment.shapes if shape.name == name), None)
    its_own = (machine.price_per_hour if machine else "") or store.paid.get(pod.node, "")
    return at_price(shape, its_own) if shape is not None and its_own else shape, environment.capacity_type


def started_at(attempts: Iterable[Attempt]) -> float | None:
    """Return when the first attempt that ran started."""
    starts = [moment(attempt.started_at) for attempt in attempts if attempt.started_at]
    return min((start for start in starts if start is not None), default=None)
