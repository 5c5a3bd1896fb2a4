"""ConsumableResource: licences and tokens that Jobs take, and how many a Job wants."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Name, Rule
from batchyard.model.condition import CONDITIONS_SCHEMA, Condition
from batchyard.model.obeys import once

MOST = 1_000_000_000_000

ResourceType = Literal["Replenishable", "NonReplenishable"]


class Consumable(ApiModel):
    """What a Job takes of one ConsumableResource when it starts."""

    name: Name = Field(description="Name of the ConsumableResource. Example: licence. AWS: consumableResource.")
    quantity: int = Field(
        default=1,
        ge=1,
        le=MOST,
        description="How much an attempt takes, at least 1; 1 by default. Each child of an array takes "
        "so much. AWS: quantity.",
    )


Consumables = Annotated[
    tuple[Consumable, ...],
    Field(max_length=20),
    once("spec.consumables names a resource twice; give its quantity once", "name"),
]
"""What a Job takes, each resource once."""


class ConsumableResourceSpec(ApiModel):
    """How much there is, and whether it comes back."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.type == oldSelf.type",
            "spec.type cannot be changed; create a new ConsumableResource",
            field="type",
        ),
    )

    total: int = Field(
        ge=0,
        le=MOST,
        description="How much there is in all, from 0. May be changed at any time; below what is in use nothing new "
        "starts and nothing that runs is touched. Example: 25. AWS: totalQuantity.",
    )
    type: ResourceType = Field(
        default="Replenishable",
        description="Replenishable (default): comes back when the attempt ends, as a licence. NonReplenishable: is "
        "used up, as a token. Cannot be changed. AWS: resourceType.",
    )


class Holder(ApiModel):
    """A Job and what it holds."""

    job: str = Field(max_length=120, description="The Job as <namespace>/<name>.")
    quantity: int = Field(ge=0, description="How much it holds now.")


class ConsumableResourceStatus(ApiModel):
    """Who has how much; written by the operator."""

    phase: Literal["Creating", "Valid", "Overcommitted"] = Field(
        default="Creating",
        description="Creating: not looked at yet. Valid: in use. Overcommitted: more is in use than spec.total, "
        "message says how much.",
    )
    message: str = Field(default="", max_length=32768, description="The phase in a sentence for people, in numbers.")
    total: int | None = Field(default=None, ge=0, description="The spec.total that the other numbers belong to.")
    in_use: int | None = Field(default=None, ge=0, description="Held by attempts that run. AWS: inUseQuantity.")
    consumed: int | None = Field(default=None, ge=0, description="Used up for ever; of NonReplenishable ones only.")
    available: int | None = Field(
        default=None,
        ge=0,
        description="What a Job could still take: total less what is in use and used up, never below 0. AWS: "
        "availableQuantity.",
    )
    waiting: int | None = Field(default=None, ge=0, description="Number of Jobs that wait for it.")
    holders: tuple[Holder, ...] = Field(
        default_factory=tuple, max_length=20, description="Those that hold most, up to 20."
    )
    taking: Annotated[dict[str, int], Field(max_length=10_000)] = Field(
        default_factory=dict,
        description="Quantities on their way from available to used up, by <namespace>/<pod>, so that a restart "
        "counts each once; of NonReplenishable ones only.",
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        max_length=16,
        description="Overcommitted: whether more is in use than there is, since spec.total was lowered.",
        json_schema_extra=CONDITIONS_SCHEMA,
    )
