"""Job (batchjobs): one submission, what of it may change, and how to stop it."""

from typing import ClassVar, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Rule
from batchyard.model.array import IndexSet
from batchyard.model.submission import Submission

StopMode = Literal["Cancel", "Terminate"]


class Stop(ApiModel):
    """An order to end the Job."""

    mode: StopMode = Field(
        description="Cancel: only if it has not started; a Starting or Running Job goes on. Terminate: a running one "
        "too, by SIGTERM and then SIGKILL. The Job is then Failed and not tried again. AWS: CancelJob, TerminateJob."
    )
    reason: str = Field(
        default="",
        max_length=1024,
        description="Why, in your words, up to 1024 characters; kept in status.message. AWS: reason.",
    )
    indexes: IndexSet | None = Field(
        default=None,
        description="The children of an array to stop; absent: the whole Job. Extend it to stop more; a child that "
        'was stopped stays stopped. Example: "3,7-9". AWS: the job ID of a child.',
    )


FIXED = (
    *("definition", "template", "parameters", "overrides", "retry", "timeout", "capacityType"),
    *("multiNode", "dependsOn", "containers", "consumables", "share", "checkpoint"),
)
"""Fields of spec that stay what they are."""


def _fixed(field: str) -> Rule:
    # Through dyn(), because CEL's compiler does not see values of any type, such as those of parameters.
    new, old = f"dyn(self).{field}", f"dyn(oldSelf).{field}"
    unchanged = f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"
    return Rule(unchanged, f"spec.{field} cannot be changed after submission; submit a new Job", field=field)


_ARRAY_FIXED = (
    "has(self.array) == has(oldSelf.array) && (!has(self.array) || (self.array.size == oldSelf.array.size && "
    "self.array.tolerateFailures == oldSelf.array.tolerateFailures && "
    "has(self.array.indexes) == has(oldSelf.array.indexes) && "
    "(!has(self.array.indexes) || self.array.indexes == oldSelf.array.indexes)))"
)


class JobSpec(Submission):
    """What to run, where to queue, and what to do when it fails.

    Fixed at submission but for stop, priority, array.maxConcurrent and ttlSecondsAfterFinished.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        *Submission.rules,
        Rule(
            "self.queue == oldSelf.queue",
            "spec.queue cannot be changed after submission; stop this Job and submit a new one to the other queue",
            field="queue",
        ),
        *(_fixed(field) for field in FIXED),
        Rule(
            _ARRAY_FIXED,
            "spec.array cannot be changed after submission, but for array.maxConcurrent; submit a new Job",
            field="array",
        ),
        Rule(
            "!has(self.stop) || !has(self.stop.indexes) || has(self.array)",
            "spec.stop.indexes are children of an array; leave them out to stop the Job",
            lambda job: job.stop is None or job.stop.indexes is None or job.array is not None,
            "stop",
        ),
        Rule(
            "!has(oldSelf.stop) || has(self.stop)",
            "spec.stop cannot be withdrawn; submit a new Job",
            field="stop",
        ),
        Rule(
            "!has(oldSelf.stop) || !has(self.stop) || oldSelf.stop.mode == 'Cancel' || self.stop.mode == 'Terminate'",
            "spec.stop.mode cannot go back from Terminate to Cancel; submit a new Job",
            field="stop",
        ),
        Rule(
            "!has(oldSelf.stop) || !has(self.stop) || has(oldSelf.stop.indexes) || !has(self.stop.indexes)",
            "spec.stop of the whole Job cannot go back to some of its indexes; submit a new Job with array.indexes",
            field="stop",
        ),
    )

    stop: Stop | None = Field(
        default=None,
        description="Set this to end the Job, or some children of its array; it cannot be withdrawn, only raised from "
        "Cancel to Terminate and from indexes to the whole. Example: {mode: Terminate, reason: wrong input}.",
    )
