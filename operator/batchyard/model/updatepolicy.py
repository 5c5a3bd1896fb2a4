"""What becomes of nodes that are made of something else than their environment now says."""

from pydantic import Field

from batchyard.model.api import ApiModel


class UpdatePolicy(ApiModel):
    """How long Jobs may go on on nodes of an older configuration."""

    terminate_jobs_on_update: bool = Field(
        default=False,
        description="Whether Jobs on nodes of an older configuration are interrupted at once; false by default: they "
        "have jobExecutionTimeoutSeconds to end by themselves. An interrupted Job starts again on a new node and "
        "does not use up one of retry.attempts. AWS: terminateJobsOnUpdate.",
    )
    job_execution_timeout_seconds: int = Field(
        default=1800,
        ge=60,
        le=604_800,
        description="Seconds from a change until Jobs that still run on nodes of an older configuration are "
        "interrupted, 60 to 604800; 1800 by default. AWS: jobExecutionTimeoutMinutes.",
    )
