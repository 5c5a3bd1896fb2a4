"""The status of a JobQueue: what is in it, who uses it how much, and what starts next."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from batchyard.model.api import ApiModel, Moment
from batchyard.model.condition import CONDITIONS_SCHEMA, Condition


class JobCounts(ApiModel):
    """How many Jobs of the queue are in which phase."""

    submitted: int = Field(default=0, ge=0, description="Accepted, not looked at yet.")
    pending: int = Field(default=0, ge=0, description="Wait for something that capacity cannot give.")
    runnable: int = Field(default=0, ge=0, description="Ready to run, waiting for capacity.")
    starting: int = Field(default=0, ge=0, description="Placed on a node; images are pulled, containers start.")
    running: int = Field(default=0, ge=0, description="Containers run.")
    succeeded: int = Field(default=0, ge=0, description="Ended well and are still kept.")
    failed: int = Field(default=0, ge=0, description="Ended badly and are still kept.")


class QueuedJob(ApiModel):
    """A Job and its place in the queue."""

    job: str = Field(max_length=120, description="The Job as <namespace>/<name>.")
    position: int = Field(ge=1, description="Its place, from 1.")


_NUMBER: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "maxLength": 32,
}


class ShareUsage(ApiModel):
    """What one share has used of the queue, and uses now."""

    share: str = Field(max_length=255, description="The spec.share of its Jobs. AWS: shareIdentifier.")
    usage: str = Field(
        max_length=64,
        description="vCPU seconds it has used, the older the less they count; the share goes next whose usage times "
        'weight is lowest. A decimal number. Example: "5400.25".',
    )
    vcpus: Annotated[int | str, WithJsonSchema(_NUMBER)] = Field(
        default=0, alias="vCpus", description='vCPUs that its Jobs hold now. Example: 4, or "3.5".'
    )
    updated_at: Moment | None = Field(default=None, description="When usage was this.")


QueuePhase = Literal["Creating", "Updating", "Valid", "Invalid", "Disabled", "Held", "Draining", "Deleting"]


class JobQueueStatus(ApiModel):
    """What is in the queue; written by the operator."""

    phase: QueuePhase = Field(
        default="Creating",
        description="Creating: not looked at yet. Valid: in use. Invalid: none of its environments can be used, "
        "message says why. Disabled, Held, Draining: by spec.state.",
    )
    message: str = Field(default="", max_length=32768, description="The phase in a sentence for people.")
    jobs: JobCounts = Field(default_factory=JobCounts, description="Number of Jobs by phase.")
    oldest_runnable_seconds: int | None = Field(
        default=None, ge=0, description="How long the oldest Runnable Job has waited; absent when none waits."
    )
    front: tuple[QueuedJob, ...] = Field(
        default_factory=tuple,
        max_length=100,
        description="The first 100 Jobs in the order in which they will start. AWS: frontOfQueue.",
    )
    shares: tuple[ShareUsage, ...] = Field(
        default_factory=tuple,
        max_length=500,
        description="What each share has used, with a schedulingPolicy; kept here, so that a restart does not forget. "
        "AWS: fairshareUtilization.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["share"]},
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        max_length=16,
        description="Valid: whether the queue exists with at least one environment that can be used.",
        json_schema_extra=CONDITIONS_SCHEMA,
    )
