"""What the machines of a simulated world have cost and who had it, added up from the world's own log, second by second.

Nothing here is shared with the code under test but the definition: docs/adr/0037-cost.md.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import inf

from simulation import Simulation

from batchyard.decide.outcome import SENT_AWAY
from batchyard.world.views import Environment, Pod
from world import Truth


@dataclass
class Invoice:
    """Money of one environment; `lost` is the most that pods can have had whose ends nobody saw."""

    nodes: Decimal = Decimal(0)
    useful: Decimal = Decimal(0)
    wasted: Decimal = Decimal(0)
    lost: Decimal = Decimal(0)
    machines: int = 0
    a_second: Decimal = Decimal(0)  # what all machines together cost

    @property
    def tolerance(self) -> Decimal:
        """A fifth of a second may pass until it is seen that a machine is gone; amounts have six digits."""
        return self.a_second / 4 + Decimal("0.00001")


@dataclass
class Stay:
    """A pod on a node; `ended` None: nobody saw it end."""

    start: float
    ended: float | None
    share: Decimal
    useful: bool


def invoice(simulation: Simulation, environment: str) -> Invoice:
    """Add up what an environment has cost until now."""
    world, whole = simulation.world, Invoice()
    stays = _stays(simulation)
    lives = {name: (truth, world.now) for name, truth in world.machines.items()} | world.past
    for name, (truth, gone) in lives.items():
        if truth.order.environment == environment:
            _add(whole, truth, gone, stays[name])
    return whole


def _add(whole: Invoice, truth: Truth, gone: float, stays: list[Stay]) -> None:
    shape = truth.order.shape
    spot = truth.order.capacity_type == "Spot"
    price = Decimal(shape.spot_price_per_hour if spot else shape.price_per_hour) / 3600
    whole.nodes += price * Decimal(gone - truth.born)
    whole.machines += 1
    whole.a_second += price
    spans = [(stay, stay.start, min(stay.ended if stay.ended is not None else inf, gone)) for stay in stays]
    marks = sorted({truth.born, gone, *(t for _, start, end in spans for t in (start, end) if t < gone)})
    for begin, end in pairwise(marks):
        there = [stay for stay, start, until in spans if start <= begin and until >= end]
        thin = max(sum(stay.share for stay in there), Decimal(1))
        for stay in there:
            paid = price * Decimal(end - begin) * stay.share / thin
            if stay.ended is None:
                whole.lost += paid
            elif stay.useful:
                whole.useful += paid
            else:
                whole.wasted += paid


def _stays(simulation: Simulation) -> dict[str, list[Stay]]:
    found: defaultdict[str, list[Stay]] = defaultdict(list)
    last = {view.uid: view for _, view in simulation.world.log[Pod] if isinstance(view, Pod)}
    mains = {(pod.job, pod.attempt): pod for pod in last.values() if pod.gang}
    lives = {**simulation.world.machines, **{name: truth for name, (truth, _) in simulation.world.past.items()}}
    for pod in last.values():
        if pod.node not in lives or not pod.containers or pod.containers[0].started is None:
            continue
        shape, (main,) = lives[pod.node].order.shape.resources, pod.containers
        assert main.started is not None
        share = max(Decimal(pod.requests.cpu) / shape.cpu, Decimal(pod.requests.memory) / shape.memory)
        chief = mains.get((pod.job, pod.attempt), pod)
        ended = max(main.finished, main.started + 1) if main.finished else None
        found[pod.node].append(Stay(main.started, ended, share, _useful(chief)))
    return found


def _useful(pod: Pod) -> bool:
    """Say whether a pod did its work: one that is told to go is not done, whatever it says."""
    cut_short = pod.deleting is not None and pod.stop is not None and pod.stop.reason in SENT_AWAY
    return pod.phase == "Succeeded" and not cut_short


def told(simulation: Simulation, environment: str) -> dict[str, Decimal]:
    """Return status.cost as numbers."""
    cost = simulation.world.tables[Environment][environment].status.get("cost") or {}
    return {name: Decimal(cost.get(name, 0)) for name in ("nodes", "useful", "wasted", "running", "idle")}
