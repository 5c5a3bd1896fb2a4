"""More memory for the container that was OOM-killed (retry.onOutOfMemory)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from batchyard.model.resources import whole
from batchyard.world.specs import OnOutOfMemory
from batchyard.world.views import Attempt


def enlarge(template: Mapping[str, Any], rule: OnOutOfMemory | None, attempts: Iterable[Attempt]) -> Mapping[str, Any]:
    """Return the template with each OOM-killed container's memory multiplied once per kill, up to maxMemory."""
    kills = Counter(a.container for a in attempts if a.reason == "OutOfMemory" and a.container)
    if rule is None or not kills:
        return template
    spec = dict(template["spec"])
    for group in ("initContainers", "containers"):
        if spec.get(group):
            spec[group] = [_grown(container, rule, kills[container["name"]]) for container in spec[group]]
    return {**template, "spec": spec}


def _grown(container: Mapping[str, Any], rule: OnOutOfMemory, kills: int) -> Mapping[str, Any]:
    if not kills or not container.get("resources"):
        return container
    resources = {
        side: {**amounts, "memory": str(_grow(amounts["memory"], rule, kills))} if "memory" in amounts else amounts
        for side, amounts in container["resources"].items()
        if isinstance(amounts, Mapping)
    }
    return {**container, "resources": {**container["resources"], **resources}}


def _grow(amount: str, rule: OnOutOfMemory, kills: int) -> int:
    start = whole(amount)
    grown = int(start * Decimal(rule.memory_factor) ** kills)
    return max(start, min(grown, whole(rule.max_memory))) if rule.max_memory else grown
