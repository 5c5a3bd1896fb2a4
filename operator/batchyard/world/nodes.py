"""From a node's JSON to its view."""

from __future__ import annotations

from batchyard.model import labels as names
from batchyard.model.machine import Taint
from batchyard.model.resources import read
from batchyard.world.parse import moment
from batchyard.world.raw import RawNode, common
from batchyard.world.views import Node


def node(raw: RawNode) -> Node:
    """Return the view of a node."""
    labels = raw.metadata.labels or {}
    ready = next((c for c in raw.status.conditions or () if c.type == "Ready"), None)
    return Node(
        **common(raw.metadata),
        labels=labels,
        taints=tuple(Taint(taint.key, taint.value, taint.effect) for taint in raw.spec.taints or ()),
        allocatable=read(raw.status.allocatable or {}),
        ready=ready is not None and ready.status == "True",
        ready_changed=(moment(ready.last_transition_time) if ready else None) or 0.0,
        unschedulable=raw.spec.unschedulable,
        environment=labels.get(names.ENVIRONMENT, ""),
    )
