"""What users write in specs, as plain structs; validated by the API server's schema before it gets here."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec


class Stop(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """The user's wish that a job ends: Cancel if not started, Terminate in any case; `indexes` of an array only."""

    mode: str
    reason: str = ""
    indexes: str | None = None


class Array(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """`spec.array`: `indexes` restricts which children run; `tolerate_failures` is a number or a percentage."""

    size: int
    indexes: str | None = None
    max_concurrent: int | None = None
    tolerate_failures: int | str = 0


class NodeGroup(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """One group of a multi-node job: a range of node indexes `a:b` and what these run."""

    nodes: str
    template: dict[str, Any] | None = None


class MultiNode(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """`spec.multiNode` of a job or a definition."""

    nodes: int | None = None
    main_node: int = 0
    groups: tuple[NodeGroup, ...] = ()


class Dependency(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """One entry of `spec.dependsOn`; without `job` it is `array: Sequential`."""

    job: str | None = None
    array: str | None = None
    when: str = "Succeeded"


class Take(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """One entry of `spec.consumables`: how much of which ConsumableResource."""

    name: str
    quantity: int = 1


class ContainerDependency(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """What another container must have done before one starts: Start, Success or Complete."""

    name: str
    condition: str = "Start"


class ContainerRule(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """One entry of `spec.containers`: a container of the template, and when it starts and matters."""

    name: str
    essential: bool = True
    depends_on: tuple[ContainerDependency, ...] = ()


class ExitRule(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """One entry of evaluateOnExit: all conditions given must match."""

    action: str
    on_status_reason: str | None = None
    on_reason: str | None = None
    on_exit_code: str | None = None


class Backoff(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """Seconds before the next attempt: doubled from initial to max."""

    initial_seconds: int = 0
    max_seconds: int = 300


class OnOutOfMemory(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """How much memory the next attempt gets after an OOM kill."""

    memory_factor: str = "2"
    max_memory: str | None = None


class Retry(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """`spec.retry` of a job or a definition."""

    attempts: int = 1
    evaluate_on_exit: tuple[ExitRule, ...] = ()
    backoff: Backoff | None = None
    on_out_of_memory: OnOutOfMemory | None = None
    avoid_failed_nodes: bool = True


class Timeout(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """`spec.timeout`; counted from the attempt's own start."""

    attempt_duration_seconds: int | None = None


class DefinitionRef(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """Which definition a job is made from; no revision means the newest at submission."""

    name: str
    revision: int | None = None


class Checkpoint(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """`spec.checkpoint` of a job or a definition; with neither claim nor size there is no volume."""

    claim_name: str | None = None
    size: str | int | None = None
    storage_class_name: str | None = None
    access_mode: str = "ReadWriteOnce"
    mount_path: str = "/checkpoint"


class JobSpec(msgspec.Struct, frozen=True, rename="camel", kw_only=True, weakref=True):
    """A job's spec as the API server validated it; jobs that say the same have one and the same (world/alike.py)."""

    queue: str
    definition: DefinitionRef | None = None
    template: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None
    overrides: dict[str, Any] | None = None
    retry: Retry | None = None
    timeout: Timeout | None = None
    priority: int | None = None
    capacity_type: str = "Any"
    deadline_seconds: int | None = None
    stop: Stop | None = None
    ttl_seconds_after_finished: int | None = 604800
    array: Array | None = None
    multi_node: MultiNode | None = None
    depends_on: tuple[Dependency, ...] = ()
    share: str | None = None
    consumables: tuple[Take, ...] = ()
    containers: tuple[ContainerRule, ...] = ()
    checkpoint: Checkpoint | None = None


class Parameter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One declared parameter of a definition."""

    type: str = "String"
    default: Any = None
    enum: tuple[Any, ...] | None = None
    required: bool = False


class Blueprint(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """What one revision of a definition says."""

    template: dict[str, Any] = {}
    parameters: dict[str, Parameter] = {}
    retry: Retry | None = None
    timeout: Timeout | None = None
    priority: int | None = None
    multi_node: MultiNode | None = None
    consumables: tuple[Take, ...] = ()
    containers: tuple[ContainerRule, ...] = ()
    checkpoint: Checkpoint | None = None


class TimeLimit(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """One entry of `spec.stateTimeLimits`: how long the head may wait for one and the same reason."""

    reason: str
    max_seconds: int
    action: str = "Cancel"


class SpotFirst(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """`spec.spot` of a queue: how long a job waits for spot, and how often it may lose its node there."""

    max_wait_seconds: int | None = None
    max_interruptions: int | None = None


class Budget(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """`spec.budget` of a queue or one of its `spec.shareBudgets`: how much money within how long, and what then.

    `share` is empty for the whole queue, else a share or a beginning with `*`.
    """

    amount: Decimal
    window_seconds: int
    on_exceeded: str = "Hold"
    share: str = ""

    def covers(self, share: str) -> bool:
        """Say whether Jobs of a share, empty for those that name none, spend of it."""
        if not self.share.endswith("*"):
            return self.share in ("", share)
        return bool(share) and share.startswith(self.share[:-1])
