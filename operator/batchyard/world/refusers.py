"""Nodes whose kubelet refuses pods: how many in a row; a pod that starts makes up for all before it."""

from __future__ import annotations

from batchyard.world.views import Pod

# Said by the kubelet of a pod before any container of it starts; to be put out later (Evicted) is not meant.
REFUSED = frozenset(
    {
        "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "NodeAffinity", "NodePorts",
        "UnexpectedAdmissionError", "AppArmor",
    }
)  # fmt: skip


class Refusers(dict[str, dict[str, tuple[float, str]]]):
    """By node: the pods that it refused since one of ours started there, by uid, with their creation and the reason."""

    def hear(self, pod: Pod) -> None:
        """Take in a pod of ours that has ended."""
        if any(container.started for container in pod.containers):
            self.pop(pod.node, None)
        elif pod.phase == "Failed" and pod.reason in REFUSED:
            self.setdefault(pod.node, {})[pod.uid] = (pod.created, f"{pod.reason}: {pod.message}")
