"""What an attempt cost: its largest share of the node's price for the time it ran."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

from batchyard.model.machine import Machine, Shape
from batchyard.model.resources import Resources
from batchyard.world.money import CENTS, FINE
from batchyard.world.views import Attempt

SHORTEST = 1.0  # second: the times in a pod are whole seconds, and what ran within one has cost something
_MOST = Decimal(10) ** 12
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]+)?")


def hourly(shape: Shape, capacity_type: str) -> Decimal:
    """Return the price of a node's hour."""
    return Decimal(shape.spot_price_per_hour if capacity_type == "Spot" else shape.price_per_hour)


def paid(machine: Machine, shape: Shape) -> Decimal:
    """Return the price of a machine's hour: that of its launch, where the provider's price was taken."""
    return Decimal(machine.price_per_hour) if machine.price_per_hour else hourly(shape, machine.capacity_type)


@lru_cache(maxsize=4096)
def at_price(shape: Shape, price: str) -> Shape:
    """Return a shape as one of its nodes is paid for."""
    return replace(shape, price_per_hour=price, spot_price_per_hour=price)


@lru_cache(maxsize=4096)
def rate(shape: Shape, capacity_type: str, requests: Resources) -> Decimal:
    """Return what a pod costs a second."""
    return (hourly(shape, capacity_type) * part(shape, requests) / 3600).quantize(FINE)


def part(shape: Shape, requests: Resources) -> Decimal:
    """Return the largest share of the node that a pod takes; how many pods a node may have is not what one pays for.

    It is all of it at most: a shape that has become smaller, or lost its devices, is not what the node was made from.
    """
    paid_for = Resources(cpu=requests.cpu, memory=requests.memory, extended=requests.extended)
    return Decimal(str(min(paid_for.share_of(shape.resources), 1.0)))


def cost(shape: Shape, capacity_type: str, requests: Resources, seconds: float | None) -> str:
    """Return a pod's cost: price of the node's hour x its largest share (CPU, memory, devices) x time.

    What started is paid for a second at least; `seconds` None: it never did.
    """
    paid = Decimal(0 if seconds is None else str(max(seconds, SHORTEST)))
    amount = hourly(shape, capacity_type) * part(shape, requests) * paid / 3600
    return str(min(amount, _MOST).quantize(CENTS))


def job_cost(attempts: Iterable[Attempt]) -> dict[str, str] | None:
    """Return {amount, wasted} of all ended attempts, None if nothing is known to cost anything."""
    priced = [(_read(a.cost), a.reason == "Completed") for a in attempts if a.cost is not None]
    if not priced:
        return None
    amount = sum((cost for cost, _ in priced), Decimal(0))
    wasted = sum((cost for cost, useful in priced if not useful), Decimal(0))
    return {"amount": str(min(amount, _MOST)), "wasted": str(min(wasted, _MOST))}


def _read(written: str) -> Decimal:
    """Return a cost on record; nothing where somebody has written what is none."""
    return Decimal(written) if _AMOUNT.fullmatch(written) else Decimal(0)
