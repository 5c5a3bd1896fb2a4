"""What nodes are to be laid out for: the pods that come next and would come to an environment, if it had room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain

from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.needs import SPOT_FIRST, Needs
from batchyard.decide.order import following
from batchyard.decide.room import Pool
from batchyard.decide.scale import has_room_for, shape_fits
from batchyard.model.resources import total

MOST = 20_000  # asks that are looked at


def wanted(cycle: Cycle, pools: Mapping[str, Pool], pool: Pool, ask: Ask) -> dict[Needs, int]:
    """Return how many pods of which needs are likely to come to an environment, `ask` first, within its maxVCpus."""
    found, budget = Counter[Needs](), pool.limit - pool.used
    spare = total(slot.free for slot in pool.slots if slot.ready and slot.free.cpu > 0)
    comes: dict[tuple[str, Needs], bool] = {}
    for each, count in _pods(cycle, ask):
        where = (each.job.spec.queue, each.needs)
        if where not in comes:
            comes[where] = each is ask or _comes(cycle, pools, pool, each)
        if not comes[where]:
            continue
        needs, left = each.needs, count
        while each is not ask and left and needs.requests.fits(spare):  # nodes that are ready take these
            spare, left = spare - needs.requests, left - 1
        cpu = needs.requests.cpu
        left = min(left, budget // cpu) if cpu else left
        if left:
            found[needs] += left
        budget -= left * cpu
        if budget <= 0:
            break
    return dict(found)


def _pods(cycle: Cycle, ask: Ask) -> Iterator[tuple[Ask, int]]:
    """Yield asks and how many pods of each may start; of those whose turn depends on more than room, none."""
    running, held = Counter(cycle.running), cycle.store.queues
    for number, each in enumerate(chain((ask,), following(cycle, MOST))):
        name, count = each.job.spec.queue, each.count - each.served
        queue, effective, board = held[name], each.standing.effective, cycle.boards.get(name)
        if (number and each is ask) or each.passed or each.sets or count <= 0 or queue.state == "Held":
            continue
        reserves = board is not None and board.policy.reservation
        if reserves or queue.budgets or (effective is not None and effective.consumables):
            count = 1 if each is ask else 0
        if queue.max_running is not None:
            count = min(count, queue.max_running - running[name])
        if count > 0:
            running[name] += count
            yield each, count


def _comes(cycle: Cycle, pools: Mapping[str, Pool], pool: Pool, ask: Ask) -> bool:
    """Say whether a pod may go to an environment, and to no other before it in the order of its queue."""
    environments = cycle.store.queues[ask.job.spec.queue].environments
    if pool.environment.name not in environments or not _may(cycle, pool, ask.needs):
        return False
    before = environments[: environments.index(pool.environment.name)]
    return not any(name in pools and _takes(cycle, pools[name], ask.needs) for name in before)


def _may(cycle: Cycle, pool: Pool, needs: Needs) -> bool:
    environment = pool.environment
    kind = "Spot" if needs.capacity_type == SPOT_FIRST else needs.capacity_type
    if kind not in ("Any", environment.capacity_type):
        return False
    return any(shape_fits(cycle.store, pool, shape, needs) for shape in environment.shapes)


def _takes(cycle: Cycle, pool: Pool, needs: Needs) -> bool:
    environment = pool.environment
    closed = environment.deleting or environment.invalid or environment.state == "Disabled" or not environment.managed
    return not closed and _may(cycle, pool, needs) and has_room_for(cycle, pool, needs)
