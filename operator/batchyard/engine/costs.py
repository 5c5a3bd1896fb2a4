"""What nodes have cost since this operator began, and who had it, as Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from prometheus_client.core import CounterMetricFamily
from prometheus_client.core import Metric as Family

from batchyard.telemetry.catalogue import NODE_COST, PART_COST, Metric
from batchyard.world.bill import Bill
from batchyard.world.money import NOTHING
from batchyard.world.store import Store

PARTS = ("useful", "wasted", "idle")


class Costs:
    """Counters only rise: what was taken for idle and turns out to be a pod's is told a little later."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Decimal] = {}

    def families(self, store: Store) -> Iterable[Family]:
        """Return what the environments that exist have cost; the statuses keep what was before this operator."""
        nodes, parts = _counter(NODE_COST), _counter(PART_COST)
        bills = sorted(store.bills.of.items())
        uids = {bill.uid for _, bill in bills}
        self._told = {key: amount for key, amount in self._told.items() if key[0] in uids}
        for name, bill in bills:
            nodes.add_metric((name,), self._risen(bill, "nodes"))
            for part in PARTS:
                parts.add_metric((name, part), self._risen(bill, part))
        return [nodes, parts]

    def _risen(self, bill: Bill, part: str) -> float:
        key = (bill.uid, part)
        now: Decimal = getattr(bill, part) - bill.base.get(part, NOTHING)
        self._told[key] = max(now, self._told.get(key, NOTHING))
        return float(self._told[key])


def _counter(metric: Metric) -> CounterMetricFamily:
    return CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
