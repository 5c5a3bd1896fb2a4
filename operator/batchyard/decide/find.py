"""Where there is room for a waiting pod: on the first environment of its queue that has or gets some."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import inf

from batchyard.decide.backfill import Reservation, kind_of, latest_end, reserve
from batchyard.decide.budget import only_spot
from batchyard.decide.choose import best
from batchyard.decide.consume import set_aside
from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.escalate import rules_of
from batchyard.decide.explain import Outlook, Verdict, outlook, too_large
from batchyard.decide.gang_place import Search, gang_too_large, gather
from batchyard.decide.layout import Layout, lay_out
from batchyard.decide.linger import NO_STAY, Stay, stay
from batchyard.decide.make_way import make_way
from batchyard.decide.needs import SPOT_FIRST, Needs, Taste
from batchyard.decide.order import upcoming
from batchyard.decide.room import Pool, below_limit
from batchyard.decide.scale import LOOK_AHEAD, add, grow
from batchyard.decide.slots import Slot
from batchyard.decide.wanted import wanted
from batchyard.world.purse import Fund
from batchyard.world.views import Environment

Kind = tuple[Hashable, float]


@dataclass(frozen=True, slots=True)
class Claim:
    """Room found: on a node that is ready (start now) or on one that is on its way (wait for it).

    `seats` has the slot of every node of a multi-node job; its `slot` is one that is not ready, if there is any.
    """

    pool: Pool
    slot: Slot
    before: tuple[Verdict, ...] = ()  # what the environments before this one said
    seats: Mapping[int, Slot] = field(default_factory=dict)

    def takes(self, ask: Ask) -> list[tuple[Slot, Needs]]:
        """Return what is taken where."""
        if not ask.sets:
            return [(self.slot, ask.needs)]
        return [(self.seats[node], pods.needs) for pods in ask.sets for node in pods.nodes]

    def verdict(self) -> Verdict:
        """Say what is waited for when not all nodes are ready."""
        ready = sum(slot.ready for slot in self.seats.values())
        more = f" ({ready} of {len(self.seats)} nodes are ready)" if self.seats else ""
        name, have = self.pool.environment.name, f"{self.slot.name}{more}"
        return Verdict(name, "NodesStarting", have=have, words=f"node {self.slot.name} of {name!r} is starting{more}")


@dataclass(slots=True)
class Places:
    """One cycle's search for room; within a cycle room only shrinks, so what found none is not looked for again."""

    cycle: Cycle
    pools: dict[str, Pool]
    ahead: list[Ask] = field(default_factory=list)  # asks by rank that come next, as far as anybody looked
    done: int = 0  # so many of these have had their turn
    hopeless: dict[tuple[Fund, Kind], Outlook] = field(default_factory=dict)  # by whose money it is
    verdicts: dict[tuple[str, Kind], Verdict] = field(default_factory=dict)  # by environment
    heads: dict[str, Reservation] = field(default_factory=dict)  # by environment: of the first that found no room there
    keepers: set[int] = field(default_factory=set)  # the asks that `heads` are of
    reclaimed: frozenset[str] = frozenset()  # environments of which a node was reclaimed lately
    layouts: dict[str, Layout] = field(default_factory=dict)  # by environment
    strict: dict[str, Ask] = field(default_factory=dict)  # StrictFIFO queue -> the first that does not start now

    def upcoming(self, ask: Ask) -> Sequence[Ask]:
        """Return the ask that is served now and those right behind it, for which a new node's shape is chosen."""
        while self.done < len(self.ahead) and _had_its_turn(self.ahead[self.done]):
            self.done += 1
        if len(self.ahead) - self.done < LOOK_AHEAD:
            self.ahead, self.done = upcoming(self.cycle, 8 * LOOK_AHEAD), 0
        behind = (each for each in islice(self.ahead, self.done, None) if each is not ask and not _had_its_turn(each))
        return [ask, *islice(behind, LOOK_AHEAD - 1)]


def _had_its_turn(ask: Ask) -> bool:
    return ask.passed or ask.served >= ask.count


def find(places: Places, ask: Ask) -> Claim | Outlook:
    """Return room for one pod of an ask, or what keeps it waiting."""
    kind = (_purse_of(places, ask), kind_of(ask))
    known = places.hopeless.get(kind)
    if known is not None:
        return known
    found = _try_all(places, ask, ask.taste)
    if isinstance(found, Outlook) and ask.taste.avoid:
        # Another node is better after a fault, but the same node is better than none.
        found = _try_all(places, ask, Taste(frozenset(), ask.taste.tried))
    if isinstance(found, Outlook):
        places.hopeless[kind] = found
    return found


def _purse_of(places: Places, ask: Ask) -> Fund:
    """Return the queue of an ask, and its share where shares have money of their own: the same is said to all of it."""
    spec = ask.job.spec
    apart = any(budget.share for budget in places.cycle.store.purse.budgets.get(spec.queue, ()))
    return spec.queue, (spec.share or "") if apart else ""


def _try_all(places: Places, ask: Ask, taste: Taste) -> Claim | Outlook:
    verdicts: list[Verdict] = []
    for name in _in_order(places, ask):
        found = _dear(places, name, ask) or _spared(places, name, ask, verdicts) or _try(places, name, ask, taste)
        if isinstance(found, Claim):
            return replace(found, before=tuple(verdicts))
        verdicts.append(found)
    if not taste.avoid:
        _hold_places(places, ask, verdicts)
    return outlook(verdicts)


def _in_order(places: Places, ask: Ask) -> Sequence[str]:
    """Return the queue's environments in its own order; by rule spot comes first, what was just reclaimed later."""
    store = places.cycle.store
    queue = store.queues[ask.job.spec.queue]
    if queue.spot is None:
        return queue.environments

    def turn(name: str) -> tuple[bool, bool]:
        return not _is_spot(store.environments.get(name)), name in places.reclaimed

    return sorted(queue.environments, key=turn)


def _is_spot(environment: Environment | None) -> bool:
    return environment is not None and environment.capacity_type == "Spot"


def _dear(places: Places, name: str, ask: Ask) -> Verdict | None:
    """Say that a job whose queue or share has spent its budget uses no on-demand environment."""
    store, why = places.cycle.store, only_spot(places.cycle, ask.job)
    if not why or name not in store.environments or _is_spot(store.environments[name]):
        return None
    return Verdict(name, "BudgetExceeded", have=why)


def _spared(places: Places, name: str, ask: Ask, before: Sequence[Verdict]) -> Verdict | None:
    """Say that a job does not use an on-demand environment yet, as long as it may still find room on spot."""
    store = places.cycle.store
    if ask.needs.capacity_type != SPOT_FIRST or name not in store.environments or _is_spot(store.environments[name]):
        return None
    if all(verdict.never for verdict in before):
        return None
    return Verdict(name, "SpotFirst", have=rules_of(store.queues[ask.job.spec.queue]))


def _hold_places(places: Places, ask: Ask, verdicts: list[Verdict]) -> None:
    """Keep for a job that found no room anywhere what becomes free where it waits."""
    yields = False
    for number, verdict in enumerate(verdicts):
        if verdict.waits and verdict.environment not in places.heads:
            pool = places.pools[verdict.environment]
            told = None if yields else make_way(places.cycle, pool, ask, verdict)
            yields, verdicts[number] = yields or told is not None, told or verdict
            places.heads[verdict.environment] = reserve(places.cycle.store, pool, ask, places.cycle.now)
            if id(ask) not in places.keepers:  # what it takes, it must not wait for once there is room
                places.keepers.add(id(ask))
                set_aside(places.cycle, ask)


def _try(places: Places, name: str, ask: Ask, taste: Taste) -> Claim | Verdict:
    pool, where = places.pools.get(name), (name, kind_of(ask))
    known = places.verdicts.get(where)
    if known is not None and not taste.avoid:
        return known
    found = Verdict(name, "EnvironmentNotFound") if pool is None else _room(places, pool, ask, taste)
    if isinstance(found, Verdict) and not taste.avoid:
        places.verdicts[where] = found
    return found


def _room(places: Places, pool: Pool, ask: Ask, taste: Taste) -> Claim | Verdict:
    needs, environment, store = ask.needs, pool.environment, places.cycle.store
    closed = _closed(pool, needs)
    if closed is not None:
        return closed
    head = places.heads.get(environment.name)
    if head is not None:  # who fits nowhere is told so, and not to wait for its turn
        unfit = gang_too_large(store, pool, ask) if ask.sets else too_large(store, pool, needs)
        return _pass(places, pool, ask, taste) or unfit or _behind(pool, head)
    if ask.sets:
        return _gathered(Search(places.cycle, pool, ask, places.upcoming(ask)), taste)
    if pool.limit and pool.used + needs.requests.cpu > pool.limit:
        return too_large(store, pool, needs) or _at_limit(pool, needs)
    slot = _free(places, pool, ask, taste) or _laid_out(places, pool, ask, taste)
    if slot is not None:
        return Claim(pool, slot)
    unfit = too_large(store, pool, needs)
    if unfit is not None:
        return unfit
    if not environment.managed:
        return Verdict(environment.name, "NodesBusy", str(needs.requests), _largest_free(pool))
    grown = _grown(places, pool, ask, taste)
    return Claim(pool, grown) if isinstance(grown, Slot) else grown


def _free(places: Places, pool: Pool, ask: Ask, taste: Taste) -> Slot | None:
    """Return room on a node that is ready, or what is kept for the pod or for nobody on one that is not."""
    name, its = pool.environment.name, _stay(places, pool, ask)
    if name not in places.layouts:
        slot = best([*pool.slots, *pool.planned], ask.needs, taste, its)
        if not pool.environment.managed or (slot is not None and slot.ready):
            return slot
        places.layouts[name] = lay_out(places.cycle, pool, lambda: wanted(places.cycle, places.pools, pool, ask))
    return places.layouts[name].slot(ask.needs, taste, its)


def _stay(places: Places, pool: Pool, ask: Ask) -> Stay:
    if not pool.environment.managed:
        return NO_STAY
    return stay(places.cycle.store, ask.job, ask.lasts, places.cycle.now)


def _laid_out(places: Places, pool: Pool, ask: Ask, taste: Taste) -> Slot | None:
    """Launch the node that was laid out for the pod; return its room, None if there is no such node to be had."""
    layout = places.layouts.get(pool.environment.name)
    node = layout.plan(ask.needs) if layout is not None else None
    planned = add(places.cycle, pool, node.shape) if node is not None else None
    if layout is None or node is None or planned is None:
        return None
    layout.add(planned, node)
    return layout.slot(ask.needs, taste) or planned


def _grown(places: Places, pool: Pool, ask: Ask, taste: Taste) -> Slot | Verdict:
    """Launch a node that was not laid out, but only if nobody's seat is left to take."""
    layout = places.layouts[pool.environment.name]
    robbed = layout.robbed(ask.needs, taste)
    grown = robbed or grow(places.cycle, pool, places.upcoming(ask))
    if robbed is None and isinstance(grown, Slot):
        layout.add(grown, None)
    return grown


def _gathered(search: Search, taste: Taste) -> Claim | Verdict:
    found = gather(search, taste)
    if isinstance(found, Verdict):
        return found
    return Claim(search.pool, min(found.values(), key=lambda slot: slot.ready), seats=found)


def _closed(pool: Pool, needs: Needs) -> Verdict | None:
    environment = pool.environment
    if environment.deleting:
        return Verdict(environment.name, "EnvironmentDeleting")
    if environment.invalid:
        return Verdict(environment.name, "EnvironmentInvalid", have=environment.invalid)
    if environment.state == "Disabled":
        return Verdict(environment.name, "EnvironmentDisabled")
    if needs.capacity_type not in ("Any", SPOT_FIRST, environment.capacity_type):
        return Verdict(environment.name, "CapacityTypeMismatch", needs.capacity_type, environment.capacity_type)
    return None


def _pass(places: Places, pool: Pool, ask: Ask, taste: Taste) -> Claim | None:
    """Return room that a job may take past the first that waits there, None if there is none or it may not."""
    head, needs, until = places.heads[pool.environment.name], ask.needs, latest_end(ask, places.cycle.now)
    if head.at == inf or ask.sets or (pool.limit and pool.used + needs.requests.cpu > pool.limit):
        return None
    pinned = pool.environment.managed and not needs.scheduler
    slots = (slot for slot in (*pool.slots, *pool.planned) if head.allows(slot, needs, until, pinned=pinned))
    slot = best(slots, needs, taste, _stay(places, pool, ask))
    return Claim(pool, slot) if slot is not None else None


def _behind(pool: Pool, head: Reservation) -> Verdict:
    return Verdict(pool.environment.name, "BehindOthers", have=head.sentence())


def _at_limit(pool: Pool, needs: Needs) -> Verdict:
    return Verdict(pool.environment.name, "AtMaxVCpus", f"cpu {needs.requests.cpu}m", below_limit(pool))


def _largest_free(pool: Pool) -> str:
    free = max((slot.free for slot in pool.slots), key=lambda free: (free.cpu, free.memory), default=None)
    return str(free) if free is not None else "no node"
