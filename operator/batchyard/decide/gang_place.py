"""Room for a multi-node job: a node of one environment for each of its pods, or none at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchyard.decide.choose import ranked
from batchyard.decide.cycle import Ask, Cycle, PodSet
from batchyard.decide.explain import Verdict, too_large
from batchyard.decide.needs import Taste
from batchyard.decide.room import Pool, below_limit
from batchyard.decide.scale import grow, shape_fits
from batchyard.decide.slots import Slot
from batchyard.model.resources import Resources
from batchyard.world.store import Store

Found = dict[int, Slot]


@dataclass(frozen=True, slots=True)
class Search:
    """What looking for room needs to know; `upcoming` are the asks for which a new node's shape is chosen."""

    cycle: Cycle
    pool: Pool
    ask: Ask
    upcoming: Sequence[Ask]


def gather(search: Search, taste: Taste) -> Found | Verdict:
    """Return a slot for each node of the job, ready or on its way, or why there are not enough.

    Nodes are launched only if with them all are there; each node takes one pod of the job (AWS: one instance a node).
    """
    pool, ask = search.pool, search.ask
    if pool.limit and pool.used + ask.cpu > pool.limit:
        return gang_too_large(search.cycle.store, pool, ask) or _verdict(search, "AtMaxVCpus", below_limit(pool))
    found = present(search, taste)
    missing = lacking(ask, found)
    if not missing:
        return found
    unfit = gang_too_large(search.cycle.store, pool, ask)
    if unfit is not None:
        return unfit
    if not pool.environment.managed:
        return _verdict(search, "NodesBusy", f"room for {len(found)}")
    return _launched(search, found, missing)


def present(search: Search, taste: Taste) -> Found:
    """Give out the nodes that are there or on their way, first to the pods that fit on the fewest."""
    every = [*search.pool.slots, *search.pool.planned]
    choices = [(pods, ranked(every, pods.needs, taste)) for pods in search.ask.sets]
    choices.sort(key=lambda choice: (len(choice[1]), -choice[0].needs.requests.cpu, choice[0].nodes))
    found: Found = {}
    taken: set[str] = set()
    for pods, slots in choices:
        free = [slot for slot in slots if slot.name not in taken]
        given = dict(zip(pods.nodes, free, strict=False))
        found |= given
        taken.update(slot.name for slot in given.values())
    return found


def lacking(ask: Ask, found: Found) -> list[tuple[PodSet, int]]:
    """Return the nodes of the job for which nothing was found."""
    return [(pods, node) for pods in ask.sets for node in pods.nodes if node not in found]


def _launched(search: Search, found: Found, missing: Sequence[tuple[PodSet, int]]) -> Found | Verdict:
    """Plan a node for each pod that has none; take all plans back if one of them cannot be had."""
    pool, plan = search.pool, search.cycle.plan
    before = len(plan.verbs), len(pool.planned), pool.vcpus
    added: Found = {}
    for pods, node in missing:
        ask = Ask(search.ask.standing, pods.needs, search.ask.attempt)
        grown = grow(search.cycle, pool, [ask, *search.upcoming[1:]])
        if isinstance(grown, Verdict):
            del plan.verbs[before[0] :], pool.planned[before[1] :]
            pool.vcpus = before[2]
            have = f"room for {len(found)}" + (f" and launches of {len(added)}" if added else "")
            return _verdict(search, grown.verdict, have, f" ({grown.sentence()})")
        added[node] = grown
    return {**found, **added}


def _verdict(search: Search, token: str, have: str, why: str = "") -> Verdict:
    name, need = search.pool.environment.name, need_of(search.ask)
    return Verdict(name, token, need, have, f"needs {need} of {name!r} at once; there is {have}{why}")


def need_of(ask: Ask) -> str:
    """Say what a multi-node job asks for: `8 nodes with cpu 4, memory 8192Mi each`."""
    kinds: dict[Resources, int] = {}
    for pods in ask.sets:
        kinds[pods.needs.requests] = kinds.get(pods.needs.requests, 0) + len(pods.nodes)
    if len(kinds) == 1:
        (requests,) = kinds
        return f"{ask.size} nodes with {requests} each"
    return f"{ask.size} nodes ({'; '.join(f'{count} with {requests}' for requests, count in kinds.items())})"


def gang_too_large(store: Store, pool: Pool, ask: Ask) -> Verdict | None:
    """Say why the environment could never take all pods at once, None if it could."""
    for pods in ask.sets:
        unfit = too_large(store, pool, pods.needs)
        if unfit is not None:
            return unfit
    return _beyond_limit(store, pool, ask) if pool.environment.managed else _beyond_nodes(store, pool, ask)


def _beyond_limit(store: Store, pool: Pool, ask: Ask) -> Verdict | None:
    name, least = pool.environment.name, 0
    for pods in ask.sets:
        sizes = [s.resources.cpu for s in pool.environment.shapes if shape_fits(store, pool, s, pods.needs)]
        least += min(sizes, default=0) * len(pods.nodes)
    if least <= pool.limit:
        return None
    need, have = f"{need_of(ask)}, that is {-(-least // 1000)} vCPUs", f"maxVCpus {pool.environment.max_vcpus}"
    return Verdict(name, "JobTooLarge", need, have, f"needs {need}; {name!r} has {have}")


def _beyond_nodes(store: Store, pool: Pool, ask: Ask) -> Verdict | None:
    """Somebody else's nodes: too few of them however idle they were."""
    sizes = [store.nodes[slot.name].allocatable for slot in pool.slots]
    fitting = sum(1 for size in sizes if any(pods.needs.requests.fits(size) for pods in ask.sets))
    if fitting >= ask.size:
        return None
    name, need, have = pool.environment.name, need_of(ask), f"{fitting} such nodes"
    return Verdict(name, "JobTooLarge", need, have, f"needs {need}; {name!r} has {have}")
