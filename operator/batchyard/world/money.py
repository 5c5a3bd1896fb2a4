"""Amounts of money as they stand in statuses, where anybody with the right may have written anything."""

from __future__ import annotations

import re
from decimal import Decimal

_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,12})?")


def read_amount(written: str | None) -> Decimal | None:
    """Return an amount on record; None where there is none, or somebody else has written what is none."""
    return Decimal(written) if written and _AMOUNT.fullmatch(written) else None
