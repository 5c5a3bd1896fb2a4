"""Who is to sit where on nodes that are coming or must come: seats for all that wait, laid out at once.

A node that is ready is filled in order, at once. For the others there is time: the whole set of waiting pods is packed
on those that are on their way, and the rest on shapes to be launched. A seat is advice, not a right: who has none takes
what is free before a node is launched for him that no seat needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from batchyard.decide.allocate import cost, is_available, is_within, waits_for_best
from batchyard.decide.choose import best
from batchyard.decide.coarsen import Vector, alike
from batchyard.decide.cycle import Cycle
from batchyard.decide.linger import NO_STAY, Stay
from batchyard.decide.needs import Needs, Taste, selects, tolerates
from batchyard.decide.pack import Kind, Lot, Packing, Pattern, Stock
from batchyard.decide.room import Pool, capacity, shape_labels
from batchyard.decide.slots import Slot
from batchyard.model.machine import Shape
from batchyard.model.resources import NOTHING, Resources
from batchyard.world.views import Environment

MOST_LOTS = 500  # of more different sizes, those that are about the same are packed as the largest of them
_DEARER = 1000.0  # where capacity comes first, what each loss multiplies a shape's price by
Wanted = Mapping[Needs, int]


@dataclass(slots=True)
class Node:
    """A node to be launched: its shape, and who is to sit on it."""

    shape: Shape
    seats: dict[Needs, int]
    launched: bool = False


@dataclass(slots=True)
class Layout:
    """The seats of one environment in one decision; room only shrinks, so what was looked at once is not again."""

    pool: Pool
    ready: list[Slot]
    away: list[Slot]  # not ready: there already, then planned
    seats: defaultdict[Needs, list[Slot]] = field(default_factory=lambda: defaultdict(list))
    kept: dict[str, Resources] = field(default_factory=dict)  # by node, for its seats
    plans: defaultdict[Needs, list[Node]] = field(default_factory=lambda: defaultdict(list))
    full: set[Needs] = field(default_factory=set)  # who found no node that is ready
    seen: dict[tuple[Needs, bool], int] = field(default_factory=dict)  # how many of `away` have no room for whom

    def slot(self, needs: Needs, taste: Taste, stay: Stay = NO_STAY) -> Slot | None:
        """Return room for a pod: on a node that is ready, its seat, what nobody is to have."""
        if needs not in self.full or taste.avoid:
            found = best(self.ready, needs, taste, stay)
            if found is not None:
                return found
            if not taste.avoid:
                self.full.add(needs)
        return self._seat(needs, taste) or self._spare(needs, taste, robs=False)

    def robbed(self, needs: Needs, taste: Taste) -> Slot | None:
        """Return room that others were to have: better than a node that the whole set does not need."""
        return self._spare(needs, taste, robs=True)

    def _seat(self, needs: Needs, taste: Taste) -> Slot | None:
        mine = self.seats.get(needs)
        while mine:
            slot = mine.pop()
            self.kept[slot.name] = self.kept[slot.name] - needs.requests
            if slot.name not in taste.avoid and slot.accepts(needs):
                return slot
        return None

    def _spare(self, needs: Needs, taste: Taste, *, robs: bool) -> Slot | None:
        which = (needs, robs)
        for place in range(0 if taste.avoid else self.seen.get(which, 0), len(self.away)):
            slot = self.away[place]
            free = slot.free if robs else slot.free - self.kept.get(slot.name, NOTHING)
            if needs.requests.fits(free) and slot.name not in taste.avoid and slot.accepts(needs):
                if not taste.avoid:
                    self.seen[which] = place
                return slot
        if not taste.avoid:
            self.seen[which] = len(self.away)
        return None

    def plan(self, needs: Needs) -> Node | None:
        """Return the node that is to be launched next for a pod, None if none was laid out for it."""
        mine = self.plans.get(needs)
        while mine and mine[-1].launched:
            mine.pop()
        return mine[-1] if mine else None

    def add(self, slot: Slot, node: Node | None) -> None:
        """Take in that a node is launched, as it was laid out or otherwise."""
        self.away.append(slot)
        if node is not None:
            node.launched = True
            self.reserve(slot, node.seats)

    def reserve(self, slot: Slot, seats: Mapping[Needs, int]) -> None:
        """Keep seats on a node."""
        for needs, count in seats.items():
            self.seats[needs].extend([slot] * count)
            for _ in range(count):
                self.kept[slot.name] = self.kept.get(slot.name, NOTHING) + needs.requests


def lay_out(cycle: Cycle, pool: Pool, asked: Callable[[], Wanted]) -> Layout:
    """Give seats to all that are wanted: on nodes that are on their way, then on shapes that must be launched.

    Who is wanted is only asked where there may be seats.
    """
    away = [slot for slot in (*pool.slots, *pool.planned) if not slot.ready]
    layout = Layout(pool, [slot for slot in pool.slots if slot.ready], away)
    to_be_had = [_is_to_be_had(cycle, pool, shape) for shape in pool.environment.shapes]
    wanted = asked() if away or any(to_be_had) else {}
    if not wanted:
        return layout
    problem = _Problem(cycle, pool, to_be_had, wanted)
    problem.seat(layout)
    problem.launch(layout)
    return layout


def _is_to_be_had(cycle: Cycle, pool: Pool, shape: Shape) -> bool:
    environment = pool.environment
    if not is_within(environment, shape) or pool.vcpus + shape.resources.cpu > pool.limit:
        return False
    return waits_for_best(environment) or is_available(cycle, environment, shape)


def _cost(cycle: Cycle, environment: Environment, shape: Shape) -> float:
    """Return what a shape counts as; a free one costs next to nothing."""
    before, price = cost(cycle, environment, shape)
    return (float(price) + 1e-9 * max(shape.resources.cpu, 1)) * _DEARER ** min(before, 20)


class _Problem:
    """The packing problem of one environment, and back from its numbers to pods and shapes."""

    def __init__(self, cycle: Cycle, pool: Pool, to_be_had: Sequence[bool], wanted: Wanted) -> None:
        environment = pool.environment
        self._shapes = environment.shapes
        self._numbers = {shape.name: number for number, shape in enumerate(self._shapes)}
        rooms = [capacity(cycle.store, environment, shape) for shape in self._shapes]
        self._names = sorted({name for each in (*rooms, *(n.requests for n in wanted)) for name, _ in each.extended})
        costs = [_cost(cycle, environment, shape) for shape in self._shapes]
        kinds = [Kind(*each) for each in zip(map(self._vector, rooms), costs, to_be_had, strict=True)]
        self._members: list[list[tuple[Needs, int]]] = []
        self._packing = Packing(kinds, list(self._lots(environment, wanted)))

    def _lots(self, environment: Environment, wanted: Wanted) -> Iterator[Lot]:
        """Yield pods of about one size that may go to the same nodes as lots, each as large as the largest of them."""
        labels = [shape_labels(environment, shape) for shape in self._shapes]
        sizes, pods = [self._vector(needs.requests) for needs in wanted], list(wanted.items())
        manners = [(needs.selector, needs.tolerations, needs.affinity) for needs in wanted]
        kinds: dict[object, frozenset[int]] = {}
        for group in alike(sizes, MOST_LOTS, 16.0, manners):
            needs, manner = pods[group[0]][0], manners[group[0]]
            if manner not in kinds:
                tolerated = tolerates(needs, environment.taints) is None
                kinds[manner] = frozenset(n for n, each in enumerate(labels) if tolerated and selects(needs, each))
            largest = tuple(map(max, zip(*(sizes[number] for number in group), strict=True)))
            yield Lot(largest, sum(pods[number][1] for number in group), kinds[manner])
            self._members.append([pods[number] for number in reversed(group)])

    def _vector(self, amounts: Resources) -> Vector:
        extended = dict(amounts.extended)
        return amounts.cpu, amounts.memory, amounts.pods, *(extended.get(name, 0) for name in self._names)

    def seat(self, layout: Layout) -> None:
        """Fill the nodes that are on their way, those that are alike alike."""
        groups: defaultdict[tuple[int, Vector], list[Slot]] = defaultdict(list)
        for slot in layout.away:
            number = self._numbers.get(slot.shape.name) if slot.shape else None
            if number is not None:
                groups[number, self._vector(slot.free)].append(slot)
        stock = [Stock(number, free, len(slots)) for (number, free), slots in groups.items()]
        for node, pattern in self._packing.put(stock):
            for seats in self._nodes(pattern):
                layout.reserve(groups[node.kind, node.free].pop(), seats)

    def launch(self, layout: Layout) -> None:
        """Lay out nodes for the rest."""
        nodes = [
            Node(self._shapes[pattern.kind], seats)
            for pattern in self._packing.all() for seats in self._nodes(pattern)
        ]  # fmt: skip
        for node in reversed(nodes):  # the last of a list is launched first
            for needs in node.seats:
                layout.plans[needs].append(node)

    def _nodes(self, pattern: Pattern) -> Iterator[dict[Needs, int]]:
        for _ in range(pattern.times):
            seats: dict[Needs, int] = {}
            for lot, count in pattern.contents:
                self._draw(lot, count, seats)
            yield seats

    def _draw(self, lot: int, count: int, seats: dict[Needs, int]) -> None:
        members = self._members[lot]
        while count:
            needs, left = members.pop()
            taken = min(left, count)
            seats[needs] = seats.get(needs, 0) + taken
            count -= taken
            if left > taken:
                members.append((needs, left - taken))
