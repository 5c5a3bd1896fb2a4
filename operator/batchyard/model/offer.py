"""What a provider offers under the names of spec.instanceTypes: sizes and prices that a spec need not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batchyard.model.resources import Resources

NOTABLE = Decimal("0.01")  # a price that has moved by less than this part of it has not moved
UNREACHABLE = "ProviderUnavailable"  # the reason of a problem that passes by itself


@dataclass(frozen=True, slots=True)
class Offer:
    """One instance type as its provider has it; None and empty: the provider has not told.

    `resources` are those of the whole machine, prices are Decimal strings per hour, `read_at` is unix seconds.
    """

    name: str
    resources: Resources | None = None
    architecture: str = ""  # as the label kubernetes.io/arch has it
    price_per_hour: str = ""
    spot_price_per_hour: str = ""
    read_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What an environment's spec leaves to its provider: names by what is to be found out of them.

    `settings` is `spec.provider.<kind>` as given.
    """

    settings: Mapping[str, Any]
    sizes: tuple[str, ...] = ()
    prices: tuple[str, ...] = ()
    spot_prices: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name that is asked for, once."""
        return tuple(dict.fromkeys((*self.sizes, *self.prices, *self.spot_prices)))


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be found out: a stable token, and a sentence that names the field and the fix."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Quotation:
    """A provider's answer to an inquiry: what it knows by now, and what it could not find out."""

    offers: tuple[Offer, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of spec.instanceTypes as it is written; None and empty: the provider is to say it."""

    name: str
    resources: Resources | None
    pods: int
    extended: tuple[tuple[str, int], ...] = ()
    price_per_hour: str = ""
    spot_price_per_hour: str = ""


def moved(old: str, new: str) -> bool:
    """Say whether a price is another one, or known at last; one that is not known any more has not moved."""
    if not old or not new:
        return bool(new)
    return abs(Decimal(new) - Decimal(old)) > NOTABLE * Decimal(old)
