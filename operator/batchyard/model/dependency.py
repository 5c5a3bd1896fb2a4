"""What a Job waits for: other Jobs, or the children of arrays one by one."""

from typing import ClassVar, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Name, Rule


class Dependency(ApiModel):
    """One thing to wait for: a Job by its name, or the child before."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.job) || (has(self.array) && self.array == 'Sequential')",
            "an entry of dependsOn needs job, the name of a Job in this namespace; only array: Sequential goes without",
            lambda d: d.job is not None or d.array == "Sequential",
        ),
        Rule(
            "!has(self.job) || !has(self.array) || self.array == 'OneToOne'",
            "array: Sequential is between the children of this Job; leave job out, or write array: OneToOne",
            lambda d: d.job is None or d.array != "Sequential",
            "array",
        ),
    )

    job: Name | None = Field(
        default=None,
        description="Name of a Job in the same namespace, of any queue. One that is not there yet is waited for. "
        "Example: prepare. AWS: jobId.",
    )
    array: Literal["OneToOne", "Sequential"] | None = Field(
        default=None,
        description="Absent: wait for the whole Job. OneToOne: each child waits for the child of the same index in "
        "that array, which has the same size. Sequential: each child waits for the one before it in this array. AWS: "
        "type N_TO_N and SEQUENTIAL.",
    )
    when: Literal["Succeeded", "Failed", "Finished"] = Field(
        default="Succeeded",
        description="How it must have ended. Succeeded (default), Failed, or Finished: either way. When it ends "
        "otherwise this Job fails at once and says why. AWS: Succeeded only.",
    )
