"""One attempt of a Job: one Pod on one node, and how it ended."""

from pydantic import Field

from batchyard.model.api import ApiModel, Moment, Spent
from batchyard.model.instancetype import NodeCapacityType


class Attempt(ApiModel):
    """One try: one Pod on one node."""

    number: int = Field(ge=1, description="1 for the first; AWS_BATCH_JOB_ATTEMPT of the containers.")
    pod: str = Field(default="", max_length=253, description="Name of the Pod, in the Job's namespace.")
    node: str = Field(default="", max_length=253, description="Name of the node it ran on.")
    compute_environment: str = Field(default="", max_length=253, description="Environment of that node.")
    instance_type: str = Field(default="", max_length=253, description="Shape of that node.")
    capacity_type: NodeCapacityType | None = Field(default=None, description="OnDemand or Spot.")
    started_at: Moment | None = Field(default=None, description="When its containers ran; absent if they never did.")
    stopped_at: Moment | None = Field(default=None, description="When it ended; absent while it has not.")
    container: str = Field(
        default="", max_length=63, description="Name of the container that failed; empty when none did."
    )
    exit_code: int | None = Field(
        default=None, description="Exit code of the container that failed, or 0; absent when none exited."
    )
    reason: str = Field(default="", max_length=1024, description="A stable token for how it ended. AWS: statusReason.")
    message: str = Field(
        default="",
        max_length=32768,
        description="How it ended, for people: the last lines of the failed container's log, or what the node said.",
    )
    counted: bool | None = Field(
        default=None,
        description="Whether it used up one of spec.retry.attempts; false when its node was lost or reclaimed.",
    )
    cost: Spent | None = Field(
        default=None, description="Its share of the node's price for the time it held it, a decimal number."
    )
