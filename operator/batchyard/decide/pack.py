"""Which nodes for a whole set of pods: each filled for the most value at its price, what fits on few kinds first.

Values are the shadow prices of the resources: those at which no kind of node is worth more than it costs. What is
scarce has a high one, what is left over anyway none. Source of the filling rule: Panigrahy et al., "Heuristics for
Vector Bin Packing" (2011): next comes what points most along what is still free (dot product).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, log2, sqrt
from operator import le, mul

Vector = tuple[int, ...]  # amounts of the resources of one problem, in an order of its own

_TRIED = 4  # kinds of node that are filled to see which is best, of those whose price promises most
_PIVOTS = 64
_CLASSES = 120  # of pods that are looked at one by one when a node is filled
_EVEN = 0.2  # of a node's value that goes by what is asked for: what is left over anyway may become scarce too
_STEPS = 4  # for which a kind of node that was found best for the hardest is kept


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of node: what it holds, and what it costs, above 0; infinite: there are some, and none is to be had."""

    capacity: Vector
    cost: float


@dataclass(slots=True)
class Lot:
    """Pods that are alike: what each takes, how many are left, and the kinds of node they may go to, by number."""

    requests: Vector
    left: int
    kinds: frozenset[int]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Nodes that are filled alike: of which kind, how many, and how many of which lot each holds."""

    kind: int
    times: int
    contents: tuple[tuple[int, int], ...]


def shadow_prices(kinds: Sequence[Kind], demand: Sequence[int]) -> list[float]:
    """Return what a unit of each resource is worth: the most for all of `demand` that no kind exceeds its cost with.

    The demand at these prices is what the linear relaxation costs, which no packing beats. Simplex method on the dual.
    """
    wanted = [r for r, amount in enumerate(demand) if amount > 0]
    rows = [[kind.capacity[r] / demand[r] for r in wanted] + [kind.cost] for kind in kinds]
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


class Packing:
    """One problem: kinds of node and lots of pods, of which each step takes some away."""

    def __init__(self, kinds: Sequence[Kind], lots: Sequence[Lot]) -> None:
        self.kinds, self.lots = kinds, lots
        self._prices: list[float] = []
        self._demand = [sum(lot.left * lot.requests[r] for lot in lots) for r in range(_width(kinds, lots))]
        self._classes = _classes(lots)
        self._fresh = 0  # steps for which the prices may still be used
        self._hardest = sorted(range(len(lots)), key=self._hardness)
        self._at = 0
        self._kept: tuple[int, int, int] = (-1, -1, 0)  # the hardest, the kind that was best for it, for how many steps

    def _hardness(self, number: int) -> tuple[int, float, int]:
        """Come first what fits on the fewest kinds, then what is largest there."""
        lot = self.lots[number]
        fitting = [self.kinds[kind] for kind in lot.kinds if _fits(lot.requests, self.kinds[kind].capacity)]
        return len(fitting), -min((_share(lot.requests, kind.capacity) for kind in fitting), default=0.0), number

    def all(self) -> list[Pattern]:
        """Return nodes for everything that any kind can hold."""
        found = []
        while (pattern := self.next()) is not None:
            found.append(pattern)
        return found

    def next(self) -> Pattern | None:
        """Return the nodes for the hardest that is left and what goes with it; None when nothing is left."""
        while self._at < len(self._hardest):
            number = self._hardest[self._at]
            found = self._best(number) if self.lots[number].left else None
            if found is not None:
                return self._take(*found)
            self._at += 1
        return None

    def put(self, capacity: Vector, kind: int, most: int) -> Pattern | None:
        """Return what goes to nodes that are there, so many at most, with this much free, None if nothing does."""
        for number in self._hardest[self._at :]:
            lot = self.lots[number]
            if lot.left and kind in lot.kinds and _fits(lot.requests, capacity):
                return self._take(kind, self._fill(capacity, kind, number)[0], most)
        return None

    def _best(self, hardest: int) -> tuple[int, dict[int, int]] | None:
        prices, lot = self._current(), self.lots[hardest]
        whose, kept, steps = self._kept
        if whose == hardest and steps:
            self._kept = (whose, kept, steps - 1)
            return kept, self._fill(self.kinds[kept].capacity, kept, hardest)[0]
        total = sum(map(mul, prices, self._demand))
        hopes = []
        for number in lot.kinds:
            kind = self.kinds[number]
            if kind.cost < inf and _fits(lot.requests, kind.capacity):
                hopes.append((-min(total, sum(map(mul, prices, kind.capacity))) / kind.cost, kind.cost, number))
        hopes.sort()
        found, best = None, -inf
        for place, (hope, cost, number) in enumerate(hopes):
            if -hope <= best or place >= _TRIED * (1 + (total < cost * _TRIED)):
                break
            contents, value = self._fill(self.kinds[number].capacity, number, hardest)
            if value / cost > best:
                found, best = (number, contents), value / cost
        if found is not None and total > _TRIED * self.kinds[found[0]].cost:
            self._kept = (hardest, found[0], _STEPS)
        return found

    def _current(self) -> list[float]:
        if self._fresh <= 0:
            self._prices = shadow_prices([kind for kind in self.kinds if kind.cost < inf], self._demand)
            self._fresh = _STEPS
        return self._prices

    def _fill(self, capacity: Vector, kind: int, first: int) -> tuple[dict[int, int], float]:
        """Return what goes on one node, and what that is worth; `first` goes first."""
        prices = self._evened(capacity)
        weights = [price / has if has > 0 else 0.0 for price, has in zip(prices, capacity, strict=True)]
        contents = {first: 1}
        free = [has - takes for has, takes in zip(capacity, self.lots[first].requests, strict=True)]
        active = []
        for members in self._classes:
            head = self._head(members, (kind, free, contents))
            if head >= 0:
                active.append((self._pull(head, weights), self.lots[head].requests, head, members))
        while active:
            best = max(active, key=lambda each: sum(map(mul, each[0], free)))
            _, takes, number, members = best
            count = min(self.lots[number].left - contents.get(number, 0), _times(takes, free))
            if count > 0:
                count = max(count // 4, 1)
                contents[number] = contents.get(number, 0) + count
                free = [have - count * each for have, each in zip(free, takes, strict=True)]
            active = [each for each in active if each is not best and all(map(le, each[1], free))]
            head = self._head(members, (kind, free, contents))
            if head >= 0:
                active.append((self._pull(head, weights), self.lots[head].requests, head, members))
        used = [have - rest for have, rest in zip(capacity, free, strict=True)]
        return contents, sum(map(mul, prices, used))

    def _evened(self, capacity: Vector) -> list[float]:
        """Return the prices, to a small part by what is asked for of each resource beside what a node has of it."""
        prices = self._current()
        worth = sum(map(mul, prices, capacity)) or 1.0
        shares = [asked / has if has > 0 else 0.0 for asked, has in zip(self._demand, capacity, strict=True)]
        part = _EVEN * worth / (sum(shares) or 1.0)
        return [
            (1 - _EVEN) * price + (part * share / has if has > 0 else 0.0)
            for price, share, has in zip(prices, shares, capacity, strict=True)
        ]

    def _pull(self, number: int, weights: Sequence[float]) -> list[float]:
        """Return what a lot is multiplied with for its pull: of a pod's direction, not of its size."""
        takes = self.lots[number].requests
        pull = list(map(mul, weights, takes))
        length = sqrt(sum(map(mul, pull, takes)))
        return [each / length for each in pull] if length else pull

    def _head(self, members: list[int], node: tuple[int, Sequence[int], dict[int, int]]) -> int:
        """Return the first lot of a class that still fits on the node, -1 if none does; lots that are empty leave."""
        kind, free, contents = node
        while members and not self.lots[members[-1]].left:
            members.pop()
        for number in reversed(members):
            lot = self.lots[number]
            if lot.left > contents.get(number, 0) and kind in lot.kinds and all(map(le, lot.requests, free)):
                return number
        return -1

    def _take(self, kind: int, contents: dict[int, int], most: int = 1 << 60) -> Pattern:
        times = min(self.lots[number].left // count for number, count in contents.items())
        times = min(max(times // 2, 1), most)
        for number, count in contents.items():
            lot = self.lots[number]
            lot.left -= times * count
            for r, takes in enumerate(lot.requests):
                self._demand[r] -= times * count * takes
        self._fresh -= 1
        return Pattern(kind, times, tuple(sorted(contents.items())))


def _width(kinds: Sequence[Kind], lots: Sequence[Lot]) -> int:
    return len(lots[0].requests) if lots else len(kinds[0].capacity) if kinds else 0


def _fits(requests: Vector, free: Iterable[int]) -> bool:
    return all(map(le, requests, free))


def _share(requests: Vector, capacity: Vector) -> float:
    return max((takes / has for takes, has in zip(requests, capacity, strict=True) if takes), default=0.0)


def _times(requests: Vector, free: Sequence[int]) -> int:
    return min((has // takes for takes, has in zip(requests, free, strict=True) if takes > 0), default=1 << 30)


def _classes(lots: Sequence[Lot]) -> list[list[int]]:
    """Return lots that are of about one size together, the largest last; the more there are the coarser."""
    steps = 1e9
    while True:
        found: dict[object, list[int]] = {}
        for number, lot in enumerate(lots):
            size = tuple(int(log2(takes) * steps) if takes > 0 else -1 for takes in lot.requests)
            found.setdefault(size, []).append(number)
        if len(found) <= _CLASSES or steps < 0.3:
            break
        steps = 2.0 if steps > 2 else steps / 1.5
    for members in found.values():
        members.sort(key=lambda number: (lots[number].requests, -number))
    return list(found.values())
