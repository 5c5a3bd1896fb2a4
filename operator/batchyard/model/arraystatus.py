"""The status of an array: its children in numbers and ranges, never one entry per child."""

from typing import Annotated

from pydantic import Field

from batchyard.model.api import ApiModel
from batchyard.model.array import INDEXES_LENGTH, MOST_CHILDREN
from batchyard.model.attempt import Attempt

_Indexes = Annotated[str, Field(max_length=INDEXES_LENGTH)]
_Count = Annotated[int, Field(ge=0, le=MOST_CHILDREN)]
_NOTATION = (
    'As ranges, for example "0-41,43"; where these would pass 16000 characters, as bits: and the base64 of a '
    "zlib-compressed bitmap, child 0 in the lowest bit of the first byte."
)


class ChildCounts(ApiModel):
    """How many children are in which phase."""

    pending: _Count = Field(default=0, description="Wait for something that capacity cannot give.")
    runnable: _Count = Field(default=0, description="Ready to run, waiting for capacity or for maxConcurrent.")
    starting: _Count = Field(default=0, description="Placed on a node; images are pulled, containers start.")
    running: _Count = Field(default=0, description="Containers run.")
    succeeded: _Count = Field(default=0, description="Ended well.")
    failed: _Count = Field(default=0, description="Ended badly, for good.")


class RetriedChildren(ApiModel):
    """Children that are to be tried again, or are, and have had the same number of attempts."""

    attempts: int = Field(ge=0, description="Attempts that have ended.")
    counted: int = Field(default=0, ge=0, description="How many of these used up one of spec.retry.attempts.")
    indexes: _Indexes = Field(default="", description="The children.")


class ChildAttempt(Attempt):
    """One try of one child."""

    index: int = Field(ge=0, le=MOST_CHILDREN - 1, description="The child, from 0.")


class ArrayStatus(ApiModel):
    """The children of an array."""

    size: int | None = Field(default=None, ge=0, le=MOST_CHILDREN, description="Number of children. AWS: size.")
    progress: str = Field(
        default="",
        max_length=32,
        description="Children that have ended, of those that are to run, for `kubectl get`. Example: 41/1000.",
    )
    counts: ChildCounts = Field(
        default_factory=ChildCounts, description="Number of children by phase. AWS: statusSummary."
    )
    succeeded: _Indexes = Field(default="", description=f"Indexes of the children that ended well. {_NOTATION}")
    failed: _Indexes = Field(
        default="",
        description=f"Indexes of the children that failed for good; copy it to spec.array.indexes of a new Job to run "
        f"them again. {_NOTATION}",
    )
    running: _Indexes = Field(
        default="", description=f"Indexes of the children that are Starting or Running. {_NOTATION}"
    )
    retried: tuple[RetriedChildren, ...] = Field(
        default_factory=tuple,
        max_length=1000,
        description="Children with ended attempts that have not ended for good, by how many attempts.",
    )
    attempts: tuple[ChildAttempt, ...] = Field(
        default_factory=tuple,
        max_length=100,
        description="Attempts of children that matter, up to 100: failed ones and the last, the oldest first.",
    )
