"""Which waiting job starts now: in order, each where room is found for it, and not past whom it must wait for."""

from __future__ import annotations

from batchyard.decide.backfill import latest_end
from batchyard.decide.budget import held_by_budget, tills_of
from batchyard.decide.checkpoint import claim as claim_of
from batchyard.decide.checkpoint import resumed_from
from batchyard.decide.consume import booked, take
from batchyard.decide.cycle import Ask, Cycle, wait
from batchyard.decide.explain import Outlook, outlook
from batchyard.decide.find import Claim, Places, find
from batchyard.decide.gang_pods import main_start
from batchyard.decide.interrupt import reclaimed_lately
from batchyard.decide.limit import held_back
from batchyard.decide.linger import stay
from batchyard.decide.order import turns
from batchyard.decide.pods import Placement, Run, manifest
from batchyard.decide.room import Pool, keep
from batchyard.decide.roster import Roster
from batchyard.decide.share import reserved
from batchyard.model import labels as names
from batchyard.model.phase import Phase
from batchyard.model.plan import Start
from batchyard.world.indexes import first

_BOOKING = Outlook("ConsumableBooking", "what it uses up is being recorded; it starts right after")


def place(cycle: Cycle, pools: dict[str, Pool]) -> None:
    """Place every waiting job in order; who finds no room holds its place against those behind it."""
    roster, active = cycle.roster, cycle.store.active
    for uid in sorted(roster.keeping, key=active.__getitem__):
        kept = roster.keeping[uid].kept
        assert kept is not None
        keep(pools, kept.environment, kept.nodes)
        cycle.claimed.update(name for name, _ in kept.nodes)
    places = Places(cycle, pools, reclaimed=reclaimed_lately(cycle.store, cycle.now))
    _begin_anew(roster)
    for ask in turns(cycle):
        if not _serve(places, ask) and _blocks(cycle, ask):
            places.strict.setdefault(ask.job.spec.queue, ask)


def _blocks(cycle: Cycle, ask: Ask) -> bool:
    """Say whether nobody passes an ask that does not start: for money of its share others need not wait."""
    strict = cycle.store.queues[ask.job.spec.queue].strategy == "StrictFIFO"
    return strict and held_by_budget(cycle, ask.job) is None


def _begin_anew(roster: Roster) -> None:
    """Take back what the last decision said and counted."""
    for ask in roster.touched:
        ask.standing.reason, ask.standing.message, ask.standing.outlook = "", "", None
        ask.passed = ask.touched = False
        ask.served = ask.started = 0
    roster.touched.clear()
    for queue in roster.lines.values():
        for line in queue.values():
            line.outlook = None


def _serve(places: Places, ask: Ask) -> bool:
    """Find room for one more pod of an ask; say whether it starts now."""
    found = held_back(places.cycle, ask) or _shut_out(places, ask) or find(places, ask)
    if isinstance(found, Outlook):
        wait(ask.standing, found)
        return False
    claim(places, ask, found)
    if not found.slot.ready:
        wait(ask.standing, outlook([*found.before, found.verdict()]))
        return False
    first = places.strict.get(ask.job.spec.queue)
    behind = first is not None and first.job is not ask.job
    if first is not None and behind and first.standing.outlook is not _BOOKING:
        wait(ask.standing, _after(first))
        return False
    if not booked(places.cycle, ask) or behind:  # those behind one that is being booked are booked with it
        wait(ask.standing, _BOOKING)
        return False
    ask.started += 1
    start(places.cycle, ask, found)
    return True


def _shut_out(places: Places, ask: Ask) -> Outlook | None:
    """Say why no room is looked for: a StrictFIFO queue's first found none, or the rest is kept for other shares."""
    queue = places.cycle.store.queues[ask.job.spec.queue]
    first, board = places.strict.get(queue.name), places.cycle.boards.get(queue.name)
    if first is not None and first.passed:
        return _after(first)
    if board is None or not board.policy.reservation:
        return None
    pools = [pool for name in queue.environments if (pool := places.pools.get(name)) and not pool.environment.invalid]
    return reserved(queue.name, board, sum(pool.limit or pool.vcpus for pool in pools), ask.cpu)


def _after(first: Ask) -> Outlook:
    queue, why = first.job.spec.queue, first.standing.reason
    sentence = f"JobQueue {queue!r} is StrictFIFO and {first.job.name} comes first, which waits for room ({why})"
    return Outlook("BehindOthers", sentence)


def claim(places: Places, ask: Ask, found: Claim) -> None:
    """Count a pod where room was found for it."""
    cycle, queue = places.cycle, ask.job.spec.queue
    until = latest_end(ask, cycle.now)
    if found.pool.environment.name in places.heads:
        places.heads[found.pool.environment.name].take(found.slot, ask.needs, until)
    for slot, needs in found.takes(ask):
        slot.take(needs)
        if slot.ready:
            slot.until = max(slot.until, stay(cycle.store, ask.job, ask.lasts, cycle.now).end)
        slot.claims.append((until, needs.requests))
        cycle.claimed.add(slot.name)
    found.pool.used += ask.cpu
    if queue in cycle.boards:
        cycle.boards[queue].held += ask.cpu
    take(cycle, ask)
    for till in tills_of(cycle, ask.job):
        takes = ((slot.shape, needs.requests) for slot, needs in found.takes(ask))
        till.commit(cycle.store, ask, found.pool.environment.capacity_type, takes)
    cycle.running[ask.job.spec.queue] += 1
    ask.served += 1


def start(cycle: Cycle, ask: Ask, found: Claim) -> None:
    """Create the pod of an attempt on the node that was found for it."""
    job, effective, environment = ask.job, ask.standing.effective, found.pool.environment
    assert effective is not None
    # Our own nodes are ours to fill, which spares the scheduler's write; others go through kube-scheduler.
    direct = environment.managed and not ask.needs.scheduler
    selector = {names.ENVIRONMENT: environment.name} if environment.managed else environment.selector
    where = Placement(environment.name, found.slot.name if direct else "", selector, environment.managed)
    index = _next_child(ask)
    run = Run(
        job, ask.attempt, effective.revision, where, effective.timeout, effective.consumables, index,
        checkpoint=effective.origin.checkpoint, resumes=_resumes(ask, index),
    )  # fmt: skip
    if effective.gang:
        cycle.do(main_start(cycle.store, run, effective.gang, {node: s.name for node, s in found.seats.items()}))
    else:
        its = claim_of(job, run.part, run.checkpoint)
        cycle.do(Start(job.uid, ask.attempt, environment.name, manifest(run, ask.template), claim=its))
    # What was concluded of the job holds only if the pod comes to be; then the pod says so itself.
    cycle.store.memo.pop(job.uid, None)
    cycle.roster.fresh[job.uid] = None
    if index is None:
        cycle.shift[job.spec.queue, ask.standing.phase] -= 1
        cycle.shift[job.spec.queue, Phase.Starting] += 1
        ask.standing.phase, ask.standing.since = Phase.Starting, cycle.now
        ask.standing.message = f"attempt {ask.attempt} starts on node {found.slot.name}"
    else:
        ask.standing.phase = Phase.Running


def _resumes(ask: Ask, index: int | None) -> int | None:
    """Of a child of an array it is not kept which attempts ran: the one before is taken for it."""
    if index is not None:
        return ask.attempt - 1 or None
    return resumed_from(ask.standing.attempts, ask.attempt)


def _next_child(ask: Ask) -> int | None:
    """Take the lowest index of an array that has not started; what is kept of the ask ends with its first start."""
    if not ask.indexes:
        return None
    index = first(ask.booked & ask.indexes or ask.indexes)
    ask.indexes ^= 1 << index
    return index
