"""The status of a Job: its phase, why, its attempts, what it waits for and what it has cost."""

from typing import Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Moment, Spent
from batchyard.model.arraystatus import ArrayStatus
from batchyard.model.attempt import Attempt
from batchyard.model.condition import CONDITIONS_SCHEMA, Condition

JobPhase = Literal["Submitted", "Pending", "Runnable", "Starting", "Running", "Succeeded", "Failed"]


class EnvironmentVerdict(ApiModel):
    """Why the Job is not in one environment of its queue, in numbers."""

    name: str = Field(max_length=253, description="The environment.")
    verdict: str = Field(
        max_length=1024, description="A stable token: for example TooLarge, AtMaximum, Launching, Disabled, NotFound."
    )
    need: str = Field(default="", max_length=1024, description="What the Job needs. Example: memory 32000Mi.")
    have: str = Field(
        default="", max_length=1024, description="What the environment has. Example: largest node c8 offers 31431Mi."
    )


class EstimatedStart(ApiModel):
    """When the Job will probably start, if nothing else is submitted."""

    p50: Moment | None = Field(default=None, description="As likely before as after this moment.")
    p90: Moment | None = Field(default=None, description="Nine times in ten before this moment.")


class Waiting(ApiModel):
    """Where a waiting Job stands; advice, up to half a minute old, and only for the first 100 of a queue."""

    position: int | None = Field(default=None, ge=1, description="Its place in the queue, from 1.")
    vcpus_ahead: int | None = Field(
        default=None, alias="vCpusAhead", ge=0, description="vCPUs that the Jobs before it in the queue ask for."
    )
    estimated_start: EstimatedStart | None = Field(
        default=None,
        description="When it will start, from a replay of the queue over the expected ends of what runs.",
    )
    since: Moment | None = Field(default=None, description="Since when it has waited for the present reason.")
    environments: tuple[EnvironmentVerdict, ...] = Field(
        default_factory=tuple, max_length=10, description="The queue's environments in order, each with its verdict."
    )


class Cost(ApiModel):
    """What the Job has cost, over all attempts."""

    amount: Spent = Field(default="0", validate_default=True, description='All attempts together. Example: "0.0123".')
    wasted: Spent = Field(
        default="0", validate_default=True, description='The attempts that did not succeed. Example: "0.0010".'
    )


class MultiNodeStatus(ApiModel):
    """The nodes of a multi-node Job in its latest attempt."""

    nodes: int = Field(ge=1, description="Number of nodes. AWS: numNodes.")
    started: int = Field(default=0, ge=0, description="Nodes whose Pods have been made, the main one first.")
    running: int = Field(default=0, ge=0, description="Nodes whose containers run.")
    main_pod: str = Field(default="", max_length=253, description="Name of the main node's Pod, whose logs to read.")


class JobStatus(ApiModel):
    """What has become of the Job; written by the operator."""

    phase: JobPhase = Field(
        default="Submitted",
        description="Submitted: not looked at yet. Pending: waits for something that capacity cannot give. Runnable: "
        "waits for its turn and for capacity. Starting: placed on a node. Running: containers run. Succeeded: all "
        "exited with 0. Failed: will not be tried again. An array is Runnable until its first child starts, Running "
        "until its last one has ended, then Succeeded or Failed. AWS: status.",
    )
    reason: str = Field(
        default="",
        max_length=1024,
        description="Why it is in this phase, a stable token for programs. Example: InsufficientCapacity.",
    )
    message: str = Field(
        default="", max_length=32768, description="The same in a sentence for people, in numbers. AWS: statusReason."
    )
    definition_revision: int | None = Field(
        default=None, ge=1, description="The revision of its definition that the Job runs, pinned at submission."
    )
    attempts: tuple[Attempt, ...] = Field(
        default_factory=tuple,
        max_length=200,
        description="Its attempts, the oldest first; those of children stand in array.attempts.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["number"]},
    )
    array: ArrayStatus | None = Field(default=None, description="The children of an array, counted and listed.")
    multi_node: MultiNodeStatus | None = Field(default=None, description="The nodes of a multi-node Job.")
    escalated_by: Literal["MaxWaitSeconds", "MaxInterruptions", "Deadline"] | None = Field(
        default=None,
        description="The rule that has opened the on-demand environments of its queue to the Job: maxWaitSeconds or "
        "maxInterruptions of the queue's spec.spot, or the Job's deadlineSeconds; absent: none has.",
    )
    waiting: Waiting | None = Field(default=None, description="Where it stands, while it waits.")
    cost: Cost | None = Field(default=None, description="What it has cost so far.")
    created_at: Moment | None = Field(default=None, description="When it was submitted. AWS: createdAt.")
    started_at: Moment | None = Field(default=None, description="When its latest attempt began to run. AWS: startedAt.")
    stopped_at: Moment | None = Field(default=None, description="When it ended. AWS: stoppedAt.")
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        max_length=16,
        description="Dispatchable: whether some environment could ever run it. Complete: it has succeeded. Failed: "
        "it has failed for good.",
        json_schema_extra=CONDITIONS_SCHEMA,
    )
