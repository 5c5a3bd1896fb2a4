"""Pods and nodes as the watch brings them: decoded by msgspec, all but a few fields skipped."""

from __future__ import annotations

from typing import Any

import msgspec

from batchyard.world.parse import moment


class Owner(msgspec.Struct, rename="camel", gc=False):
    """Slim OwnerReference."""

    kind: str = ""
    api_version: str = ""
    uid: str = ""
    controller: bool | None = None


class Meta(msgspec.Struct, rename="camel", gc=False):
    """Slim ObjectMeta."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Owner] | None = None


class Claims(msgspec.Struct, gc=False):
    """Slim ResourceRequirements."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class RawContainer(msgspec.Struct, rename="camel", gc=False):
    """Slim Container."""

    name: str
    resources: Claims | None = None
    restart_policy: str | None = None


class PodSpec(msgspec.Struct, rename="camel", gc=False):
    """Slim PodSpec."""

    containers: list[RawContainer]
    node_name: str = ""
    init_containers: list[RawContainer] | None = None
    overhead: dict[str, str | int | float] | None = None
    resources: Claims | None = None
    termination_grace_period_seconds: int | None = None


class Running(msgspec.Struct, rename="camel", gc=False):
    """ContainerStateRunning."""

    started_at: str | None = None


class Waiting(msgspec.Struct, gc=False):
    """ContainerStateWaiting."""

    reason: str = ""
    message: str = ""


class Terminated(msgspec.Struct, rename="camel", gc=False):
    """ContainerStateTerminated."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class State(msgspec.Struct, gc=False):
    """ContainerState: at most one of the three."""

    running: Running | None = None
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, gc=False):
    """Slim ContainerStatus."""

    name: str
    state: State | None = None


class Condition(msgspec.Struct, rename="camel", gc=False):
    """Slim condition of a pod or node."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class PodStatus(msgspec.Struct, rename="camel", gc=False):
    """Slim PodStatus."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    start_time: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class RawPod(msgspec.Struct, gc=False):
    """A pod as the watch brings it."""

    metadata: Meta
    spec: PodSpec
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class RawTaint(msgspec.Struct, gc=False):
    """Slim taint."""

    key: str
    effect: str = ""
    value: str = ""


class NodeSpec(msgspec.Struct, gc=False):
    """Slim NodeSpec."""

    taints: list[RawTaint] | None = None
    unschedulable: bool = False


class NodeStatus(msgspec.Struct, gc=False):
    """Slim NodeStatus."""

    allocatable: dict[str, str] | None = None
    conditions: list[Condition] | None = None


class RawNode(msgspec.Struct, gc=False):
    """A node as the watch brings it."""

    metadata: Meta
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)


def common(meta: Meta) -> dict[str, Any]:
    """Return the fields that all views have."""
    return {
        "name": meta.name,
        "uid": meta.uid,
        "version": meta.resource_version,
        "created": moment(meta.creation_timestamp) or 0.0,
        "deleting": moment(meta.deletion_timestamp),
    }
