"""EASY backfill: the first that found no room has a reservation, and others may pass it only if that is not delayed.

Source: Lifka, "The ANL/IBM SP Scheduling System" (1995); here by node instead of by number of processors.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import inf

from batchyard.decide.cycle import Ask
from batchyard.decide.needs import Needs, selects, tolerates
from batchyard.decide.resolve import Effective
from batchyard.decide.room import Pool
from batchyard.decide.scale import shape_fits
from batchyard.decide.slots import Slot
from batchyard.model.resources import NOTHING, Resources
from batchyard.world.parse import rfc3339
from batchyard.world.store import Store
from batchyard.world.views import Pod

SLACK = 30.0  # seconds that a pod may take to start before its timeout begins to count
_GRACE = 30  # Kubernetes' default terminationGracePeriodSeconds
Ends = Sequence[tuple[float, Resources]]


@dataclass(slots=True)
class Reservation:
    """Where and when the job that waits first in an environment starts at the latest; `at` infinite: nobody knows.

    `spare` is what the node has at that time beyond what the job needs, `budget` what is left of maxVCpus in
    millicores. `guarded` are nodes that end earlier and may then make way for one on which the job fits: until when
    they are busy.
    """

    job: str
    at: float = inf
    node: str = ""
    spare: Resources = NOTHING
    budget: float = inf
    guarded: dict[str, float] = field(default_factory=dict)

    def allows(self, slot: Slot, needs: Needs, until: float, *, pinned: bool) -> bool:
        """Say whether a pod that ends by `until` may go to a node; one not `pinned` goes where kube-scheduler likes."""
        if self.at == inf:
            return False
        in_time = until <= self.at and slot.ready
        if not pinned:
            return in_time and not self.guarded
        if not in_time and needs.requests.cpu > self.budget:
            return False
        if slot.name == self.node:
            return in_time or needs.requests.fits(self.spare)
        return until <= self.guarded.get(slot.name, inf)

    def take(self, slot: Slot, needs: Needs, until: float) -> None:
        """Count a pod that passes."""
        if until > self.at or not slot.ready:
            self.budget -= needs.requests.cpu
            if slot.name == self.node:
                self.spare = self.spare - needs.requests

    def sentence(self) -> str:
        """Say who waits and how long that may last."""
        known = f", until {rfc3339(int(self.at))} at the latest" if self.at < inf else ""
        return f"{self.job} waits for room there first{known}"


def lasting(effective: Effective) -> float:
    """Return after how many seconds a pod has ended at the latest, by its own timeout; infinite without one."""
    if effective.timeout is None:
        return inf
    return SLACK + effective.timeout + (_GRACE if effective.grace is None else effective.grace)


def latest_end(ask: Ask, now: float) -> float:
    """Return when a pod that starts now has ended at the latest."""
    return now + ask.lasts


def kind_of(ask: Ask) -> tuple[Hashable, float]:
    """Return what asks have in common that the same is said to: what they need, and for how long at most."""
    return ask.kind, ask.lasts


def reserve(store: Store, pool: Pool, ask: Ask, now: float) -> Reservation:
    """Return the earliest start in an environment of a job that found no room there, as timeouts of others promise it.

    Of a multi-node job, and of a pod that only kube-scheduler can place, nothing is promised: nobody passes it.
    """
    reservation, needs = Reservation(ask.job.name), ask.needs
    if ask.sets or needs.scheduler:
        return reservation
    ends = {slot.name: _ends(store, pool, slot) for slot in (*pool.slots, *pool.planned)}
    for slot in pool.slots:
        each = ends[slot.name]
        if not slot.ready or not each or each[0][0] >= reservation.at:
            continue
        at = _fits_at(slot.free, each, needs)
        if at < reservation.at and tolerates(needs, slot.taints) is None and selects(needs, slot.labels):
            reservation.at, reservation.node = at, slot.name
    reservation.at = max(reservation.at, now)
    _budget(reservation, pool, ends, needs)
    if reservation.at < inf:
        free = next(slot.free for slot in pool.slots if slot.name == reservation.node)
        reservation.spare = _free_at(free, ends[reservation.node], reservation.at) - needs.requests
        _guard(store, reservation, pool, ends, needs)
    return reservation


def _ends(store: Store, pool: Pool, slot: Slot) -> Ends:
    """Return when what is on a node ends, soonest first: pods, and room taken in this decision."""
    live = store.live_on.get(slot.name, {})
    pods = store.ends.get(slot.name) if live else ()
    if pods is None:
        ours = ((_end(pod), pod.requests) for pod in live.values() if pod.job)
        pods = store.ends[slot.name] = tuple(sorted(ours, key=_time))
    if not slot.claims and slot.name not in pool.expected:
        return pods
    expected = [(inf, NOTHING)] if slot.name in pool.expected else []
    return sorted([*pods, *slot.claims, *expected], key=_time)


def _time(end: tuple[float, Resources]) -> float:
    return end[0]


def _end(pod: Pod) -> float:
    """Return when a pod ends at the latest; one that was told to end may at any time."""
    if pod.stop is not None or pod.deleting is not None or pod.removing:
        return 0.0
    return inf if pod.timeout is None else (pod.running_since or pod.created) + pod.timeout


def _fits_at(free: Resources, ends: Ends, needs: Needs) -> float:
    for at, requests in ends:
        if at == inf:
            break
        free = free + requests
        if needs.requests.fits(free):
            return at
    return inf


def _free_at(free: Resources, ends: Ends, at: float) -> Resources:
    for end, requests in ends:
        if end <= at:
            free = free + requests
    return free


def _budget(reservation: Reservation, pool: Pool, ends: dict[str, Ends], needs: Needs) -> None:
    """Wait for maxVCpus too where that can be what is short: on nodes that others own, or after it was lowered."""
    if not pool.limit or (pool.environment.managed and pool.vcpus <= pool.limit):
        return
    left = pool.limit - pool.used - needs.requests.cpu
    for at, requests in sorted((end for each in ends.values() for end in each), key=_time):
        if at == inf or (at > reservation.at and left >= 0):
            break
        reservation.at = max(reservation.at, at)
        left += requests.cpu
    reservation.budget = left
    if left < 0:
        reservation.at = inf


def _guard(store: Store, reservation: Reservation, pool: Pool, ends: dict[str, Ends], needs: Needs) -> None:
    """Find the nodes that may go before the reservation's time, if one for the job could then come instead."""
    if not pool.environment.managed:
        return
    shapes = [s.resources.cpu for s in pool.environment.shapes if shape_fits(store, pool, s, needs)]
    lasts = ((name, each[-1][0] if each else 0.0) for name, each in ends.items())
    early = {name: last for name, last in lasts if last < reservation.at}
    sizes = {slot.name: slot.shape.resources.cpu for slot in (*pool.slots, *pool.planned) if slot.shape}
    freed = sum(sizes.get(name, 0) for name in early)
    if shapes and pool.vcpus - freed + min(shapes) <= pool.limit:
        reservation.guarded = early
