"""Money: amounts as they stand in statuses, where anybody may have written anything, and what spans of time cost."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

NOTHING = Decimal(0)
CENTS = Decimal("0.000001")  # what amounts are written to
FINE = Decimal("0.000000000001")  # what accounts are kept to
_MOST = Decimal(10) ** 12  # that one span costs, whatever times somebody has written into a pod
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,12})?")


def read_amount(written: str | None) -> Decimal | None:
    """Return an amount on record; None where there is none, or somebody else has written what is none."""
    return Decimal(written) if written and _AMOUNT.fullmatch(written) else None


@lru_cache(maxsize=1024)  # a counting asks for the same two times once a node
def exact(when: float) -> Decimal:
    """Return seconds to the millisecond: the one way in which times enter sums of money."""
    return Decimal(round(when * 1000)).scaleb(-3)


def worth(rate: Decimal, since: float, until: float) -> Decimal:
    """Return what a span of time costs at so much a second, nothing where its end is not later than its start."""
    if until <= since:
        return NOTHING
    return min(rate * (exact(until) - exact(since)), _MOST).quantize(FINE)
