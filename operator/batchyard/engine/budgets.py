"""What the queues with a budget may spend and have spent."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric as Family

from batchyard.telemetry import catalogue
from batchyard.telemetry.catalogue import gauge
from batchyard.world.store import Store


def budgets(store: Store) -> Iterable[Family]:
    """Return the families; what was spent is that of the latest decision."""
    amount, spent = gauge(catalogue.BUDGET), gauge(catalogue.BUDGET_SPENT)
    for name, spending in sorted(store.purse.spendings.items()):
        queue = store.queues.get(name)
        if queue is not None and queue.budget is not None:
            amount.add_metric((name,), float(queue.budget.amount))
            spent.add_metric((name,), float(spending.spent()))
    return [amount, spent]
