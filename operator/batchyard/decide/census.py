"""The children of an array counted: what is on record of them, and what their pods have shown since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from batchyard.decide.attempts import close
from batchyard.decide.cycle import Cycle, Standing
from batchyard.decide.enforce import enforce
from batchyard.decide.tally import LOST_NAMED, UNKNOWN, Child, Tally
from batchyard.model.phase import Phase
from batchyard.model.plan import Verb
from batchyard.world.children import CHILDREN, ROUGH, has_ended, recorded, to_run
from batchyard.world.indexes import gather, lowest, members
from batchyard.world.parse import rfc3339
from batchyard.world.specs import Stop
from batchyard.world.views import ArrayStatus, Attempt, Job, Pod

Basis = tuple[tuple[Pod, ...], tuple[int, int], tuple[Attempt, ...]]
NONE = (0, 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a live pod was found to be, until then or until it changes."""

    pod: Pod
    orders: tuple[Verb, ...]
    until: float
    since: float | None


@dataclass(slots=True)
class Known:
    """What was concluded pod by pod, kept until the pod, the user's stop or the record changes."""

    stop: Stop | None = None
    record: ArrayStatus | None = None
    pods: dict[str, Seen] = field(default_factory=dict)
    children: dict[int, tuple[Basis, Child]] = field(default_factory=dict)
    numbers: dict[int, tuple[int, int]] = field(default_factory=dict)  # (attempts, counted) on record


@dataclass(frozen=True, slots=True)
class Census:
    """One count under way."""

    cycle: Cycle
    job: Job
    tally: Tally
    known: Known
    told: Mapping[int, tuple[Attempt, ...]]  # attempts on record, by child


def take(cycle: Cycle, job: Job) -> Tally:
    """Return where the children stand; ValueError if `array.indexes` names none of them.

    Nothing here is linear in the size of the array but operations on bits: only live pods, and those of children that
    have not ended on record, are looked at.
    """
    assert job.spec.array is not None
    record = recorded(job)
    tally = Tally(job.spec.array.size, to_run(job), record, record.succeeded, record.failed)
    told: defaultdict[int, tuple[Attempt, ...]] = defaultdict(tuple)
    for attempt in record.attempts:
        told[attempt.index or 0] += (attempt,) if attempt.ended else ()
    census = Census(cycle, job, tally, _known(cycle, job), told)
    ended = _look_at_pods(census)
    _take_record(census, ended)
    _take_children(census, ended)
    return tally


def _known(cycle: Cycle, job: Job) -> Known:
    memo, where = cycle.store.memo, job.uid + CHILDREN
    known: Known = memo.setdefault(where, Known(job.spec.stop))
    if known.stop != job.spec.stop:
        known = memo[where] = Known(job.spec.stop)
    if known.record is not job.status.array:
        known.record, known.numbers = job.status.array, {}
    return known


def _look_at_pods(census: Census) -> dict[int, list[Pod]]:
    """Sort the pods: live ones into sets, with what they must be told; return the ended ones by child."""
    cycle, job, known = census.cycle, census.job, census.known
    fresh: dict[str, Seen] = {}
    ended: defaultdict[int, list[Pod]] = defaultdict(list)
    for name, pod in cycle.store.pods_of.get(job.uid, {}).items():
        if pod.index is None or pod.index >= census.tally.size or has_ended(job, pod.index):
            continue
        if pod.final:
            ended[pod.index].append(pod)
            continue
        seen = known.pods.get(name)
        if seen is None or seen.pod is not pod or cycle.now >= seen.until:
            seen = _see(cycle, job, pod)
        fresh[name] = seen
    known.pods = fresh
    _count_live(census.tally, fresh.values())
    return ended


def _see(cycle: Cycle, job: Job, pod: Pod) -> Seen:
    alone = Standing(job, Phase.Running)
    orders = enforce(cycle, alone, pod)
    return Seen(pod, orders, alone.until, pod.running_since)


def _count_live(tally: Tally, live: Iterable[Seen]) -> None:
    def those(seen: Iterable[Seen]) -> int:
        return gather((each.pod.index or 0 for each in seen), tally.size)

    tally.live = those(live)
    tally.running = those(each for each in live if each.since is not None)
    tally.there = those(each for each in live if each.pod.uid)
    tally.orders = tuple(order for each in live for order in each.orders)
    tally.until = min((each.until for each in live), default=tally.until)
    since = min((each.since for each in live if each.since is not None), default=None)
    tally.began = None if since is None else rfc3339(since)


def _take_record(census: Census, ended: Iterable[int]) -> None:
    """Take the retried children from the record; who was on record as live and has no pod was lost with its node."""
    tally, record = census.tally, census.tally.record
    apart = gather(ended, tally.size)
    tally.lost = record.running & tally.all & ~record.ended & ~tally.live & ~apart
    rest = tally.lost
    groups: defaultdict[tuple[int, int], int] = defaultdict(int)
    for attempts, counted, indexes in record.retried:
        group = indexes & tally.all & ~record.ended & ~apart
        groups[attempts, counted] |= group & ~tally.lost
        groups[attempts + 1, counted] |= group & tally.lost
        rest &= ~group
    groups[1, 0] |= rest
    tally.retried = {kind: group for kind, group in groups.items() if group}
    for index in members(lowest(tally.lost, LOST_NAMED)):
        message = "its pod vanished with its node while no operator was watching"
        number = _on_record(census, index)[0] % ROUGH + 1
        tally.new.append(Attempt(number=number, index=index, reason="NodeLost", message=message, counted=False))


def _on_record(census: Census, index: int) -> tuple[int, int]:
    """Return (attempts, counted) of a child as far as they are on record."""
    numbers = census.known.numbers
    if index not in numbers:
        groups = (group for group in census.tally.record.retried if group[2] >> index & 1)
        numbers[index] = next(((attempts, counted) for attempts, counted, _ in groups), NONE)
    return numbers[index]


def _take_children(census: Census, ended: Mapping[int, list[Pod]]) -> None:
    """Count the children whose ended pods are there by their own attempts."""
    tally, fresh = census.tally, {}
    kinds: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index in sorted(ended):
        fresh[index] = _judged(census, index, ended[index])
        child = tally.known[index] = fresh[index][1]
        tally.new.extend(child.new)
        kinds[child.number + child.rough, child.counted].append(index)
    census.known.children = fresh
    for kind, indexes in kinds.items():
        tally.retried[kind] = tally.retried.get(kind, 0) | gather(indexes, tally.size)


def _judged(census: Census, index: int, pods: list[Pod]) -> tuple[Basis, Child]:
    pods.sort(key=lambda pod: pod.attempt)
    basis = tuple(pods), _on_record(census, index), census.told.get(index, ())
    before = census.known.children.get(index)
    return before if before is not None and before[0] == basis else (basis, _child(census.cycle, basis))


def _child(cycle: Cycle, basis: Basis) -> Child:
    pods, on_record, told = basis
    attempts = {attempt.number: attempt for attempt in told}
    new = []
    for pod in pods:
        attempts[pod.attempt] = attempts.get(pod.attempt) or _closed(cycle, pod)
        if pod.attempt > on_record[0] % ROUGH:
            new.append(attempts[pod.attempt])
    _fill(attempts, on_record)
    return Child(tuple(attempts[number] for number in sorted(attempts)), tuple(new))


def _closed(cycle: Cycle, pod: Pod) -> Attempt:
    return msgspec.structs.replace(close(cycle.store, pod, None), index=pod.index)


def _fill(attempts: dict[int, Attempt], on_record: tuple[int, int]) -> None:
    """Add what the record counts and no pod tells: attempts of which nothing is known but whether they counted."""
    number, counted = on_record[0] % ROUGH, on_record[1]
    free = UNKNOWN if on_record[0] > ROUGH else "NodeLost"
    counted -= sum(1 for attempt in attempts.values() if attempt.counted and attempt.number <= number)
    for missing in range(1, max(number, *attempts) + 1):
        if missing not in attempts:
            attempts[missing] = Attempt(number=missing, reason="Error" if counted > 0 else free, counted=counted > 0)
            counted -= 1
