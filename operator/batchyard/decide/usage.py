"""What queues tell of their shares, by which a restart goes on, and what scheduling policies say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import log
from typing import Any

from batchyard.decide.cycle import Cycle
from batchyard.decide.share import Board, Share
from batchyard.world.parse import rfc3339
from batchyard.world.views import Policy, Queue

MOST = 500  # shares of a queue whose usage is kept (AWS: active shares of a queue)
CHANGED_SECONDS = 10.0  # between writes of usage while pods come and go
STEADY_SECONDS = 60.0  # between writes while nothing but time changes it
LEAST = 1.0  # vCPU seconds; a share that is not active and has used less is forgotten
Told = list[dict[str, str]]


def shares_of(cycle: Cycle, queue: Queue) -> Told | None:
    """Return status.shares: what was told, until it is time to tell anew; None without a policy.

    What is told of a share stays as it is while nothing of it runs or waits: its decay follows from `updatedAt`.
    """
    board = cycle.boards.get(queue.name)
    if board is None:
        # A policy that is gone for a while must not cost the shares their past.
        return _known(cycle, queue) if queue.policy else None
    told = {entry["share"]: entry for entry in queue.status.get("shares") or ()}
    wanted = _wanted(cycle, board)
    if told.keys() == {share.name for share in wanted} and not _is_due(cycle, queue, wanted):
        return list(told.values()) or None
    return [_entry(cycle, share) for share in sorted(wanted, key=lambda share: share.name)] or None


def _known(cycle: Cycle, queue: Queue) -> Told | None:
    """Return what was told last, also when it is in doubt whether it was written."""
    if queue.status.get("shares"):
        return list(queue.status["shares"])
    accounts = sorted(cycle.store.ledger.accounts.get(queue.name, {}).items())
    bases = [(name, account.base) for name, account in accounts if account.base.at]
    return [_told(name, base.usage, 0, base.at) for name, base in bases[:MOST]] or None


def _wanted(cycle: Cycle, board: Board) -> list[Share]:
    """Return the shares worth telling of: all that are active, and what others have used while it counts."""
    wanted = [share for share in board.shares.values() if share.active or share.usage >= LEAST]
    for share in wanted:
        if not share.busy:
            base, decay = share.account.base, board.policy.decay_seconds
            lasts = base.at + decay * max(1.0, log(max(base.usage, LEAST) / LEAST))
            cycle.plan.wake_at(max(lasts, cycle.now) + 1)
    if len(wanted) > MOST:
        wanted = sorted(wanted, key=lambda share: (not share.busy, -share.usage, share.name))[:MOST]
    return wanted


def _is_due(cycle: Cycle, queue: Queue, wanted: Iterable[Share]) -> bool:
    """Say whether usage is to be told anew; of a share that has used too little to be told nothing ever is."""
    dirty = any(share.account.dirty for share in wanted)
    if not dirty and not any(share.busy for share in wanted):
        return False
    due = cycle.store.ledger.stamps.get(queue.name, 0.0) + (CHANGED_SECONDS if dirty else STEADY_SECONDS)
    cycle.plan.wake_at(max(due, cycle.now + 1))
    return cycle.now >= due


def _entry(cycle: Cycle, share: Share) -> dict[str, str]:
    account = share.account
    if not share.busy and not account.held and not account.dirty and account.base.at:
        usage, at = account.base.usage, account.base.at
    else:
        usage, at = share.usage, cycle.now
    return _told(share.name, usage, account.held, at)


def _told(share: str, usage: float, held: int, at: float) -> dict[str, str]:
    vcpus = format(Decimal(held) / 1000, "f")
    return {"share": share, "usage": f"{usage:.3f}", "vCpus": vcpus, "updatedAt": rfc3339(at)}


def policy_status(policy: Policy, queues: Iterable[Queue]) -> dict[str, Any]:
    """Return phase, message and queues of a policy's status."""
    users = sorted(queue.name for queue in queues if queue.policy == policy.name)
    return {
        "phase": "Invalid" if policy.invalid else "Valid",
        "message": policy.invalid or None,
        "queues": users[:1000] or None,
        "observedGeneration": policy.generation,
    }
