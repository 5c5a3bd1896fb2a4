"""Whose status is looked at in a decision: those of which something has changed, or whose time has come."""

from __future__ import annotations

from itertools import islice

from batchyard.decide.cycle import Cycle, Standing, tell
from batchyard.decide.lines import Line

# Room is awaited, or one's turn; which of these it is changes from decision to decision.
_TURN = frozenset(
    {
        *("", "NodesStarting", "AtMaxVCpus", "NodesBusy", "BehindOthers", "InsufficientCapacity", "MaxRunningJobs"),
        *("ShareReservation", "ConsumableUnavailable", "ConsumableBooking", "BudgetExceeded"),
    }
)


MOST = 10_000  # changed standings looked at in one decision: 10 us each, in which nobody renews the Lease


def group(reason: str) -> str:
    """Return what a reason to wait is about: one's turn (empty), or itself."""
    return "" if reason in _TURN else reason


def examined(cycle: Cycle, *, crowded: bool) -> list[Standing]:
    """Return the standings to be looked at, in the order in which their jobs came.

    The others would be found as they were: what is said of a job depends on its standing, its place at the front or
    behind, what its line is told, and times that were noted when it was last looked at.
    """
    roster = cycle.roster
    roster.fresh.update(dict.fromkeys(_told_anew(cycle)))
    wanted = {*islice(roster.fresh, MOST), *roster.to_look_at(cycle.now), *_moved(cycle)}
    if crowded != roster.crowded:  # how long progress must hold, and a place at the front; behind it nobody hurries
        roster.crowded = crowded
        wanted |= roster.live | set(cycle.positions)
    for uid in wanted:
        roster.fresh.pop(uid, None)
    if roster.fresh:
        cycle.plan.wake_at(cycle.now)
    active, found = cycle.store.active, []
    for uid in sorted(wanted, key=lambda uid: active.get(uid, 0)):
        entry = roster.entries.get(uid)
        if entry is not None and entry.counted:
            roster.not_look(uid)
            tell(entry.standing)
            found.append(entry.standing)
    return found


def _moved(cycle: Cycle) -> list[str]:
    """Return those at the front that are told otherwise, and those that came there or left it."""
    roster, seen = cycle.roster, {}
    for uid in cycle.positions:
        standing = roster.entries[uid].standing
        tell(standing)
        seen[uid] = (standing.reason, uid in cycle.heads)
    found = [uid for uid, what in seen.items() if roster.seen.get(uid) != what]
    found += [uid for uid in roster.seen if uid not in seen]
    roster.seen = seen
    return found


def _told_anew(cycle: Cycle) -> list[str]:
    """Return all who stand in a line that is now told of another matter."""
    found: list[str] = []
    for line in [line for queue in cycle.roster.lines.values() for line in queue.values()]:
        if line.group != (now := _group_of(line)):
            line.group = now
            found += [ask.job.uid for ask in line.asks]
    return found


def _group_of(line: Line) -> str:
    return group(line.outlook.reason) if line.outlook else ""
