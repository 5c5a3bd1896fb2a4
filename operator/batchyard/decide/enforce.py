"""What a live pod must be told: time is up, the user wants it stopped, its node goes, its image never comes."""

from __future__ import annotations

from batchyard.decide import essential
from batchyard.decide.cycle import Cycle, Standing
from batchyard.decide.interrupt import must_end, node_trouble
from batchyard.decide.outcome import SENT_AWAY
from batchyard.decide.update import OUTDATED, replaced_at
from batchyard.model.plan import Remove, Stop, Verb
from batchyard.world.indexes import parse
from batchyard.world.specs import Stop as StopWish
from batchyard.world.views import Container, Pod, StopOrder

START_PATIENCE = 60.0  # seconds that a container may fail to start (image, ConfigMap) before the attempt fails
TOLD_SECONDS = 2.0  # from the notice in a pod's file until SIGTERM, where the node leaves that much time
STOP_PATIENCE = 60.0  # seconds after the grace period before a pod that does not stop is deleted
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


def enforce(cycle: Cycle, standing: Standing, pod: Pod, due: tuple[str, str] | None = None) -> tuple[Verb, ...]:
    """Return the stop or removal that the pod is due, or note when it will be due.

    `due` is why it must stop though nothing is wrong with it: a reason and a sentence.
    """
    if not pod.uid or pod.stopping or pod.removing:
        return ()  # the API server's answer to what we asked comes first
    if _dead_node(cycle, pod):
        return (Remove(pod.namespace, pod.name, pod.uid, grace=0),)
    if pod.stop is not None or pod.deleting is not None:
        return _insist(cycle, standing, pod)
    order = _stop_reason(cycle, standing, pod) or due
    return (_stop(cycle, pod, order),) if order is not None else ()


def _stop(cycle: Cycle, pod: Pod, order: tuple[str, str]) -> Stop | Remove:
    reason, message = order
    if pod.node and pod.acknowledged is not None:
        until = _until(cycle, pod) if reason in SENT_AWAY else None
        return Stop(pod.namespace, pod.name, pod.uid, reason, message, until, is_patient(pod, cycle.now, until))
    # No kubelet has seen it, so there is nothing that could obey a deadline.
    return Remove(pod.namespace, pod.name, pod.uid, reason=reason, message=message)


def _until(cycle: Cycle, pod: Pod) -> float:
    """Return when SIGKILL comes: with the end of the notice where that is known, else of the pod's own grace."""
    known = must_end(cycle.store, pod.node, cycle.now)
    return cycle.now + pod.grace if known is None else known


def _dead_node(cycle: Cycle, pod: Pod) -> bool:
    """A managed node whose object and machine are both gone runs nothing any more."""
    environment = cycle.store.environments.get(pod.environment)
    if not pod.node or pod.node in cycle.store.nodes or pod.node in cycle.store.machines:
        return False
    if environment is not None and not environment.managed:
        return False
    provider = environment.provider if environment else ""
    return cycle.store.observed_at.get(provider, 0.0) > pod.created


def _insist(cycle: Cycle, standing: Standing, pod: Pod) -> tuple[Verb, ...]:
    if pod.deleting is not None:
        return ()
    assert pod.stop is not None
    if is_patient(pod, pod.stop.at, pod.stop.until):
        return _end_in_time(cycle, standing, pod, pod.stop)
    due = pod.stop.at + pod.grace + STOP_PATIENCE
    if cycle.now >= due:
        return (Remove(pod.namespace, pod.name, pod.uid),)
    standing.until = min(standing.until, due)
    return ()


def _end_in_time(cycle: Cycle, standing: Standing, pod: Pod, stop: StopOrder) -> tuple[Verb, ...]:
    """Delete a pod whose node goes, with all the grace that is left: a deadline of its own allows no other grace.

    Only after a moment in which the kubelet writes into its file when the node goes: it does so while the pod lives.
    """
    assert stop.until is not None
    due = stop.at + TOLD_SECONDS
    if cycle.now < due:
        standing.until = min(standing.until, due)
        return ()
    return (Remove(pod.namespace, pod.name, pod.uid, grace=max(int(stop.until - cycle.now), 1)),)


def is_patient(pod: Pod, told: float, until: float | None) -> bool:
    """Say whether a pod has more time to end than its own grace period, from when it is told to when SIGKILL comes."""
    return until is not None and until - told > pod.grace + TOLD_SECONDS


def _concerns(stop: StopWish, pod: Pod) -> bool:
    """Say whether the user's wish is about this pod: it may name single children of an array."""
    if stop.indexes is None:
        return True
    try:
        return pod.index is not None and bool(parse(stop.indexes) >> pod.index & 1)
    except ValueError:
        return False  # told in the array's status


def _stop_reason(cycle: Cycle, standing: Standing, pod: Pod) -> tuple[str, str] | None:
    done = essential.rest(pod)
    if done is not None:
        return essential.ENDED, done  # before any other reason, for it came before it: the work is done or has failed
    stop = standing.job.spec.stop
    if stop is not None and stop.mode == "Terminate" and _concerns(stop, pod):
        return "Terminated", stop.reason or "terminated by the user"
    if pod.timeout is not None and pod.running_since is not None:
        due = pod.running_since + pod.timeout
        if cycle.now >= due:
            return "TimedOut", f"attempt {pod.attempt} ran longer than timeout.attemptDurationSeconds ({pod.timeout} s)"
        standing.until = min(standing.until, due)
    trouble = node_trouble(cycle.store, pod.node) if pod.node else None
    if trouble is not None:
        return "Interrupted", f"node {pod.node} {trouble}"
    ends = replaced_at(cycle.store, pod.node, cycle.now) if pod.node else None
    if ends is not None:
        if cycle.now >= ends:
            return "NodeReplaced", f"node {pod.node} {OUTDATED}"
        standing.until = min(standing.until, ends)
    return _stuck(cycle, standing, pod)


def _holds_up(pod: Pod, container: Container) -> bool:
    """Say whether a container fails to start that others, or the attempt, wait for."""
    if container.state != "waiting" or not (container.init or pod.matters(container)):
        return False
    # A sidecar is started again for ever, and what comes after it never is.
    crashes = container.sidecar and pod.running_since is None and container.reason == "CrashLoopBackOff"
    return crashes or container.reason in _PULL | _CONFIG


def _turn(pod: Pod) -> float:
    """Return since when the next container may start: what runs before it may take long."""
    before = [at for c in pod.containers if c.init for at in (c.started, c.finished) if at]
    return max([pod.acknowledged or pod.created, *before])


def _stuck(cycle: Cycle, standing: Standing, pod: Pod) -> tuple[str, str] | None:
    for container in pod.containers:
        if not _holds_up(pod, container):
            continue
        due = _turn(pod) + (0.0 if container.reason in _HOPELESS else START_PATIENCE)
        if cycle.now < due:
            standing.until = min(standing.until, due)
            continue
        token = "CannotPullContainer" if container.reason in _PULL else "CannotStartContainer"
        return token, f"container {container.name!r}: {container.reason}: {container.message}"
    return None
