"""Which sizes count as one where there are too many of them to look at each."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2

Vector = tuple[int, ...]  # amounts of the resources of one problem, in an order of its own

_EXACT = 1e9  # parts of a doubling: so many that each size is one of its own
_COARSEST = 0.3


def alike(sizes: Sequence[Vector], most: int, parts: float, apart: Sequence[object] = ()) -> list[list[int]]:
    """Return the numbers of those that are of about one size together, as `most` groups at most if that can be.

    Each size is a group of its own where that is few enough; else every doubling of an amount is cut into so many
    `parts`, and into fewer and fewer. What differs in `apart` is never together.
    """
    manners = apart or [None] * len(sizes)
    logs = [tuple(log2(each) if each > 0 else -1.0 for each in size) for size in sizes]
    steps = _EXACT
    while True:
        found: dict[object, list[int]] = {}
        for number, size in enumerate(logs):
            rounded = tuple(floor(each * steps) for each in size)
            found.setdefault((rounded, manners[number]), []).append(number)
        if len(found) <= most or steps < _COARSEST:
            return list(found.values())
        steps = parts if steps > parts else steps / 1.4
