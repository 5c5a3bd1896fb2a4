"""Slim immutable views of the objects of the cluster; times are unix seconds, amounts integers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from batchyard.model.machine import Shape, Taint
from batchyard.model.offer import Entry
from batchyard.model.phase import Phase
from batchyard.model.resources import NOTHING, Resources
from batchyard.world.specs import Blueprint, Budget, JobSpec, SpotFirst, TimeLimit


class View(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all objects have; `version` is the resourceVersion of the API server."""

    name: str
    uid: str = ""
    version: str = ""
    created: float = 0.0
    deleting: float | None = None


class Attempt(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False, omit_defaults=True):
    """One entry of status.attempts; open while `stopped_at` is absent."""

    number: int
    pod: str = ""
    node: str = ""
    compute_environment: str = ""
    instance_type: str = ""
    capacity_type: str = ""
    started_at: str | None = None
    stopped_at: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    message: str | None = None
    container: str | None = None
    counted: bool | None = None
    cost: str | None = None
    index: int | None = None  # of an array's child

    @property
    def ended(self) -> bool:
        """Say whether the attempt is over."""
        return self.reason is not None


class Retried(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False, omit_defaults=True):
    """Children of an array that have ended attempts and are not finished: how many, and how many of them counted."""

    attempts: int
    counted: int = 0
    indexes: str = ""


class ArrayStatus(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False, omit_defaults=True):
    """`status.array`: sets of indexes as text (world/indexes.py), never one entry per child."""

    size: int = 0
    progress: str = ""
    counts: dict[str, int] = {}
    succeeded: str = ""
    failed: str = ""
    running: str = ""
    retried: tuple[Retried, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class JobStatus(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True, weakref=True):
    """What was last written of a job, but for `createdAt`: that would tell apart what is alike, and nobody reads it."""

    phase: Phase = Phase.Submitted
    reason: str | None = None
    message: str | None = None
    definition_revision: int | None = None
    attempts: tuple[Attempt, ...] = ()
    waiting: dict[str, Any] | None = None
    cost: dict[str, str] | None = None
    started_at: str | None = None
    stopped_at: str | None = None
    conditions: tuple[dict[str, Any], ...] = ()
    array: ArrayStatus | None = None
    multi_node: dict[str, Any] | None = None
    escalated_by: str | None = None


class Job(View, frozen=True, kw_only=True, gc=False):
    """A batchyard.dev Job."""

    namespace: str
    spec: JobSpec
    status: JobStatus = JobStatus()
    generation: int = 1
    scheduler: str = ""  # uid of the JobSchedule that it belongs to

    def has_started_all(self, attempt: int) -> bool:
        """Say whether it is on record that every pod of a multi-node job's attempt has come to be.

        From then on a pod that is missing has run and gone, and is not made again.
        """
        status = self.status.multi_node or {}
        its_own = str(status.get("mainPod", "")).rsplit("-", 1)[-1] == str(attempt)
        return its_own and int(status.get("started", 0)) >= int(status.get("nodes", 1))


class Container(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one container of a pod: waiting, running or terminated."""

    name: str
    state: str = "waiting"
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started: float | None = None
    finished: float | None = None
    init: bool = False
    sidecar: bool = False  # an init container that runs on beside the others, and is restarted


class StopOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why and when we told a pod to stop; kept in an annotation of the pod, so that a restart knows it too."""

    reason: str
    message: str
    at: float
    until: float | None = None  # when SIGKILL comes, of a pod whose node goes


class Pod(View, frozen=True, kw_only=True, gc=False):
    """A pod: an attempt of a job of ours (`job` is the Job's uid) or a foreign one (`job` empty)."""

    namespace: str
    job: str = ""
    attempt: int = 0
    environment: str = ""
    revision: int | None = None
    node: str = ""
    requests: Resources = NOTHING
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    acknowledged: float | None = None  # status.startTime: the kubelet has seen it
    containers: tuple[Container, ...] = ()
    stop: StopOrder | None = None
    timeout: int | None = None  # seconds from its own start, as resolved when it was created
    disrupted: str = ""  # reason of the condition DisruptionTarget
    disrupted_at: float | None = None  # since when it holds
    unschedulable: str = ""  # message of PodScheduled=False
    grace: int = 30
    gone: bool = False  # its object vanished without a final phase
    stopping: bool = False  # we told it to stop; known until the API server shows it
    removing: bool = False  # we asked for its deletion; known until the API server shows it
    index: int | None = None  # of the array's child
    node_index: int | None = None  # of the multi-node job's node
    consumables: dict[str, int] = {}  # name -> quantity that it holds while it lives
    gang: dict[str, str] = {}  # on the main pod of a multi-node job: node index -> node that is kept for it
    ip: str = ""
    queue: str = ""
    share: str = ""  # of its queue, with a SchedulingPolicy
    posing: bool = False  # it has our label and is not ours: somebody pretends
    essential: tuple[str, ...] = ()  # names of the containers whose end is the pod's; none: it ends when all have

    @property
    def final(self) -> bool:
        """Say whether no container of it runs or can ever run again."""
        return self.gone or self.phase in ("Succeeded", "Failed")

    @property
    def worker(self) -> bool:
        """Say whether it is of a multi-node job, and not its main node's."""
        return self.node_index is not None and not self.gang

    @property
    def running_since(self) -> float | None:
        """Return when all its main containers that matter had started, None before."""
        starts = [container.started for container in self.containers if self.matters(container)]
        if not starts or any(start is None for start in starts):
            return None
        return max(start for start in starts if start is not None)

    def matters(self, container: Container) -> bool:
        """Say whether a container does the pod's work: a main one, and essential if any is said to be."""
        return not container.init and (not self.essential or container.name in self.essential)


class Node(View, frozen=True, kw_only=True, gc=False):
    """A node as the API server knows it."""

    labels: dict[str, str] = {}
    taints: tuple[Taint, ...] = ()
    allocatable: Resources = NOTHING
    ready: bool = False
    ready_changed: float = 0.0
    unschedulable: bool = False
    environment: str = ""


class Environment(View, frozen=True, kw_only=True, gc=False):
    """A ComputeEnvironment; `invalid` holds the sentence when its spec cannot be used."""

    generation: int = 1
    state: str = "Enabled"
    managed: bool = True
    capacity_type: str = "OnDemand"
    min_vcpus: int = 0
    max_vcpus: int = 0
    shapes: tuple[Shape, ...] = ()
    entries: tuple[Entry, ...] = ()  # of spec.instanceTypes, where the provider's offers make them shapes
    strategy: str = "BestFitProgressive"
    max_price_percent: int = 100  # of the on-demand price: spot shapes above it are not launched
    scale_down_delay: float = 60.0
    node_start_timeout: float = 600.0
    terminates_on_update: bool = False
    update_grace: float = 1800.0  # seconds that jobs may go on on nodes of an older configuration
    configurations: dict[str, str] = {}  # shape -> hash of what its nodes are made from
    labels: dict[str, str] = {}
    taints: tuple[Taint, ...] = ()
    provider: str = ""
    settings: dict[str, Any] = {}
    selector: dict[str, str] = {}
    invalid: str = ""
    finalizers: tuple[str, ...] = ()
    status: dict[str, Any] = {}


class Queue(View, frozen=True, kw_only=True, gc=False):
    """A JobQueue; no selector means that every namespace may submit."""

    generation: int = 1
    state: str = "Enabled"
    priority: int = 0
    environments: tuple[str, ...] = ()
    selector: dict[str, Any] | None = None
    max_running: int | None = None
    strategy: str = "Backfill"
    policy: str = ""
    limits: tuple[TimeLimit, ...] = ()
    spot: SpotFirst | None = None
    budgets: tuple[Budget, ...] = ()  # its own first
    invalid: str = ""
    status: dict[str, Any] = {}


class Policy(View, frozen=True, kw_only=True, gc=False):
    """A SchedulingPolicy; `shares` are names or prefixes with `*`, and their weights: lower gets more."""

    generation: int = 1
    decay_seconds: int = 600
    reservation: int = 0  # percent: AWS computeReservation
    shares: tuple[tuple[str, Decimal], ...] = ()
    invalid: str = ""
    status: dict[str, Any] = {}


class Consumable(View, frozen=True, kw_only=True, gc=False):
    """A ConsumableResource: so many units, which come back when a job ends, or not."""

    generation: int = 1
    total: int = 0
    replenishable: bool = True
    status: dict[str, Any] = {}


class Definition(View, frozen=True, kw_only=True, gc=False):
    """A JobDefinition as it stands now; its generation is the newest revision."""

    namespace: str
    generation: int = 1
    blueprint: Blueprint | None = None
    spec: dict[str, Any] = {}
    invalid: str = ""
    status: dict[str, Any] = {}


class Revision(View, frozen=True, kw_only=True, gc=False):
    """A ControllerRevision that keeps one revision of a definition."""

    namespace: str
    definition: str
    definition_uid: str
    number: int
    blueprint: Blueprint


class Namespace(View, frozen=True, kw_only=True, gc=False):
    """A namespace and its labels."""

    labels: dict[str, str] = {}


class Key(NamedTuple):
    """The name of a namespaced object."""

    namespace: str
    name: str


def key(view: Job | Pod | Definition | Revision) -> Key:
    """Return the namespace and name of a namespaced view."""
    return Key(view.namespace, view.name)
