"""What environments cost: nodes by the price of their hour, pods by their share of it, and what nobody used."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from batchyard.decide.attempts import node_price, stopped
from batchyard.decide.budget import started_of
from batchyard.decide.cycle import Cycle
from batchyard.decide.outcome import judge
from batchyard.decide.price import SHORTEST, hourly, part
from batchyard.model.machine import MachineState, Shape
from batchyard.world.bill import AMOUNTS, Bill
from batchyard.world.money import CENTS, FINE, NOTHING
from batchyard.world.parse import rfc3339, seconds
from batchyard.world.store import Store
from batchyard.world.tab import Spell
from batchyard.world.views import Environment, Pod

LATE = 10.0  # seconds within which starts and ends are heard of as a rule: what is older is counted
OFTEN = 5.0  # seconds between countings
CHANGED_SECONDS = 10.0  # between writes, when nothing runs any more
STEADY_SECONDS = 60.0  # between writes otherwise
_MOST = Decimal(999_999_999)  # that a status can hold


def bills(cycle: Cycle) -> None:
    """Bring up to date what each managed environment has cost."""
    table, store = cycle.store.bills, cycle.store
    if table.frozen:
        return
    new = [_open(cycle, view) for view in store.environments.values() if view.managed]
    news, table.news = table.news, []
    for pod in news:
        if (bill := table.of.get(pod.environment)) is not None:
            _take_in(store, bill, pod)
    for name in [name for name in table.of if name not in store.environments]:
        del table.of[name]
    for bill in filter(None, new):
        bill.forgo()
    for bill in table.of.values():
        _count(cycle, bill)


def _open(cycle: Cycle, view: Environment) -> Bill | None:
    """See which machines of an environment came and went; return its bill if that is new."""
    table = cycle.store.bills.of
    bill = table.get(view.name)
    new = bill is None or bill.uid != view.uid
    if bill is None or new:
        bill = table[view.name] = Bill.begin(view.uid, view.status.get("cost") or {}, cycle.now)
    found = cycle.store.machines_of(view.name)
    if found is bill.known and view.shapes == bill.shapes:
        return None
    prices = {(shape.name, kind): _a_second(shape, kind) for shape in view.shapes for kind in ("Spot", "OnDemand")}
    for machine in found:
        at_launch = machine.price_per_hour
        its = (machine.instance_type, machine.capacity_type)
        price = Decimal(at_launch) / 3600 if at_launch else prices.get(its)
        if price is not None and machine.state is not MachineState.Launching:
            bill.open(machine.name, price, min(machine.launched_at or cycle.now, cycle.now))
    there = {machine.name for machine in found}
    for node, tab in bill.tabs.items():
        if node not in there and tab.ends > cycle.now:
            bill.close(node, cycle.now)
    bill.known, bill.shapes = found, view.shapes
    return bill if new else None


def _a_second(shape: Shape, capacity_type: str) -> Decimal:
    return hourly(shape, capacity_type) / 3600


def _take_in(store: Store, bill: Bill, pod: Pod) -> None:
    if not pod.final:
        _live(store, bill, pod)
        return
    end = judge(pod)
    over = max(stopped(pod, end), (end.started or 0.0) + SHORTEST)
    if pod.uid not in bill.spells:
        if pod.uid in bill.closed or end.started is None or _settled_at(store, pod, over) <= bill.at:
            return
        bill.enter(pod.uid, _spell(store, pod, end.started), over)
    elif end.started is not None:
        bill.start(pod.uid, end.started)
    bill.end(pod.uid, over, useful=_useful(store, pod) if pod.worker else end.success)


def _useful(store: Store, worker: Pod) -> bool | None:
    """Say whether a worker was useful, as its main pod says; where that is gone before, it was not."""
    main = _main(store, worker)
    if main is None:
        return False
    return judge(main).success if main.final else None


def _main(store: Store, worker: Pod) -> Pod | None:
    pods = store.pods_of.get(worker.job, {}).values()
    return next((pod for pod in pods if pod.gang and pod.attempt == worker.attempt), None)


def _live(store: Store, bill: Bill, pod: Pod) -> None:
    spell, started = bill.spells.get(pod.uid), started_of(pod)
    if spell is None and pod.uid not in bill.closed:
        bill.enter(pod.uid, _spell(store, pod, started))
    elif spell is not None and started is not None and spell.started is None:
        bill.start(pod.uid, started)


def _spell(store: Store, pod: Pod, started: float | None) -> Spell:
    shape, capacity_type = node_price(store, pod)
    share = part(shape, pod.requests).quantize(FINE) if shape is not None else NOTHING
    price = _a_second(shape, capacity_type) if shape is not None else NOTHING
    gang = (pod.job, pod.attempt) if pod.node_index is not None else None
    return Spell(pod.node, share, share * price, gang, started)


def _settled_at(store: Store, pod: Pod, over: float) -> float:
    """Return when it was known of what use a pod was: a worker's with its main pod's end."""
    if not pod.worker:
        return over
    main = _main(store, pod)
    if main is None:
        return over
    return max(over, stopped(main, judge(main))) if main.final else float("inf")


def _count(cycle: Cycle, bill: Bill) -> None:
    """Count until nothing is to be heard of any more; where no pod lives, until now and at once."""
    until = cycle.now - LATE if bill.live else cycle.now
    if until >= bill.at + OFTEN or (bill.stirred and not bill.live and until > bill.at):
        bill.count(until)


def cost_of(cycle: Cycle, view: Environment, *, changed: bool) -> dict[str, Any] | None:
    """Return status.cost: what was told, until it is time to tell anew, or until something else is `changed` anyway.

    No decision is asked for: the loop decides every few seconds, and money can wait so long.
    """
    old, bill = view.status.get("cost"), cycle.store.bills.of.get(view.name)
    if bill is None or bill.uid != view.uid:
        return old
    before = old or {}
    told_at = seconds(before["updatedAt"]) if before.get("updatedAt") else bill.since
    if bill.at <= told_at:
        return old
    new = _told(bill)
    if all(before.get(name, "0.000000") == new[name] for name in (*AMOUNTS, "nodes")):
        return old
    due = told_at + (CHANGED_SECONDS if not bill.live and _news(before, new) else STEADY_SECONDS)
    return new if cycle.now >= due or changed or not bill.tabs else old


def _news(before: dict[str, Any], new: dict[str, str]) -> bool:
    """Say whether more has changed than that idle nodes cost money."""
    return any(before.get(name, "0.000000") != new[name] for name in ("useful", "wasted", "running"))


def _told(bill: Bill) -> dict[str, str]:
    """Return the amounts as written; their sum is the nodes' cost also after rounding."""
    amounts = {name: min(max(NOTHING, getattr(bill, name)), _MOST).quantize(CENTS) for name in AMOUNTS}
    amounts = {"nodes": sum(amounts.values(), NOTHING), **amounts}
    written = {name: f"{amount:f}" for name, amount in amounts.items()}
    return {**written, "since": rfc3339(bill.since), "updatedAt": rfc3339(bill.at)}
