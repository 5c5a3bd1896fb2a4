"""One condition of an object's status, as everywhere in Kubernetes."""

from typing import Any, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Moment

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(ApiModel):
    """Whether one statement about the object holds, since when and why."""

    type: str = Field(
        max_length=316,
        description="The statement, in CamelCase: for example Valid, Dispatchable, Complete or Failed.",
    )
    status: ConditionStatus = Field(description="Whether the statement holds: True, False or Unknown.")
    reason: str = Field(
        default="",
        max_length=1024,
        description="A stable CamelCase token that says why, for programs: for example InsufficientCapacity.",
    )
    message: str = Field(
        default="",
        max_length=32768,
        description="The sentence for people: what was found, in numbers, and what to do about it.",
    )
    observed_generation: int | None = Field(
        default=None,
        ge=0,
        description="The metadata.generation that was looked at; below the current one, the condition is out of date.",
    )
    last_transition_time: Moment | None = Field(
        default=None, description="When status last changed from one value to another."
    )


CONDITIONS_SCHEMA: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
"""Conditions are merged by their type."""
