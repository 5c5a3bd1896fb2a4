"""What queues and shares with a budget may spend and have spent."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric as Family

from batchyard.telemetry import catalogue
from batchyard.telemetry.catalogue import gauge
from batchyard.world.store import Store


def budgets(store: Store) -> Iterable[Family]:
    """Return the families; what was spent is that of the latest decision."""
    amount, spent = gauge(catalogue.BUDGET), gauge(catalogue.BUDGET_SPENT)
    for queue, its in sorted(store.purse.budgets.items()):
        for budget in its:
            fund = queue, budget.share
            amount.add_metric(fund, float(budget.amount))
            spent.add_metric(fund, float(store.purse.spendings[fund].spent()))
    return [amount, spent]
