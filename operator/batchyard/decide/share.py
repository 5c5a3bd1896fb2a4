"""Fair share: what each share of a queue has used, how much that counts, and what is kept for shares that come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from batchyard.decide.explain import Outlook
from batchyard.model.resources import show
from batchyard.world.shares import Account
from batchyard.world.store import Store
from batchyard.world.views import Policy, Queue

# What a pod that runs or is about to counts in advance, as a part of the decay window: so shares take turns pod by pod
# within one decision, and do not all rush in while their usage has yet to show. Small, for it favours who runs nothing.
AHEAD = 0.02


@dataclass(slots=True)
class Share:
    """One share of a queue: decayed vCPU seconds, and the millicores of its pods that live or have room."""

    name: str
    account: Account
    usage: float
    held: int
    busy: bool  # it has an unfinished job
    active: bool  # or had one within the decay window
    weight: float = 1.0


@dataclass(slots=True)
class Board:
    """The shares of one queue in one decision; `held` in millicores, by all of them."""

    policy: Policy
    shares: dict[str, Share] = field(default_factory=dict)
    active: int = 0
    held: int = 0
    full: Outlook | None = None  # what is left is kept for shares that are not active

    def score(self, share: str, taken: int, cpu: int) -> float:
        """Return what a share has used times its weight, once it has taken so many millicores and half of `cpu` more.

        The share with the lowest score starts the next pod. Half, because a pod about to start counts as if it were in
        the middle of its life: so neither large nor small pods are at an advantage (Sainte-Lague).
        """
        one = self.shares[share]
        ahead = AHEAD * self.policy.decay_seconds * (one.held + taken + cpu / 2) / 1000
        return one.weight * (one.usage + ahead)

    def usable(self, capacity: int) -> int:
        """Return the millicores of `capacity` that the active shares may use together (AWS computeReservation)."""
        return int(capacity * (1 - (self.policy.reservation / 100) ** self.active))


def boards(store: Store, now: float, busy: Mapping[str, set[str]]) -> dict[str, Board]:
    """Return the board of every queue with a policy; `busy` are the shares with unfinished jobs by queue."""
    fair = {queue.name: policy for queue in store.queues.values() if (policy := policy_of(store, queue))}
    return {queue: _board(store, now, (queue, policy), busy.get(queue, set())) for queue, policy in fair.items()}


def policy_of(store: Store, queue: Queue) -> Policy | None:
    """Return the policy that a queue names, None if there is none that can be used."""
    policy = store.policies.get(queue.policy) if queue.policy else None
    return None if policy is None or policy.invalid else policy


def _board(store: Store, now: float, fair: tuple[str, Policy], busy: set[str]) -> Board:
    queue, policy = fair
    accounts, decay = store.ledger.accounts.get(queue, {}), policy.decay_seconds
    board = Board(policy)
    for name in sorted({*busy, *accounts}):
        account = accounts.get(name) or Account()
        active = name in busy or now < account.base.at + decay
        board.shares[name] = Share(name, account, account.usage(now, decay), account.held, name in busy, active)
        board.active += active
        board.held += account.held
    _weigh(board)
    return board


def _weigh(board: Board) -> None:
    """Give each share its weight; those that one prefix covers share the capacity of one share (AWS)."""
    exact = {name: float(weight) for name, weight in board.policy.shares if not name.endswith("*")}
    prefixes = {name[:-1]: float(weight) for name, weight in board.policy.shares if name.endswith("*")}
    lengths = sorted({len(prefix) for prefix in prefixes})
    groups = {name: next((name[:n] for n in lengths if name[:n] in prefixes), None) for name in board.shares}
    sizes = Counter(group for name, group in groups.items() if board.shares[name].active)
    for name, share in board.shares.items():
        group = groups[name]
        if group is not None and name not in exact:
            share.weight = prefixes[group] * max(sizes[group], 1)
        else:
            share.weight = exact.get(name, 1.0)


def reserved(queue: str, board: Board, capacity: int, cpu: int) -> Outlook | None:
    """Say why a pod of `cpu` millicores may not start though there may be room: the rest is kept for other shares.

    Once one had to wait for this, so have all behind it: else small pods would keep a large one waiting for ever.
    """
    usable = board.usable(capacity)
    if board.full is None and board.held + cpu > usable:
        policy, percent = board.policy, f"{100 * (1 - usable / capacity):.2f}" if capacity else "100"
        board.full = Outlook(
            "ShareReservation",
            f"needs cpu {show('cpu', cpu)}; JobQueue {queue!r} uses {show('cpu', board.held)} of the "
            f"{show('cpu', usable)} vCPUs that its {board.active} active shares may use: SchedulingPolicy "
            f"{policy.name!r} keeps {percent} % of {show('cpu', capacity)} for others (computeReservation "
            f"{policy.reservation})",
        )
    return board.full
