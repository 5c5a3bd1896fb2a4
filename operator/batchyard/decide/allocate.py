"""What a shape of node counts as by spec.allocationStrategy, and whether its spot price is within maxPricePercent.

AWS: BEST_FIT, BEST_FIT_PROGRESSIVE, SPOT_CAPACITY_OPTIMIZED, SPOT_PRICE_CAPACITY_OPTIMIZED and bidPercentage. AWS knows
its pools' depth; what is known here of a shape is how often it was refused or reclaimed lately.
"""

from __future__ import annotations

from decimal import Decimal

from batchyard.decide.cycle import Cycle
from batchyard.decide.price import hourly
from batchyard.model.machine import Shape
from batchyard.world.views import Environment

LATELY = 3600.0  # seconds for which a refusal or a reclaim counts
DEARER = Decimal("0.25")  # for each of them, where price and capacity are weighed
Cost = tuple[int, Decimal]  # what comes first, compared before the price of an hour


def waits_for_best(environment: Environment) -> bool:
    """Say whether the cheapest shape is waited for when it cannot be had (AWS: BEST_FIT)."""
    return environment.strategy == "BestFit"


def cost(cycle: Cycle, environment: Environment, shape: Shape) -> Cost:
    """Return what a node of a shape counts as: its risk where that comes first, and the price of its hour."""
    price = hourly(shape, environment.capacity_type)
    if environment.strategy == "SpotCapacityOptimized":
        return risk(cycle, environment, shape), price
    if environment.strategy == "SpotPriceCapacityOptimized":
        return 0, price * (1 + DEARER * risk(cycle, environment, shape))
    return 0, price


def risk(cycle: Cycle, environment: Environment, shape: Shape) -> int:
    """Return how many nodes of a shape were refused or reclaimed within the last hour."""
    store, where = cycle.store, (environment.name, shape.name)
    reclaims = sum(at > cycle.now - LATELY for at in store.lost.get(where, ()))
    refusal = store.unavailable.get(where)
    return reclaims + (refusal.tries if refusal is not None and refusal.until > cycle.now - LATELY else 0)


def is_available(cycle: Cycle, environment: Environment, shape: Shape) -> bool:
    """Say whether the provider has not lately said that it has none of this shape."""
    refusal = cycle.store.unavailable.get((environment.name, shape.name))
    return refusal is None or refusal.until <= cycle.now


def is_within(environment: Environment, shape: Shape) -> bool:
    """Say whether a shape's spot price is within maxPricePercent of its on-demand price; any is of an unknown one."""
    if environment.capacity_type != "Spot":
        return True
    full = Decimal(shape.price_per_hour)
    return not full or Decimal(shape.spot_price_per_hour) * 100 <= full * environment.max_price_percent


def price_limit(environment: Environment, shape: Shape) -> str:
    """Return the most that a spot hour may cost; empty where that is the on-demand price, a market's own limit."""
    most = Decimal(shape.price_per_hour) * environment.max_price_percent / 100
    return "" if environment.max_price_percent == 100 or not most else f"{most:.6f}"


def excess(environment: Environment, shape: Shape) -> str:
    """Say with numbers that a shape's spot price is too high."""
    spot, full = Decimal(shape.spot_price_per_hour), Decimal(shape.price_per_hour)
    percent = f"{spot * 100 / full:.1f}".removesuffix(".0")
    limit = f"maxPricePercent is {environment.max_price_percent}"
    return f"{shape.name} costs {spot} on spot, {percent} % of {full} on demand, and {limit}"
