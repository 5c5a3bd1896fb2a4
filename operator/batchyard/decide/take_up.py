"""Nodes that are Ready and take up no pods: only when such a machine is gone is it certain that nothing runs there."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from batchyard.decide.cycle import Cycle

# A kubelet acknowledges a pod within a second or two, whatever its image and volumes take. Longer than a watch may be
# silent before all is listed anew (70 s, kube/watch.py): else a node is blamed for what we did not hear.
TAKE_UP_SECONDS = 120.0


def ignores(cycle: Cycle, node: str) -> str:
    """Return how a Ready node fails to take up a pod, in words that follow its name; "" if it does not.

    The pod waits from when a decision first had it in view: clocks may differ, and only ours counts.
    """
    since = waits(cycle).get(node)
    if since is None:
        return ""
    cycle.plan.wake_at(since + TAKE_UP_SECONDS)
    return f"has not taken up a pod for {TAKE_UP_SECONDS:g} s" if cycle.now >= since + TAKE_UP_SECONDS else ""


def waits(cycle: Cycle) -> Mapping[str, float]:
    """Return since when a pod waits for each node's kubelet."""
    if cycle.ignored is None:
        store, cycle.ignored = cycle.store, {}
        for where, since in store.unseen.items():
            if since == inf:
                store.unseen[where] = since = cycle.now
            node = store.pods[where].node if where in store.pods else ""
            cycle.ignored[node] = min(since, cycle.ignored.get(node, inf))
    return cycle.ignored
