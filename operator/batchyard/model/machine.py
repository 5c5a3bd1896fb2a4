"""Machines as providers see them: what becomes a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from batchyard.model.resources import NOTHING, Resources


class MachineState(StrEnum):
    """What the provider says of a machine; whether its node is Ready is the API server's to say."""

    Launching = "Launching"
    Running = "Running"
    Interrupted = "Interrupted"
    Failed = "Failed"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of a managed environment; `name` is its Kubernetes node's name too.

    Where others name the nodes it is the order's name until there is a node, and `ordered_as` keeps it.
    """

    name: str
    environment: str
    instance_type: str
    capacity_type: str
    state: MachineState
    launched_at: float
    message: str = ""
    gone_at: float | None = None  # of an interrupted one: when it will be gone (unix seconds), as far as it is known
    configuration: str = ""  # the hash of what it is made from; empty: its node says it, or nobody
    ordered_as: str = ""
    price_per_hour: str = ""  # what an hour of it cost when it was launched; empty: what its shape costs


@dataclass(frozen=True, slots=True, order=True)
class Taint:
    """A Kubernetes node taint."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Shape:
    """What one instance type offers; prices per hour are Decimal strings already checked.

    Shapes with the same size and prices are the same: what they cost is remembered by them.
    """

    name: str
    resources: Resources
    price_per_hour: str = "0"
    spot_price_per_hour: str = "0"
    reserve: Resources = field(default=NOTHING, compare=False)  # not for pods, until a node tells its own
    architecture: str = field(default="", compare=False)  # kubernetes.io/arch of its nodes, if that is known
    asked: frozenset[str] = field(default=frozenset(), compare=False)  # capacity types whose price is the provider's

    def price_asked(self, capacity_type: str) -> str:
        """Return what the provider asks for an hour; empty where the spec says the price."""
        if capacity_type not in self.asked:
            return ""
        return self.spot_price_per_hour if capacity_type == "Spot" else self.price_per_hour


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """Everything a provider needs to make one machine; `settings` is `spec.provider.<kind>` as given.

    `strategy` is the environment's allocationStrategy, `max_price` the most that a spot hour may cost ("" for any).
    """

    name: str
    environment: str
    shape: Shape
    capacity_type: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    provider: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    strategy: str = ""
    max_price: str = ""
