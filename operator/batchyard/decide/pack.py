"""Which nodes for a whole set of pods: each filled for the most value at its price, what fits on few kinds first.

Values are the shadow prices of the resources: those at which no kind of node is worth more than it costs. What is
scarce has a high one, what is left over anyway none. Source of the filling rule: Panigrahy et al., "Heuristics for
Vector Bin Packing" (2011): next comes what points most along what is still free (dot product).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from operator import le, mul

from batchyard.decide.coarsen import Vector, alike
from batchyard.decide.shadow import shadow_prices

_TRIED = 4  # kinds of node that are filled to see which is best, of those whose price promises most
_CLASSES = 120  # of pods that are looked at one by one when a node is filled
_EVEN = 0.2  # of a node's value that goes by what is asked for: what is left over anyway may become scarce too
_ANY = 1 << 60  # nodes: as many as it takes
_STEPS = 4  # for which a kind of node that was found best for the hardest is kept


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of node: what it holds, what it costs, above 0, and whether there are more than those that are there."""

    capacity: Vector
    cost: float
    to_be_had: bool = True


@dataclass(slots=True)
class Stock:
    """Nodes that are there and alike: of which kind, how much each has free, and how many are left to be filled."""

    kind: int
    free: Vector
    count: int


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


class Packing:
    """One problem: kinds of node and lots of pods, of which each step takes some away."""

    def __init__(self, kinds: Sequence[Kind], lots: Sequence[Lot]) -> None:
        self.kinds, self.lots = kinds, lots
        self._usable = {number for number, kind in enumerate(kinds) if kind.to_be_had}
        self._prices: list[float] = []
        self._demand = [sum(lot.left * lot.requests[r] for lot in lots) for r in range(_width(kinds, lots))]
        self._classes = _classes(lots)
        self._fresh = 0  # steps for which the prices may still be used
        self._hardest = sorted(range(len(lots)), key=self._hardness)
        self._kept: tuple[int, int, int] = (-1, -1, 0)  # the hardest, the kind that was best for it, for how many steps
        self._new = {number: [Stock(number, kind.capacity, _ANY)] for number, kind in enumerate(kinds)}

    def _hardness(self, number: int) -> tuple[int, float, int]:
        """Come first what fits on the fewest kinds, then what is largest there."""
        lot = self.lots[number]
        fitting = [self.kinds[kind] for kind in lot.kinds if _fits(lot.requests, self.kinds[kind].capacity)]
        return len(fitting), -min((_share(lot.requests, kind.capacity) for kind in fitting), default=0.0), number

    def all(self) -> Iterator[Pattern]:
        """Yield nodes for everything that any kind that is to be had can hold, from the hardest on."""
        self._use(number for number, kind in enumerate(self.kinds) if kind.to_be_had)
        for number in self._hardest:
            while self.lots[number].left and (found := self._best(number, self._new)) is not None:
                yield self._take(found[0].kind, found[1])

    def put(self, stock: Sequence[Stock]) -> Iterator[tuple[Stock, Pattern]]:
        """Yield what goes to nodes that are there, as if each were bought now.

        So those that were bought for a set are filled with it as was meant, and it needs no more.
        """
        there: defaultdict[int, list[Stock]] = defaultdict(list)
        for each in stock:
            there[each.kind].append(each)
        self._use((*self._usable, *there))
        for number in self._hardest:
            lot = self.lots[number]
            while lot.left and any(_open(stock, lot)) and (found := self._best(number, there)) is not None:
                node, contents = found
                pattern = self._take(node.kind, contents, node.count)
                node.count -= pattern.times
                yield node, pattern

    def _use(self, numbers: Iterable[int]) -> None:
        """Have these kinds make the prices from now on."""
        usable = set(numbers)
        if usable != self._usable:
            self._usable, self._fresh, self._kept = usable, 0, (-1, -1, 0)

    def _best(self, hardest: int, stock: Mapping[int, Sequence[Stock]]) -> tuple[Stock, dict[int, int]] | None:
        """Return the node of `stock` that is worth most at its price with the hardest on it, and what it holds then."""
        prices, lot = self._current(), self.lots[hardest]
        whose, kept, steps = self._kept
        if whose == hardest and steps:
            for node in _open(stock[kept], lot):
                self._kept = (whose, kept, steps - 1)
                return node, self._fill(node.free, kept, hardest)[0]
        total = sum(map(mul, prices, self._demand))
        found, best = None, -inf
        for place, (hope, cost, number) in enumerate(self._hopes(lot, total)):
            if found is not None and (-hope <= best or place >= _TRIED * (1 + (total < cost * _TRIED))):
                break
            for node in _open(stock[number], lot):
                contents, value = self._fill(node.free, number, hardest)
                if value / cost > best:
                    found, best = (node, contents), value / cost
        if found is not None and total > _TRIED * self.kinds[found[0].kind].cost:
            self._kept = (hardest, found[0].kind, _STEPS)
        return found

    def _hopes(self, lot: Lot, total: float) -> list[tuple[float, float, int]]:
        """Return the kinds that a lot may go to by what they promise at most for their price: -promise, cost, kind."""
        hopes = []
        for number in lot.kinds & self._usable:
            kind = self.kinds[number]
            if _fits(lot.requests, kind.capacity):
                promise = min(total, sum(map(mul, self._prices, kind.capacity)))
                hopes.append((-promise / kind.cost, kind.cost, number))
        return sorted(hopes)

    def _current(self) -> list[float]:
        if self._fresh <= 0:
            usable = (self.kinds[number] for number in sorted(self._usable))
            self._prices = shadow_prices([(kind.capacity, kind.cost) for kind in usable], self._demand)
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

    def _take(self, kind: int, contents: dict[int, int], most: int = _ANY) -> Pattern:
        times = min(self.lots[number].left // count for number, count in contents.items())
        times = min(max(times // 2, 1), most)
        for number, count in contents.items():
            lot = self.lots[number]
            lot.left -= times * count
            for r, takes in enumerate(lot.requests):
                self._demand[r] -= times * count * takes
        self._fresh -= 1
        return Pattern(kind, times, tuple(sorted(contents.items())))


def _open(stock: Iterable[Stock], lot: Lot) -> Iterator[Stock]:
    return (node for node in stock if node.count and node.kind in lot.kinds and _fits(lot.requests, node.free))


def _width(kinds: Sequence[Kind], lots: Sequence[Lot]) -> int:
    return len(lots[0].requests) if lots else len(kinds[0].capacity) if kinds else 0


def _fits(requests: Vector, free: Iterable[int]) -> bool:
    return all(map(le, requests, free))


def _share(requests: Vector, capacity: Vector) -> float:
    return max((takes / has for takes, has in zip(requests, capacity, strict=True) if takes), default=0.0)


def _times(requests: Vector, free: Sequence[int]) -> int:
    return min((has // takes for takes, has in zip(requests, free, strict=True) if takes > 0), default=1 << 30)


def _classes(lots: Sequence[Lot]) -> list[list[int]]:
    """Return lots that are of about one size together, the largest last."""
    found = alike([lot.requests for lot in lots], _CLASSES, 16.0)
    for members in found:
        members.sort(key=lambda number: (lots[number].requests, -number))
    return found
