"""To which of the nodes that have room a pod goes: to the fullest of those that suit it best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from batchyard.decide.linger import NO_STAY, PARTS, Stay
from batchyard.decide.needs import Needs, Taste
from batchyard.decide.slots import Slot

_IDLE_DEVICES, _TRIED, _NOT_READY, _WORST = 2 * PARTS, 4 * PARTS, 8 * PARTS, 16 * PARTS  # each outweighs those before


def best(slots: Iterable[Slot], needs: Needs, taste: Taste, stay: Stay = NO_STAY) -> Slot | None:
    """Return the slot that the pod leaves fullest (best fit) of those that suit it best; ties by name.

    Whether a slot accepts the pod is asked last, and of those only that would be better than what was found.
    """
    found, least, rank = None, _WORST, None
    for group, slot in _grouped(slots, needs, taste, stay):
        if group > least:
            continue
        its = (group, slot.free.cpu, slot.free.memory, slot.name)
        if (rank is None or its < rank) and slot.name not in taste.avoid and slot.accepts(needs):
            found, least, rank = slot, group, its
    return found


def ranked(slots: Iterable[Slot], needs: Needs, taste: Taste) -> list[Slot]:
    """Return all slots that the pod may go to, the best first."""
    grouped = [
        (group, slot.free.cpu, slot.free.memory, slot.name, slot)
        for group, slot in _grouped(slots, needs, taste, NO_STAY)
        if slot.name not in taste.avoid and slot.accepts(needs)
    ]
    return [each[-1] for each in sorted(grouped)]  # names are unique


def _grouped(slots: Iterable[Slot], needs: Needs, taste: Taste, stay: Stay) -> Iterator[tuple[int, Slot]]:
    """Yield the slots with CPU for a pod, and how well each suits it, 0 best: in one loop, for it is the hottest.

    Ready and untried ones suit best, then those without devices that it does not need, then those that it keeps up the
    least (decide/linger.py).
    """
    cpu, plain, tried = needs.requests.cpu, not needs.requests.extended, taste.tried
    start, end, part = stay.end - PARTS * stay.part, stay.end, stay.part
    for slot in slots:
        free = slot.free
        if free.cpu < cpu:
            continue
        group = 0 if slot.ready else _NOT_READY
        if slot.until < end:
            group += int((end - slot.until) / part) if slot.until > start else PARTS
        if plain and free.extended:
            group += _IDLE_DEVICES
        if slot.name in tried:
            group += _TRIED
        yield group, slot
