"""The nodes of an environment: their shapes, prices, labels and taints."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchyard.model.api import LABEL_VALUE_PATTERN, ApiModel, Labels, Money, Quantity, Rule

NodeCapacityType = Literal["OnDemand", "Spot"]

_OF_KUBERNETES = r"^([-a-z0-9.]*[.])?(kubernetes|k8s)[.]io/"
_ALLOWED = ("node.kubernetes.io/", "topology.kubernetes.io/")
_MAY = " || ".join(f"key.startsWith('{prefix}')" for prefix in _ALLOWED)


def _free(labels: dict[str, str]) -> bool:
    taken = [key for key in labels if re.match(_OF_KUBERNETES, key) and not key.startswith(_ALLOWED)]
    return not taken and not any(key.startswith("batchyard.dev/") for key in labels)


class Taint(ApiModel):
    """A taint that every node of the environment carries."""

    key: str = Field(min_length=1, max_length=316, description="The taint's key, for example example.com/gpu.")
    value: str = Field(default="", max_length=63, description="The taint's value; empty by default.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(
        description="What happens to Pods that do not tolerate it: NoSchedule, PreferNoSchedule or NoExecute."
    )


class NodeTemplate(ApiModel):
    """What every node of the environment is given when it is made."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.labels) || self.labels.all(key, !key.startsWith('batchyard.dev/') && "
            f"(!key.matches('{_OF_KUBERNETES}') || {_MAY}))",
            "spec.nodeTemplate.labels may not be of kubernetes.io, k8s.io or batchyard.dev, which are others' to give; "
            "choose a prefix of your own",
            lambda template: _free(template.labels),
            "labels",
        ),
    )

    labels: Labels = Field(
        default_factory=dict,
        description="Labels of every node, for nodeSelector and affinity in a Job's template. Nodes are always also "
        "labelled batchyard.dev/compute-environment=<name of the environment>.",
    )
    taints: tuple[Taint, ...] = Field(
        default_factory=tuple,
        max_length=20,
        description="Taints of every node; a Job must tolerate them to run here. Nodes are always also tainted "
        "batchyard.dev/compute-environment=<name of the environment>:NoSchedule, which Jobs tolerate by themselves.",
    )


class InstanceType(ApiModel):
    """A shape of node that the environment may launch, and its price."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.cpu) == has(self.memory)",
            "cpu and memory of an instance type belong together; write both, or neither where the provider knows them",
            lambda shape: (shape.cpu is None) == (shape.memory is None),
        ),
    )

    name: str = Field(
        min_length=1,
        max_length=63,
        pattern=LABEL_VALUE_PATTERN,
        description="The shape's name, unique in the environment; nodes carry it in the label "
        "node.kubernetes.io/instance-type. Example: c8.",
    )
    cpu: Quantity | None = Field(
        default=None,
        description='CPU of the whole node, a quantity above 0. Only provider ec2 knows it when absent. Example: "8".',
    )
    memory: Quantity | None = Field(
        default=None,
        description="Memory of the whole node, a quantity above 0; present if cpu is. Example: 16Gi.",
    )
    pods: int = Field(
        default=110, ge=1, le=1000, description="How many Pods the node takes, 1 to 1000; 110 by default."
    )
    price_per_hour: Money = Field(
        default="0",
        validate_default=True,
        description='On-demand price of one node for one hour, a decimal number in quotes; "0" by default: the price '
        'that provider ec2 finds, with others none. Example: "0.34". The cheapest shape that fits a Job wins.',
    )
    spot_price_per_hour: Money | None = Field(
        default=None,
        description="Spot price of one node for one hour, a decimal number in quotes; when absent the price that "
        'provider ec2 finds, else pricePerHour. Example: "0.12".',
    )
    extended: Annotated[dict[str, Quantity], Field(max_length=20)] = Field(
        default_factory=dict,
        description="Extended resources of the node, name to whole quantity; without cpu they are preferred to the "
        'devices that the provider knows of. Example: {nvidia.com/gpu: "1"}.',
    )
