"""ComputeEnvironment: a pool of nodes and how it scales."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from batchyard.model.api import ApiModel, Labels, Rule
from batchyard.model.instancetype import InstanceType, NodeCapacityType, NodeTemplate
from batchyard.model.provider import CATALOGUES, PROVIDERS, Provider
from batchyard.model.updatepolicy import UpdatePolicy


def _unique_names(types: tuple[InstanceType, ...]) -> tuple[InstanceType, ...]:
    if len({shape.name for shape in types}) < len(types):
        raise ValueError("every instance type needs a name of its own")
    return types


def _looks_up(provider: Provider | None) -> bool:
    return provider is not None and any(getattr(provider, name) is not None for name in CATALOGUES)


class ComputeEnvironmentSpec(ApiModel):
    """What the pool may be: its shapes, its limits, its provider."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.type == 'Unmanaged' || has(self.provider)",
            "spec.provider is missing; a Managed environment needs one, for example provider: {docker: {}}",
            lambda e: e.type == "Unmanaged" or e.provider is not None,
            "provider",
        ),
        Rule(
            "self.type == 'Managed' || !has(self.provider)",
            "spec.provider is for Managed environments; leave it out, the nodes of an Unmanaged one are somebody "
            "else's",
            lambda e: e.type == "Managed" or e.provider is None,
            "provider",
        ),
        Rule(
            "self.type == 'Unmanaged' || (has(self.instanceTypes) && size(self.instanceTypes) > 0)",
            "spec.instanceTypes is empty; a Managed environment needs at least one, "
            'for example {name: c8, cpu: "8", memory: 16Gi}',
            lambda e: e.type == "Unmanaged" or bool(e.instance_types),
            "instanceTypes",
        ),
        Rule(
            "!has(self.instanceTypes) || (has(self.provider) && has(self.provider.ec2)) || "
            "self.instanceTypes.all(shape, has(shape.cpu) && has(shape.memory))",
            "spec.instanceTypes has an entry without cpu and memory, which only provider ec2 can look up; write them, "
            'for example {name: c8, cpu: "8", memory: 16Gi}',
            lambda e: _looks_up(e.provider) or all(shape.cpu and shape.memory for shape in e.instance_types),
            "instanceTypes",
        ),
        Rule(
            "self.type == 'Managed' || (has(self.nodeSelector) && size(self.nodeSelector) > 0)",
            "spec.nodeSelector is empty; an Unmanaged environment needs the labels of the nodes that belong to it",
            lambda e: e.type == "Managed" or bool(e.node_selector),
            "nodeSelector",
        ),
        Rule(
            "self.type == 'Unmanaged' || !has(self.nodeSelector)",
            "spec.nodeSelector is for Unmanaged environments; leave it out, or set spec.type to Unmanaged",
            lambda e: e.type == "Unmanaged" or not e.node_selector,
            "nodeSelector",
        ),
        Rule(
            "self.type == 'Unmanaged' || has(self.maxVCpus)",
            "spec.maxVCpus is missing; a Managed environment needs the number of vCPUs it may grow to",
            lambda e: e.type == "Unmanaged" or e.max_vcpus is not None,
            "maxVCpus",
        ),
        Rule(
            "!has(self.maxVCpus) || self.minVCpus <= self.maxVCpus",
            "spec.minVCpus is above spec.maxVCpus; lower the one or raise the other",
            lambda e: e.max_vcpus is None or e.min_vcpus <= e.max_vcpus,
            "minVCpus",
        ),
        Rule(
            "!self.allocationStrategy.startsWith('Spot') || self.capacityType == 'Spot'",
            "spec.allocationStrategy of spot is for environments with capacityType: Spot; choose BestFit or "
            "BestFitProgressive",
            lambda e: not e.allocation_strategy.startswith("Spot") or e.capacity_type == "Spot",
            "allocationStrategy",
        ),
        Rule(
            "self.maxPricePercent == 100 || self.capacityType == 'Spot'",
            "spec.maxPricePercent bounds spot prices, so it is for environments with capacityType: Spot; leave it out",
            lambda e: e.max_price_percent == 100 or e.capacity_type == "Spot",
            "maxPricePercent",
        ),
        Rule(
            "self.type == 'Managed' || !has(self.updatePolicy)",
            "spec.updatePolicy is for Managed environments; leave it out, the nodes of an Unmanaged one are somebody "
            "else's to replace",
            lambda e: e.type == "Managed" or e.update_policy is None,
            "updatePolicy",
        ),
        Rule(
            "self.type == oldSelf.type",
            "spec.type cannot be changed; create a new ComputeEnvironment",
            field="type",
        ),
        Rule(
            "self.capacityType == oldSelf.capacityType",
            "spec.capacityType cannot be changed; create a new ComputeEnvironment and name it in the queue",
            field="capacityType",
        ),
    )

    state: Literal["Enabled", "Disabled"] = Field(
        default="Enabled",
        description="Enabled (default): Jobs are placed here and the pool grows. Disabled: no placement and no growth; "
        "running Jobs go on and idle nodes still leave.",
    )
    type: Literal["Managed", "Unmanaged"] = Field(
        default="Managed",
        description="Managed (default): Batchyard launches and retires the nodes through spec.provider. Unmanaged: "
        "spec.nodeSelector picks nodes that somebody else owns. Cannot be changed.",
    )
    capacity_type: NodeCapacityType = Field(
        default="OnDemand",
        description="OnDemand (default) or Spot: nodes that cost less and may be taken back at any time; a Job that "
        "loses its node to that starts again without using up one of retry.attempts. Cannot be changed.",
    )
    min_vcpus: int = Field(
        default=0,
        alias="minVCpus",
        ge=0,
        le=10_000_000,
        description="vCPUs kept even when idle, 0 by default: no nodes without Jobs. AWS: minvCpus.",
    )
    max_vcpus: int | None = Field(
        default=None,
        alias="maxVCpus",
        ge=0,
        le=10_000_000,
        description="vCPUs the environment never exceeds, counted over its nodes and over the Jobs admitted to it. "
        "Required for Managed; the nodes' own sum when absent for Unmanaged. Example: 256. AWS: maxvCpus.",
    )
    instance_types: Annotated[tuple[InstanceType, ...], AfterValidator(_unique_names)] = Field(
        default_factory=tuple,
        max_length=50,
        description="The shapes of node that may be launched, 1 to 50, each with a name of its own; the cheapest that "
        "fits wins. Required for Managed.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    allocation_strategy: Literal[
        "BestFit", "BestFitProgressive", "SpotPriceCapacityOptimized", "SpotCapacityOptimized"
    ] = Field(
        default="BestFitProgressive",
        description="How a shape is chosen. BestFitProgressive (default): the cheapest for the Jobs that wait; when "
        "that cannot be had, the next. BestFit: the cheapest, and wait for it when it cannot be had. "
        "SpotCapacityOptimized: first the shapes that have least been reclaimed or refused within the last hour. "
        "SpotPriceCapacityOptimized: each such event makes a shape count as 25 % dearer. The last two need "
        "capacityType: Spot. AWS: allocationStrategy.",
    )
    max_price_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Shapes whose spot price is above so many % of their on-demand price are not launched, 1 to 100, "
        "100 by default; shapes without pricePerHour always are. Example: 60. AWS: bidPercentage.",
    )
    scale_down_delay_seconds: int = Field(
        default=60,
        ge=0,
        le=604_800,
        description="Seconds after its last Job ended until an idle node is retired; 60 by default. AWS: "
        "scalingPolicy.minScaleDownDelayMinutes.",
    )
    node_start_timeout_seconds: int = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds within which a launched node must be Ready, at least 10, 600 by default; one that is not "
        "is replaced and blamed in status.",
    )
    node_template: NodeTemplate = Field(
        default_factory=NodeTemplate,
        description="Labels and taints of every node that is launched; nodes that have others are replaced as "
        "updatePolicy says.",
    )
    update_policy: UpdatePolicy | None = Field(
        default=None,
        description="What becomes of Jobs on nodes that were made before instanceTypes, nodeTemplate or provider "
        "changed. Such nodes take no more Jobs and go when they are empty; absent: Jobs have 1800 seconds. Example: "
        "{jobExecutionTimeoutSeconds: 600}. AWS: updatePolicy.",
    )
    provider: Provider | None = Field(
        default=None,
        description=f"Where the nodes come from: exactly one of {', '.join(PROVIDERS)}. Required for Managed, absent "
        "for Unmanaged. Cannot change from one provider to another.",
    )
    node_selector: Labels = Field(
        default_factory=dict,
        description="Labels of the nodes that belong to an Unmanaged environment. Example: {pool: batch}.",
    )
