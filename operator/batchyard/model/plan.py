"""The verbs of a plan: everything that a decision can ask of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from batchyard.model.machine import LaunchOrder


class Lane(IntEnum):
    """Order of writes: pods first, then outcomes, then progress, then advice."""

    Pods = 0
    Outcome = 1
    Progress = 2
    Waiting = 3


@dataclass(frozen=True, slots=True)
class Start:
    """Create the pod of an attempt; its name is decided by job and attempt, so that twice is once.

    `service` is the Service that must be there before it: the addresses of a multi-node job's nodes. `claim` is the
    PersistentVolumeClaim that must: where the job keeps its checkpoint.
    """

    job: str
    attempt: int
    environment: str
    manifest: Mapping[str, Any]
    service: Mapping[str, Any] | None = None
    claim: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Have the kubelet end a pod (SIGTERM, grace, SIGKILL) and keep its object; the reason goes onto the pod.

    `until` is when SIGKILL comes, of a pod whose node goes. With `patient` that is later than its own grace period
    allows: then it is only told, and a Remove with that grace follows.
    """

    namespace: str
    pod: str
    uid: str
    reason: str
    message: str
    until: float | None = None
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a pod's object; `grace` 0 only when nothing of it can still run."""

    namespace: str
    pod: str
    uid: str
    grace: int | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Write a job's status; only the keys that changed."""

    job: str
    status: Mapping[str, Any]
    lane: Lane
    ends: Mapping[str, int] | None = None  # reason -> attempts of children whose end is on record with this
    ended: Sequence[Any] = ()  # these attempts (world.views.Attempt), but for some that were lost


@dataclass(frozen=True, slots=True)
class Purge:
    """Delete at once the pods of a chunk of an array's children that succeeded, or failed; all have ended on record."""

    namespace: str
    job: str
    chunk: int
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete a finished job whose time to live has passed; its pods go with it."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Bury:
    """Keep what became of finished jobs before they are forgotten: texts by name, None for those that are to go.

    `owner` is the uid of their namespace; `anew` says that nothing is kept of it yet.
    """

    namespace: str
    owner: str
    texts: Mapping[str, str | None]
    anew: bool


@dataclass(frozen=True, slots=True)
class Submit:
    """Create the job of a schedule's fire; its name is decided by schedule and minute, so that twice is once."""

    schedule: str
    minute: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Terminate:
    """Set a job's spec.stop, because a later job of its schedule takes its place."""

    namespace: str
    name: str
    uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class Launch:
    """Have the provider make a machine."""

    order: LaunchOrder


@dataclass(frozen=True, slots=True)
class Retire:
    """Have the provider remove a machine, then delete its node object; `fault`: it never was of use."""

    machine: str
    environment: str
    provider: str
    reason: str
    fault: bool = False


@dataclass(frozen=True, slots=True)
class Unregister:
    """Delete the node object of a machine that is gone for certain."""

    node: str
    environment: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep a new revision of a definition as a ControllerRevision."""

    namespace: str
    definition: str
    uid: str
    number: int
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """Let the API server judge the pod of a revision by a dry run; the answer goes into the definition's status."""

    namespace: str
    definition: str
    uid: str
    number: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """Write the status of an object other than a job; only the keys that changed.

    With a `version` it is written only if the object still has it, and counts only once it is written.
    """

    plural: str
    namespace: str
    name: str
    uid: str
    status: Mapping[str, Any]
    version: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Add or remove our finalizer on a managed environment, whose nodes cost money."""

    environment: str
    version: str
    finalizers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tell:
    """Post an event on one of the user's objects."""

    kind: str
    namespace: str
    name: str
    uid: str
    warning: bool
    reason: str
    message: str


Verb = (
    Start | Stop | Remove | Record | Purge | Forget | Submit | Terminate | Launch | Retire | Unregister | Keep | Check
    | Report | Hold | Bury | Tell
)  # fmt: skip


@dataclass(slots=True)
class Plan:
    """What decide wants done, in order; `wake` is when to decide again though nothing happened."""

    verbs: list[Verb] = field(default_factory=list)
    wake: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)  # job uid -> Note: what it waits for, since when
    front: tuple[str, ...] = ()  # uids of the first jobs of each queue, in order
    defects: list[tuple[str, str]] = field(default_factory=list)  # an object that we cannot deal with, and what failed

    def wake_at(self, when: float) -> None:
        """Ask for another decision at `when` at the latest."""
        if self.wake is None or when < self.wake:
            self.wake = when
