"""What a unit of each resource is worth: the dual of the linear relaxation of buying nodes for a demand."""

from __future__ import annotations

from collections.abc import Sequence

from batchyard.decide.coarsen import Vector

_PIVOTS = 64


def shadow_prices(kinds: Sequence[tuple[Vector, float]], demand: Sequence[int]) -> list[float]:
    """Return what a unit of each resource is worth: the most for all of `demand` that no kind exceeds its cost with.

    The demand at these prices is what the linear relaxation costs, which no packing beats. Simplex method on the dual.
    """
    wanted = [r for r, amount in enumerate(demand) if amount > 0]
    rows = [[capacity[r] / demand[r] for r in wanted] + [cost] for capacity, cost in kinds]
    aims, owners, columns = [1.0] * len(wanted), [-1] * len(rows), list(range(len(wanted)))
    for _ in range(_PIVOTS):
        column = max(range(len(wanted)), key=aims.__getitem__, default=0)
        ratios = [(row[-1] / row[column], number) for number, row in enumerate(rows) if row and row[column] > 1e-12]
        if not wanted or aims[column] <= 1e-12 or not ratios:
            break
        _, leaving = min(ratios)
        _pivot(rows, aims, leaving, column)
        owners[leaving], columns[column] = columns[column], owners[leaving]
    prices = [0.0] * len(demand)
    for owner, row in zip(owners, rows, strict=True):
        if owner >= 0:
            prices[wanted[owner]] = max(row[-1], 0.0) / demand[wanted[owner]]
    return prices


def _pivot(rows: list[list[float]], aims: list[float], leaving: int, column: int) -> None:
    pivot = rows[leaving]
    head = pivot[column]
    rows[leaving] = pivot = [1 / head if place == column else each / head for place, each in enumerate(pivot)]
    for number, row in enumerate(rows):
        factor = row[column]
        if number != leaving and factor:
            row[:] = [each - factor * its for each, its in zip(row, pivot, strict=True)]
            row[column] = -factor / head
    factor = aims[column]
    aims[:] = [each - factor * its for each, its in zip(aims, pivot[:-1], strict=True)]
    aims[column] = -factor / head
