"""What the shares of queues with a SchedulingPolicy have used and hold."""

from __future__ import annotations

from collections.abc import Iterable
from time import time

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as Family

from batchyard.decide.share import policy_of
from batchyard.telemetry import catalogue
from batchyard.telemetry.catalogue import OTHERS, SHARES, gauge
from batchyard.world.store import Store
from batchyard.world.views import Queue

Told = tuple[str, float, float]  # share, usage in vCPU seconds, vCPUs held


def shares(store: Store) -> Iterable[Family]:
    """Return the families; users name shares as they like, so that only the busiest are told one by one."""
    usage, vcpus = gauge(catalogue.SHARE_USAGE), gauge(catalogue.SHARE_VCPUS)
    for name, queue in sorted(store.queues.items()):
        _tell(name, _told(store, queue), (usage, vcpus))
    return [usage, vcpus]


def _told(store: Store, queue: Queue) -> list[Told]:
    policy = policy_of(store, queue)
    if policy is None:
        return []
    now, accounts = time(), store.ledger.accounts.get(queue.name, {})
    told = [(name, account.usage(now, policy.decay_seconds), account.held / 1000) for name, account in accounts.items()]
    return sorted(told, key=lambda share: (-share[1], share[0]))


def _tell(queue: str, told: list[Told], families: tuple[GaugeMetricFamily, GaugeMetricFamily]) -> None:
    rest = told[SHARES:]
    others = [(OTHERS, sum(share[1] for share in rest), sum(share[2] for share in rest))] if rest else []
    for name, *values in [*told[:SHARES], *others]:
        for family, value in zip(families, values, strict=True):
            family.add_metric((queue, name), value)
