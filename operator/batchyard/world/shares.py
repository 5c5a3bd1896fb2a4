"""What the shares of queues use: the usage that a queue's status last told, and all that its pods have held since."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from math import exp

from batchyard.world.parse import seconds
from batchyard.world.views import Key, Pod, Queue, key

Span = tuple[int, float, float]  # millicores, from, until
_USAGE = re.compile(r"[0-9]{1,15}(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Base:
    """Decayed vCPU seconds of a share as its queue's status tells them, and when they were that (unix seconds)."""

    usage: float = 0.0
    at: float = 0.0


@dataclass(slots=True)
class Account:
    """One share of one queue since its base: what its live pods hold, the young ones of them, and what has ended."""

    base: Base = Base()
    held: int = 0  # millicores of all live pods
    young: dict[Key, tuple[int, float]] = field(default_factory=dict)  # live pods created after the base
    ended: dict[str, Span] = field(default_factory=dict)  # pods that ended after the base, by uid

    @property
    def dirty(self) -> bool:
        """Say whether a pod has come or gone since the base."""
        return bool(self.young or self.ended)

    def usage(self, now: float, decay: float) -> float:
        """Return the vCPU seconds used until now; what was used `decay` seconds ago counts 1/e of what is used now.

        A pod counts from its creation, when its room is taken, to the end of its last container.
        """
        since = min(self.base.at, now)
        total = self.base.usage * exp((since - now) / decay)
        total += _used(self.held, since, now, now, decay)
        for millicores, start in self.young.values():
            total -= _used(millicores, since, min(max(start, since), now), now, decay)
        for millicores, start, end in self.ended.values():
            total += _used(millicores, max(start, since), min(max(end, since), now), now, decay)
        return max(total, 0.0)

    def fork(self) -> Account:
        """Return a copy of its own."""
        return Account(self.base, self.held, dict(self.young), dict(self.ended))

    def move(self, base: Base) -> None:
        """Go on from a newer base."""
        self.base = base
        self.young = {where: pod for where, pod in self.young.items() if pod[1] > base.at}
        self.ended = {uid: span for uid, span in self.ended.items() if span[2] > base.at}


def _used(millicores: int, start: float, end: float, now: float, decay: float) -> float:
    """Return what holding so much from start to end counts now: the integral of exp(-age / decay)."""
    if end <= start:
        return 0.0
    return millicores / 1000 * decay * (exp((end - now) / decay) - exp((start - now) / decay))


class Ledger:
    """The accounts by queue and share; every number follows from statuses of queues and from pods.

    What is not known, and so not counted: the room of pods that both ended and vanished while no operator ran.
    """

    def __init__(self) -> None:
        self.accounts: defaultdict[str, dict[str, Account]] = defaultdict(dict)
        self.stamps: dict[str, float] = {}  # queue -> time of the newest base
        self._fair: dict[str, bool] = {}  # queue -> whether it has a policy

    def __deepcopy__(self, _: object) -> Ledger:
        twin = Ledger()
        twin.stamps, twin._fair = dict(self.stamps), dict(self._fair)
        for queue, accounts in self.accounts.items():
            twin.accounts[queue] = {share: account.fork() for share, account in accounts.items()}
        return twin

    def take(self, pod: Pod) -> None:
        """Count a live pod."""
        account = self._account(pod)
        account.held += pod.requests.cpu
        if pod.created > account.base.at:
            account.young[key(pod)] = (pod.requests.cpu, pod.created)

    def drop(self, pod: Pod) -> None:
        """Count a live pod no more, as if it had never been."""
        account = self._account(pod)
        account.held -= pod.requests.cpu
        account.young.pop(key(pod), None)
        self._clean(pod)

    def end(self, pod: Pod) -> None:
        """Count what a pod held until its end; twice is once, and what the base has counted is not counted again."""
        if not self._fair.get(pod.queue, True):
            return
        account = self._account(pod)
        # A pod whose end nobody saw counts as far as it was surely there.
        end = _ended(pod) or account.base.at
        if end > account.base.at and pod.uid:
            account.ended[pod.uid] = (pod.requests.cpu, pod.created, end)
        self._clean(pod)

    def read(self, queue: Queue) -> None:
        """Take in what a queue's status tells, unless that is older than what is known."""
        self._fair[queue.name] = bool(queue.policy)
        if not queue.policy:
            for account in self.accounts[queue.name].values():
                account.ended.clear()
        told = {entry["share"]: _base(entry) for entry in queue.status.get("shares") or ()}
        stamp = max((base.at for base in told.values()), default=0.0)
        if stamp <= self.stamps.get(queue.name, 0.0):
            return
        self.stamps[queue.name] = stamp
        accounts = self.accounts[queue.name]
        for share in {*told, *accounts}:
            accounts.setdefault(share, Account()).move(told.get(share, Base(0.0, stamp)))
            if share not in told and not accounts[share].held and not accounts[share].ended:
                del accounts[share]

    def forget(self, queue: str) -> None:
        """Take in that a queue is gone; one of the same name begins anew."""
        self.stamps.pop(queue, None)
        self._fair[queue] = False
        for account in self.accounts[queue].values():
            account.base, account.ended = Base(), {}

    def _account(self, pod: Pod) -> Account:
        accounts = self.accounts[pod.queue]
        if pod.share not in accounts:
            accounts[pod.share] = Account(Base(0.0, self.stamps.get(pod.queue, 0.0)))
        return accounts[pod.share]

    def _clean(self, pod: Pod) -> None:
        account = self.accounts[pod.queue][pod.share]
        if not account.held and not account.dirty and not account.base.usage:
            del self.accounts[pod.queue][pod.share]


def _base(entry: dict[str, str]) -> Base:
    usage = entry.get("usage") or "0"
    read = float(usage) if _USAGE.fullmatch(usage) else 0.0  # somebody else has written it
    return Base(read, seconds(entry["updatedAt"]) if entry.get("updatedAt") else 0.0)


def _ended(pod: Pod) -> float | None:
    finished = [container.finished for container in pod.containers if container.finished]
    return max(finished) if finished else pod.deleting or (pod.stop.at if pod.stop else None)
