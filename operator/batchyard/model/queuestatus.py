"""The status of a JobQueue: what is in it, who uses it how much, and what starts next."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from batchyard.model.api import ApiModel, Moment, Spent
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


class SpentPart(ApiModel):
    """What was spent in one part of the window."""

    before: Moment = Field(description="The part's end; a window later it counts no more.")
    amount: Spent = Field(description="Money spent in it.")


class BudgetStatus(ApiModel):
    """What has been spent of a budget; kept here, so that a restart goes on where it was."""

    amount: Spent = Field(description="The budget's amount, which this was measured by.")
    spent: Spent = Field(
        description="Money spent within the window up to updatedAt, by attempts that ended and those that run."
    )
    committed: Spent = Field(
        description="Money that what runs is expected to cost from then on: up to its timeout, or to the time within "
        "which nine of ten of its kind ended."
    )
    forecast: Spent | None = Field(
        default=None,
        description="Money that what waits is expected to cost: half of the queue's attempts cost less than what is "
        "counted for each. Absent where none has ended yet or nothing waits.",
    )
    frees_at: Moment | None = Field(
        default=None,
        description="When so much has left the window that Jobs may start again, if nothing else is spent or ends; "
        "absent while there is money left.",
    )
    updated_at: Moment | None = Field(default=None, description="When this was so.")
    kept: tuple[SpentPart, ...] = Field(
        default_factory=tuple, max_length=200, description="What was spent when, by parts of the window."
    )


class ShareBudgetStatus(BudgetStatus):
    """What has been spent of one of spec.shareBudgets."""

    share: str = Field(max_length=255, description="Its share, as spec.shareBudgets names it.")
    exceeded: bool = Field(default=False, description="Whether all of it is spent or committed.")


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
    budget: BudgetStatus | None = Field(
        default=None, description="What has been spent of spec.budget; absent without one."
    )
    share_budgets: tuple[ShareBudgetStatus, ...] = Field(
        default_factory=tuple,
        max_length=20,
        description="What has been spent of each of spec.shareBudgets.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["share"]},
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        max_length=16,
        description="Valid: whether the queue exists with at least one environment that can be used. BudgetExceeded: "
        "whether spec.budget is spent. ShareBudgetExceeded: whether any of spec.shareBudgets is.",
        json_schema_extra=CONDITIONS_SCHEMA,
    )
