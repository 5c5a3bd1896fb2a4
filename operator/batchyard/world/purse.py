"""The budgets of queues and shares: whose money a pod spends, and what of it was spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batchyard.world.parse import seconds
from batchyard.world.specs import Budget
from batchyard.world.spending import LATE, Spending, parts_of
from batchyard.world.views import Pod, Queue

Fund = tuple[str, str]  # queue, and the share as its budget names it: empty for the whole queue


class Purse:
    """The spendings of all budgets, and the pods that decide has yet to price."""

    def __init__(self) -> None:
        self.spendings: dict[Fund, Spending] = {}
        self.budgets: dict[str, tuple[Budget, ...]] = {}  # by queue; none: it has no budget
        self.news: list[Pod] = []  # in the order in which they were heard of

    def __deepcopy__(self, _: object) -> Purse:
        twin = Purse()
        twin.spendings = {fund: spending.fork() for fund, spending in self.spendings.items()}
        twin.budgets, twin.news = dict(self.budgets), list(self.news)
        return twin

    def hear(self, pod: Pod) -> None:
        """Note a version of a pod of ours: it came, started, ended or is gone."""
        if pod.job and pod.queue and self.budgets.get(pod.queue) != ():
            self.news.append(pod)

    def paying(self, queue: str, share: str) -> Sequence[Fund]:
        """Return the funds of which a Job of a queue and share spends; of a queue that was never read, none."""
        budgets = self.budgets.get(queue, ())
        return [(queue, budget.share) for budget in budgets if budget.covers(share)] if budgets else ()

    def read(self, queue: Queue) -> None:
        """Take in a queue's budgets, and what its status tells where that is newer than what is known."""
        if queue.invalid:
            return  # until it is mended, nothing is known of its budgets and nothing forgotten
        kept = {(queue.name, budget.share) for budget in queue.budgets}
        for fund in [(queue.name, budget.share) for budget in self.budgets.get(queue.name, ())]:
            if fund not in kept:
                del self.spendings[fund]
        self.budgets[queue.name] = queue.budgets
        for budget in queue.budgets:
            self._read(queue.name, budget, told_of(queue, budget.share))

    def _read(self, queue: str, budget: Budget, told: dict[str, Any]) -> None:
        spending = self.spendings.setdefault((queue, budget.share), Spending(budget.window_seconds))
        if spending.window != budget.window_seconds:
            spending.resize(budget.window_seconds)
        stamp = seconds(told["updatedAt"]) if told.get("updatedAt") else 0.0
        if stamp > spending.at + 1:  # another operator has gone on
            spending.at, spending.parts = stamp, dict(parts_of(told))
            spending.resize(spending.window)
        if stamp > spending.told:
            spending.told, spending.dirty = stamp, False
            spending.counted = {uid: end for uid, end in spending.counted.items() if end > stamp - LATE}

    def forget(self, queue: str) -> None:
        """Take in that a queue is gone."""
        for budget in self.budgets.pop(queue, ()):
            del self.spendings[queue, budget.share]


def told_of(queue: Queue, share: str) -> dict[str, Any]:
    """Return what a queue's status tells of one of its budgets, empty if nothing."""
    if not share:
        return queue.status.get("budget") or {}
    entries = queue.status.get("shareBudgets") or ()
    return next((entry for entry in entries if entry.get("share") == share), {})
