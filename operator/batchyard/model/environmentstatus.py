"""The status of a ComputeEnvironment: its phase, its nodes, its size and what could not be had."""

from typing import Annotated, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Moment, Spent
from batchyard.model.condition import CONDITIONS_SCHEMA, Condition


class NodeCounts(ApiModel):
    """How many nodes are in which part of their life."""

    launching: int = Field(default=0, ge=0, description="Asked for, not yet Ready.")
    ready: int = Field(default=0, ge=0, description="Ready and open for Jobs.")
    draining: int = Field(default=0, ge=0, description="Take no more Jobs and are about to leave.")
    failed: int = Field(default=0, ge=0, description="Never became Ready in time, or were lost; being replaced.")


class VCpuCounts(ApiModel):
    """The environment's size in vCPUs."""

    min: int = Field(default=0, ge=0, description="spec.minVCpus.")
    desired: int = Field(default=0, ge=0, description="What the waiting and running Jobs call for, within the limits.")
    provisioned: int = Field(default=0, ge=0, description="vCPUs of the nodes that exist or are being launched.")
    used: int = Field(default=0, ge=0, description="vCPUs that Jobs request on those nodes, rounded up.")


class Unavailable(ApiModel):
    """A shape that the provider could not deliver and that is left alone for a while."""

    instance_type: str = Field(max_length=63, description="The shape's name in spec.instanceTypes.")
    until: Moment = Field(description="When it is tried again.")
    reason: str = Field(max_length=1024, description="Why it could not be had, for example InsufficientCapacity.")


class Offered(ApiModel):
    """What the provider says of an instance type where the spec leaves it open; a price in the spec is preferred."""

    instance_type: str = Field(max_length=63, description="The shape's name in spec.instanceTypes.")
    cpu: str | None = Field(default=None, max_length=20, description="vCPUs of the whole machine.")
    memory: str | None = Field(default=None, max_length=20, description="Memory of the whole machine.")
    pods: int | None = Field(
        default=None,
        ge=0,
        description="How many Pods its system is made for: what it is taken to keep for itself rests on that.",
    )
    extended: dict[str, Annotated[str, Field(max_length=20)]] = Field(
        default_factory=dict, max_length=20, description="Its GPUs and other devices, as extended resources."
    )
    architecture: str | None = Field(default=None, max_length=63, description="Its architecture, for example amd64.")
    price_per_hour: Spent | None = Field(default=None, description="What an hour of it costs on demand.")
    spot_price_per_hour: Spent | None = Field(
        default=None, description="What an hour of it costs on spot, where it costs least in the environment's zones."
    )
    read_at: Moment = Field(
        description="When this was read; what is read later and differs by 1 % at most is written after a day."
    )


class Update(ApiModel):
    """The replacement of nodes after a change of what they are made from."""

    configuration: str = Field(max_length=63, description="What nodes are to be made from now, as a hash.")
    started_at: Moment = Field(description="When the change was seen.")
    interrupts_at: Moment = Field(description="When Jobs that still run on nodes of an older configuration are ended.")
    nodes: int = Field(default=0, ge=0, description="How many nodes of an older configuration are left.")
    pods: int = Field(default=0, ge=0, description="How many Pods of Jobs still run on them.")


class EnvironmentCost(ApiModel):
    """What the environment's nodes have cost: nodes = useful + wasted + running + idle."""

    nodes: Spent = Field(description="All nodes, from their launch to their end, by the price of an hour.")
    useful: Spent = Field(description="The part of attempts that succeeded.")
    wasted: Spent = Field(description="The part of attempts that failed, were stopped or interrupted.")
    running: Spent = Field(description="The part of attempts that have not ended.")
    idle: Spent = Field(description="What no attempt used: free room, nodes that start or wait to leave.")
    since: Moment | None = Field(default=None, description="Since when it is counted.")
    updated_at: Moment | None = Field(default=None, description="Until when it is counted.")


EnvironmentPhase = Literal["Creating", "Updating", "Valid", "Invalid", "Disabled", "Deleting"]


class ComputeEnvironmentStatus(ApiModel):
    """What the pool is; written by the operator."""

    phase: EnvironmentPhase = Field(
        default="Creating",
        description="Creating: not looked at yet. Updating: nodes of an older configuration are being replaced, "
        "and new Jobs go to new ones. Valid: in use. "
        "Invalid: no Jobs are placed here, message says why. Disabled: by spec.state. Deleting: running Jobs end, "
        "then the nodes go.",
    )
    message: str = Field(default="", max_length=32768, description="The phase in a sentence for people.")
    nodes: NodeCounts = Field(default_factory=NodeCounts, description="Number of nodes, by part of their life.")
    vcpus: VCpuCounts = Field(
        default_factory=VCpuCounts, alias="vCpus", description="Size in vCPUs: wanted, there, and used."
    )
    unavailable: tuple[Unavailable, ...] = Field(
        default_factory=tuple,
        max_length=50,
        description="Shapes that could not be had, and until when others are tried instead.",
    )
    offers: tuple[Offered, ...] = Field(
        default_factory=tuple,
        max_length=50,
        description="Sizes and prices that the provider told, of shapes whose spec leaves them open (provider ec2). "
        "They hold until it tells others, also after a restart.",
    )
    update: Update | None = Field(
        default=None, description="Present while nodes of an older configuration are left: see spec.updatePolicy."
    )
    cost: EnvironmentCost | None = Field(
        default=None,
        description="What the nodes have cost and who had it, in the currency of spec.instanceTypes; written every "
        "minute. Absent until a node with a price has cost something.",
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        max_length=16,
        description="Valid: whether the environment can be used. Updating: how many nodes of an older configuration "
        "are left. OffersKnown: whether the provider told all sizes and prices that spec.instanceTypes leaves open.",
        json_schema_extra=CONDITIONS_SCHEMA,
    )
