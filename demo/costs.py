"""What the demo's nodes cost and who had it, as the environments' statuses tell it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from demo.kubectl import Kubectl
from demo.screen import money

PARTS = ("useful", "wasted", "running", "idle")
WAIT_SECONDS = 45.0  # an account is written ten seconds after the last pod has ended
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Costs:
    """The accounts of the demo's environments, added up; of former runs too, if the environments are older."""

    nodes: Decimal = Decimal(0)
    parts: Mapping[str, Decimal] = field(default_factory=dict)
    counted: datetime | None = None  # until when, the earliest of all

    @property
    def claim(self) -> tuple[str, bool]:
        """The claim of the demo, and whether it holds."""
        adds_up = self.nodes > 0 and sum(self.parts.values()) == self.nodes
        return "useful, wasted, running and idle money add up to what the nodes cost", adds_up

    def sentence(self) -> str:
        """Say it for people."""
        parts = " + ".join(f"{money(amount)} {name}" for name, amount in self.parts.items())
        return f"The nodes themselves: {money(self.nodes)} = {parts}."


def read(bodies: Iterable[Mapping[str, Any]]) -> Costs:
    """Add up status.cost of environments; those that have had no node have none."""
    told = [cost for body in bodies if (cost := (body.get("status") or {}).get("cost"))]
    if not told:
        return Costs()
    parts = {part: sum((Decimal(cost[part]) for cost in told), Decimal(0)) for part in PARTS}
    counted = min(datetime.fromisoformat(cost["updatedAt"]).astimezone(UTC) for cost in told)
    return Costs(sum((Decimal(cost["nodes"]) for cost in told), Decimal(0)), parts, counted)


def settled(kubectl: Kubectl, environments: Iterable[str], ended: datetime) -> Costs:
    """Return the accounts once they tell of everything until then; after some time as they stand."""
    deadline, wanted = time.monotonic() + WAIT_SECONDS, frozenset(environments)
    while True:
        bodies = kubectl.items("computeenvironments")
        found = read(body for body in bodies if body["metadata"]["name"] in wanted)
        whole = found.counted is not None and found.counted >= ended and not found.parts["running"]
        if whole or time.monotonic() > deadline:
            return found
        time.sleep(POLL_SECONDS)
