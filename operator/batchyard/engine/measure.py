"""What is looked up only when Prometheus asks: the leader's gauges, and the counts of what exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from time import monotonic, time
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from batchyard.decide.stock import consumed, in_use, left
from batchyard.engine.budgets import budgets
from batchyard.engine.costs import Costs
from batchyard.engine.count import ENDS
from batchyard.engine.headcount import jobs
from batchyard.engine.shares import shares
from batchyard.kube.watch import Watcher
from batchyard.telemetry import catalogue, metrics
from batchyard.telemetry.catalogue import gauge
from batchyard.world.store import Store
from batchyard.world.views import Environment

_VERSION = version("batchyard")


class Measure(Collector):
    """Reads the store at each scrape: nothing is counted per event. Who stands by tells nothing but that."""

    def __init__(self, store: Store, watching: Sequence[Watcher[Any]]) -> None:
        self._store = store
        self._watching = watching
        self._costs = Costs()
        self._last_cycle: Callable[[], float] | None = None
        self.leads: Callable[[], bool] = lambda: False
        REGISTRY.register(self)

    def begin(self, last_cycle: Callable[[], float]) -> None:
        """Tell of the store from now on: everything is listed."""
        self._last_cycle = last_cycle

    def close(self) -> None:
        """Stop being asked."""
        REGISTRY.unregister(self)

    def collect(self) -> Iterable[Family]:
        """Yield all families."""
        yield from self._itself()
        if self._last_cycle is None or not self.leads():
            return
        store = self._store
        age = gauge(catalogue.CYCLE_AGE)
        age.add_metric((), monotonic() - self._last_cycle())
        yield age
        yield self._watches()
        yield from jobs(store)
        yield from shares(store)
        yield from budgets(store)
        yield from self._costs.families(store)
        yield from self._environments()
        yield self._consumables()
        queues = {name: queue.environments for name, queue in store.queues.items()}
        yield from metrics.counted(queues, store.environments, ENDS)

    def _itself(self) -> Iterable[Family]:
        leader, build = gauge(catalogue.LEADER), gauge(catalogue.BUILD)
        leader.add_metric((), float(self.leads()))
        build.add_metric((_VERSION,), 1)
        return [leader, build]

    def _environments(self) -> Iterable[Family]:
        nodes, vcpus = gauge(catalogue.NODES), gauge(catalogue.VCPUS)
        invalid, types = gauge(catalogue.INVALID), gauge(catalogue.INSTANCE_TYPES)
        notices = CounterMetricFamily(
            catalogue.INTERRUPTIONS.name, catalogue.INTERRUPTIONS.meaning, labels=catalogue.INTERRUPTIONS.labels
        )
        for name, view in sorted(self._store.environments.items()):
            for state, count in (view.status.get("nodes") or {}).items():
                nodes.add_metric((name, state), count)
            for kind, count in {**(view.status.get("vCpus") or {}), "max": view.max_vcpus}.items():
                vcpus.add_metric((name, kind), count)
            invalid.add_metric((name,), float(view.status.get("phase") == "Invalid"))
            refused = self._refused(view)
            types.add_metric((name, "unavailable"), refused)
            types.add_metric((name, "available"), len(view.shapes) - refused)
            notices.add_metric((name,), self._store.interruptions[name])
        return [nodes, vcpus, invalid, types, notices]

    def _refused(self, view: Environment) -> int:
        now, refusals = time(), self._store.unavailable
        tried = (refusals.get((view.name, shape.name)) for shape in view.shapes)
        return sum(1 for refusal in tried if refusal is not None and refusal.until > now)

    def _consumables(self) -> Family:
        amounts = gauge(catalogue.CONSUMABLES)
        for name, view in sorted(self._store.consumables.items()):
            amounts.add_metric((name, "total"), view.total)
            amounts.add_metric((name, "in_use"), in_use(self._store, view))
            amounts.add_metric((name, "consumed"), consumed(view))
            amounts.add_metric((name, "available"), max(left(self._store, view), 0))
            amounts.add_metric((name, "waiting"), view.status.get("waiting") or 0)
        return amounts

    def _watches(self) -> Family:
        ages = gauge(catalogue.WATCH_AGE)
        worst: dict[str, float] = {}
        for watcher in self._watching:
            worst[watcher.resource] = max(worst.get(watcher.resource, 0.0), monotonic() - watcher.last_byte)
        for resource, age in worst.items():
            ages.add_metric((resource,), age)
        return ages
