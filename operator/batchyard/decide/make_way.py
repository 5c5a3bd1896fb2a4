"""Idle nodes make way at once for the first that waits, where nothing but maxVCpus keeps its node from coming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from batchyard.decide.allocate import is_available
from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.explain import Verdict
from batchyard.decide.gang_place import Search, lacking, present
from batchyard.decide.needs import Needs
from batchyard.decide.room import Pool, has_jobs
from batchyard.decide.scale import shape_fits, unrecorded
from batchyard.decide.slots import Slot


def make_way(cycle: Cycle, pool: Pool, ask: Ask, verdict: Verdict) -> Verdict | None:
    """Have as few idle nodes go as let those for `ask` come; return what to say then, None if it would not help.

    Without it the first in line would wait for scaleDownDelaySeconds to pass, and with it everybody behind.
    """
    environment = pool.environment
    if verdict.verdict != "AtMaxVCpus" or not environment.managed or pool.used + ask.cpu > pool.limit:
        return None
    stays, size = _wanted(cycle, pool, ask)
    excess = pool.vcpus - pool.leaving + size - pool.limit
    chosen = _fewest(_idle(cycle, pool, stays), excess) if size else []
    pool.coming = size if chosen or excess <= 0 else 0
    if not chosen:
        return None
    pool.yielding.update((slot.name, f"makes way for a node for {ask.job.name}, which waits first") for slot in chosen)
    pool.slots = [slot for slot in pool.slots if slot.name not in pool.yielding]
    more = f"; {len(chosen)} idle nodes make way" if len(chosen) > 1 else "; an idle node makes way"
    return replace(verdict, have=verdict.have + more, words=verdict.words and verdict.words + more)


def _wanted(cycle: Cycle, pool: Pool, ask: Ask) -> tuple[frozenset[str], int]:
    """Return the nodes that the job will use and the millicores of those that must come; 0 if they cannot."""
    if not ask.sets:
        return frozenset(), _smallest(cycle, pool, ask.needs)
    found = present(Search(cycle, pool, ask, [ask]), ask.taste)
    sizes = [_smallest(cycle, pool, pods.needs) for pods, _ in lacking(ask, found)]
    return frozenset(slot.name for slot in found.values()), sum(sizes) if all(sizes) else 0


def _smallest(cycle: Cycle, pool: Pool, needs: Needs) -> int:
    shapes = pool.environment.shapes
    fitting = [
        s for s in shapes if shape_fits(cycle.store, pool, s, needs) and is_available(cycle, pool.environment, s)
    ]
    return min((shape.resources.cpu for shape in fitting), default=0)


def _idle(cycle: Cycle, pool: Pool, stays: frozenset[str]) -> Iterator[Slot]:
    taken = stays | cycle.claimed | pool.expected | unrecorded(cycle)
    for slot in pool.slots:
        if slot.ready and slot.shape and slot.name not in taken and not has_jobs(cycle.store, slot.name):
            yield slot


def _fewest(idle: Iterator[Slot], excess: int) -> Sequence[Slot]:
    """Return the fewest nodes of so many millicores together, none if there are not enough."""
    if excess <= 0:
        return ()  # room comes without it
    chosen: list[Slot] = []
    for slot in sorted(idle, key=lambda slot: (-_size(slot), slot.name)):
        if excess > 0:
            chosen.append(slot)
            excess -= _size(slot)
    return chosen if excess <= 0 else ()


def _size(slot: Slot) -> int:
    return slot.shape.resources.cpu if slot.shape else 0
