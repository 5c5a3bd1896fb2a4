"""How an attempt ended, read from its final pod: a stable reason, AWS's words for it, and whose fault it was."""

from __future__ import annotations

from dataclasses import dataclass

from batchyard.decide import essential
from batchyard.world.refusers import REFUSED
from batchyard.world.views import Container, Pod

# The kubelet refused the pod or put it out; nothing the user's program did.
_REJECTED = REFUSED | {"NodeShutdown", "Terminated", "Preempting", "Shutdown", "NodeLost", "Evicted"}
_KILLED = 137  # by SIGKILL
_CANNOT_START = frozenset({"StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"})

# Our reason -> (AWS container reason, AWS status reason): what evaluateOnExit patterns written for AWS match.
AWS_NAMES: dict[str, tuple[str, str]] = {
    "Completed": ("", "Essential container in task exited"),
    "Error": ("", "Essential container in task exited"),
    "OutOfMemory": ("OutOfMemoryError: Container killed due to memory usage", "Essential container in task exited"),
    "CannotPullContainer": ("CannotPullContainerError", "Task failed to start"),
    "CannotStartContainer": ("CannotStartContainerError", "Task failed to start"),
    "TimedOut": ("", "Job attempt duration exceeded timeout"),
    "Terminated": ("", "Terminated by user"),
    "Interrupted": ("", "Host EC2 (spot reclaim) terminated."),
    "NodeReplaced": ("", "Host EC2 (infrastructure update) terminated."),
    "NodeLost": ("", "Host EC2 (node lost) terminated."),
    "PodDeleted": ("", "Host EC2 (pod deleted) terminated."),
    "PodRejected": ("", "Host EC2 (pod rejected) terminated."),
}
SENT_AWAY = frozenset(
    {"Interrupted", "NodeReplaced"}
)  # the node goes, by a reclaim or an update, and pods are told to end
INFRASTRUCTURE = SENT_AWAY | frozenset({"NodeLost", "PodDeleted", "PodRejected"})
CLOCKS_DIFFER = 5.0  # seconds by which those of a node and of the operator may
NEVER_RETRIED = frozenset({"TimedOut", "Terminated"})


@dataclass(frozen=True, slots=True)
class End:
    """The end of one attempt; times are unix seconds."""

    reason: str
    message: str
    exit_code: int | None = None
    container: str | None = None
    started: float | None = None
    stopped: float | None = None

    @property
    def success(self) -> bool:
        """Say whether the program did its work."""
        return self.reason == "Completed"

    @property
    def counted(self) -> bool:
        """Say whether it uses up one of retry.attempts; infrastructure's faults do not."""
        return self.reason not in INFRASTRUCTURE


def judge(pod: Pod) -> End:
    """Return how a final pod ended; the first rule that knows an answer wins."""
    reason, message, culprit = _verdict(pod)
    starts = [container.started for container in pod.containers if container.started and pod.matters(container)]
    # A sidecar ends last, and until then the pod has its place on the node.
    last = [container for container in pod.containers if container.sidecar or not container.init]
    ends = [container.finished for container in last if container.finished]
    return End(
        reason=reason,
        message=message,
        exit_code=culprit.exit_code if culprit else None,
        container=culprit.name if culprit else None,
        started=min(starts) if starts else None,
        stopped=max(ends) if ends else None,
    )


def _verdict(pod: Pod) -> tuple[str, str, Container | None]:
    failed = essential.culprit(pod)
    if pod.phase == "Succeeded" and not _cut_short(pod):
        return "Completed", "", next((c for c in pod.containers if pod.matters(c)), None)
    if essential.stopped_for_it(pod):
        return _by_essential(pod, failed)
    if pod.stop is not None:
        culprit = failed if failed and failed.exit_code is not None else None
        return pod.stop.reason, _last_words(culprit, pod.stop.message) if culprit else pod.stop.message, culprit
    if pod.gone:
        return ("Interrupted" if pod.disrupted else "NodeLost"), _lost(pod), None
    if pod.disrupted:
        return (
            "Interrupted",
            f"the pod was put off node {pod.node} ({pod.disrupted}): {pod.message}".rstrip(": "),
            failed,
        )
    if pod.reason in _REJECTED:
        return "PodRejected", f"node {pod.node} refused the pod: {pod.reason}: {pod.message}", None
    if pod.reason == "DeadlineExceeded":
        return "TimedOut", f"the template's activeDeadlineSeconds has passed: {pod.message}", failed
    if pod.deleting is not None and not (failed is not None and failed.reason == "OOMKilled"):
        return "PodDeleted", f"the pod was deleted from outside while it ran on node {pod.node}", failed
    return _by_essential(pod, failed)


def _cut_short(pod: Pod) -> bool:
    """Say whether a program exited with 0 because it was told to end, with its node: then it is not done (ADR 38).

    Of one that had ended well before nobody thinks so; the clocks of node and operator may differ.
    """
    told = _sent_away_at(pod)
    if told is None or pod.deleting is None:
        return False
    ends = [container.finished for container in pod.containers if container.finished and not container.init]
    return max(ends, default=told) >= told - CLOCKS_DIFFER


def _sent_away_at(pod: Pod) -> float | None:
    """Return when we, or whoever drains its node, had the pod go; None if nobody did."""
    if pod.stop is not None:
        return pod.stop.at if pod.stop.reason in SENT_AWAY else None
    return pod.disrupted_at


def _by_essential(pod: Pod, failed: Container | None) -> tuple[str, str, Container | None]:
    """The containers that matter have ended by themselves: their exit codes decide."""
    if failed is None and (done := essential.succeeded(pod)):
        return "Completed", essential.others(pod), done
    if failed is None:
        return "Error", pod.message or pod.reason or "the pod failed without saying why", None
    if failed.reason == "OOMKilled":
        return "OutOfMemory", _last_words(failed, f"container {failed.name!r} was killed: out of memory"), failed
    if failed.reason == "ContainerStatusUnknown":
        return "NodeLost", f"node {pod.node} lost container {failed.name!r}: {failed.message}", failed
    if failed.reason in _CANNOT_START:
        return "CannotStartContainer", f"container {failed.name!r} did not start: {failed.message}", failed
    if failed.exit_code == _KILLED:  # containers are seen to end before the kernel's word on why has come
        sentence = (
            f"container {failed.name!r} was killed though nobody asked for that: most likely it ran out of memory"
        )
        return "OutOfMemory", _last_words(failed, sentence), failed
    return "Error", _last_words(failed, f"container {failed.name!r} exited with code {failed.exit_code}"), failed


def _last_words(container: Container, sentence: str) -> str:
    words = container.message.strip()
    return f"{sentence}: {words[-1000:]}" if words else sentence


def _lost(pod: Pod) -> str:
    where = f" with node {pod.node}" if pod.node else ""
    return f"the pod vanished{where} before it had ended"
