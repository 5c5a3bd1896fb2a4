"""Budgets: what a queue or a share has spent and promised, whether that is enough, and when money comes free.

Money counts when it is spent: what runs adds to the window second by second, by the price of its part of a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import inf

from batchyard.decide.attempts import node_price, stopped
from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.escalate import P90
from batchyard.decide.explain import Outlook
from batchyard.decide.outcome import judge
from batchyard.decide.price import SHORTEST, rate
from batchyard.model.machine import Shape
from batchyard.model.resources import Resources
from batchyard.world.money import NOTHING
from batchyard.world.parse import rfc3339
from batchyard.world.specs import Budget
from batchyard.world.spending import Run, Spending
from batchyard.world.store import Store
from batchyard.world.views import Job, Pod, key

EXCEEDED = "BudgetExceeded"
Taken = Iterable[tuple[Shape | None, Resources]]  # what a pod takes, and of which kind of node
_PERIODS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(slots=True)
class Till:
    """The money of one budget in one decision; `committed` grows with each pod that is given room."""

    queue: str
    budget: Budget
    spending: Spending
    spent: Decimal
    committed: Decimal

    @property
    def exceeded(self) -> bool:
        """Say whether all is spent or promised."""
        return self.spent + self.committed >= self.budget.amount

    def stops(self, what: str) -> bool:
        """Say whether all is spent or promised, and this is what happens then."""
        return self.budget.on_exceeded == what and self.exceeded

    def commit(self, store: Store, ask: Ask, capacity_type: str, takes: Taken) -> None:
        """Count what a pod, or all those of a multi-node job, are expected to cost."""
        lasts = _lasts(store, ask.job, ask.standing.effective.timeout if ask.standing.effective else None, 0.0)
        for shape, requests in takes:
            if shape is not None:
                self.committed += rate(shape, capacity_type, requests) * Decimal(str(max(lasts, SHORTEST)))

    def frees_at(self) -> float:
        """Return when enough has left the window if nothing else happens, infinite where that does not suffice."""
        left = self.spent + self.committed
        for end, amount in sorted(self.spending.parts.items()):
            left -= amount
            if left < self.budget.amount:
                return float(end + self.budget.window_seconds)
        return inf

    def outlook(self) -> Outlook:
        """Say why nothing starts, and what helps."""
        return Outlook(EXCEEDED, self.sentence())

    def sentence(self) -> str:
        """Say what is spent, when money comes free, and what helps."""
        budget = self.budget
        more = f" and what runs is expected to cost {money(self.committed)} more" if self.committed else ""
        return (
            f"{self.owner} has spent {money(self.spent)} of {money(budget.amount)} within "
            f"{period(budget.window_seconds)}{more}; {self._relief()}raise {self._field}, or wait"
        )

    @property
    def owner(self) -> str:
        """Whose money it is, in words."""
        queue = f"JobQueue {self.queue!r}"
        return f"share {self.budget.share!r} of {queue}" if self.budget.share else queue

    @property
    def _field(self) -> str:
        return "its amount in spec.shareBudgets" if self.budget.share else "its spec.budget.amount"

    def _relief(self) -> str:
        end = self.frees_at()
        if end == inf:
            return "money comes free when what runs ends; " if self.committed else ""
        gone = sum(a for until, a in self.spending.parts.items() if until + self.budget.window_seconds <= end)
        return f"{money(Decimal(gone))} come free at {rfc3339(int(end))}; "


def money(amount: Decimal) -> str:
    """Write an amount for people: cents, and what is less than one dollar in millionths."""
    digits = "0.01" if amount >= 1 or not amount else "0.000001"
    return f"${amount.quantize(Decimal(digits)):f}"


def period(seconds: int) -> str:
    """Write a window for people, in the largest unit that it is a multiple of."""
    size, unit = next((size, unit) for size, unit in _PERIODS if not seconds % size)
    return "24 h" if seconds == 86_400 else f"{seconds // size} {unit}"


def balance(cycle: Cycle) -> None:
    """Bring up to date what is spent of all budgets; have decide called when one is all spent."""
    purse, store = cycle.store.purse, cycle.store
    news, purse.news = purse.news, []
    for queue, budgets in purse.budgets.items():
        for budget in budgets:
            if not (its := purse.spendings[queue, budget.share]).begun:
                _begin(cycle, (queue, budget), its)
    for pod in news:
        for fund in purse.paying(pod.queue, pod.share):
            _take_in(store, purse.spendings[fund], pod)
    for queue, budgets in purse.budgets.items():
        for budget in budgets:
            _draw_up(cycle, queue, budget)


def _draw_up(cycle: Cycle, queue: str, budget: Budget) -> None:
    fund = queue, budget.share
    spending = cycle.store.purse.spendings[fund]
    _move_on(cycle, spending)
    till = cycle.tills[fund] = Till(queue, budget, spending, spending.spent(), spending.committed())
    if (turn := _turns(till)) < inf:
        cycle.plan.wake_at(max(turn, cycle.now + 0.01))


def _begin(cycle: Cycle, whose: tuple[str, Budget], spending: Spending) -> None:
    """Begin with the pods that live: where the status left off, or, if there was no budget, from now on."""
    queue, budget = whose
    spending.begin(cycle.now)
    for pod in cycle.store.pods.values():
        if pod.queue == queue and pod.job and not pod.final and budget.covers(pod.share):
            _take_in(cycle.store, spending, pod)


def _take_in(store: Store, spending: Spending, pod: Pod) -> None:
    if not pod.final:
        if not spending.knows(key(pod), pod.uid, runs=started_of(pod) is not None):
            spending.enter(key(pod), _run(store, pod))
        return
    end = judge(pod)
    each = _priced(store, pod, end.started)
    over = max(stopped(pod, end), (end.started or 0.0) + SHORTEST)
    spending.end(key(pod), Run(pod.uid, each, end.started), over)


def _run(store: Store, pod: Pod) -> Run:
    started = started_of(pod)
    each = _priced(store, pod, started)
    lasts = _lasts(store, store.jobs.get(pod.job), pod.timeout, 0.0)
    if started is None:
        return Run(pod.uid, each, expected=each * Decimal(str(max(lasts, SHORTEST))))
    return Run(pod.uid, each, started, started + lasts if lasts else 0.0)


def started_of(pod: Pod) -> float | None:
    """Return since when a pod is paid for, as its attempt's record will say."""
    starts = [each.started for each in pod.containers if each.started and pod.matters(each)]
    return min(starts, default=None)


def _priced(store: Store, pod: Pod, started: float | None) -> Decimal:
    job = store.jobs.get(pod.job) if started is not None else None
    known = (attempt.instance_type for attempt in job.status.attempts if attempt.number == pod.attempt) if job else ()
    shape, capacity_type = node_price(store, pod, next(iter(known), ""))
    return rate(shape, capacity_type, pod.requests) if shape is not None else NOTHING


def _lasts(store: Store, job: Job | None, timeout: int | None, already: float) -> float:
    """Return how long an attempt is expected to run in all, 0 if nobody knows: what is left to it is promised money."""
    p90 = store.histories.lasts(job, P90, already) if job is not None else None
    if p90 is None:
        return float(timeout or 0)
    return min(p90, timeout) if timeout is not None else p90


def _move_on(cycle: Cycle, spending: Spending) -> None:
    spending.advance(cycle.now)
    for where in list(spending.overrun()):
        pod, run = cycle.store.pods.get(where), spending.runs[where]
        if pod is not None and run.started is not None:
            already = cycle.now - run.started
            spending.expect(
                where, run.started + _lasts(cycle.store, cycle.store.jobs.get(pod.job), pod.timeout, already)
            )


def _turns(till: Till) -> float:
    """Return when all is spent, or when some money leaves the window, if nothing happens until then."""
    leaves = min(till.spending.parts, default=inf) + till.budget.window_seconds
    unforeseen = till.spending.unforeseen()
    if till.exceeded or unforeseen <= 0:
        return leaves
    left = till.budget.amount - till.spent - till.committed
    return min(leaves, till.spending.at + float(left / unforeseen) + 0.01)


def tills_of(cycle: Cycle, job: Job) -> Iterator[Till]:
    """Yield the money of which a job spends: its queue's, and that of every budget for its share."""
    if cycle.tills:
        for fund in cycle.store.purse.paying(job.spec.queue, job.spec.share or ""):
            yield cycle.tills[fund]


def held_by_budget(cycle: Cycle, job: Job) -> Outlook | None:
    """Say that the money of a job's queue or share is spent and nothing of it starts."""
    return next((till.outlook() for till in tills_of(cycle, job) if till.stops("Hold")), None)


def only_spot(cycle: Cycle, job: Job) -> str:
    """Say why a job may use spot environments only, nothing if it may use all."""
    return next((till.sentence() for till in tills_of(cycle, job) if till.stops("SpotOnly")), "")
