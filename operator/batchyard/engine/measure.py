"""What is counted only when Prometheus asks: jobs by phase, ages, nodes and vCPUs, watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from time import monotonic, time
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from batchyard.decide.stock import consumed, in_use, left
from batchyard.kube.watch import Watcher
from batchyard.model.phase import Phase
from batchyard.world.store import Store


class Measure(Collector):
    """Reads the store at each scrape: nothing is counted per event."""

    def __init__(self, store: Store, watching: Sequence[Watcher[Any]]) -> None:
        self._store = store
        self._watching = watching
        REGISTRY.register(self)

    def close(self) -> None:
        """Stop being asked."""
        REGISTRY.unregister(self)

    def collect(self) -> Iterable[Metric]:
        """Yield all gauges."""
        yield from self._jobs()
        yield from self._environments()
        yield self._consumables()
        yield self._watches()

    def _jobs(self) -> Iterable[Metric]:
        jobs = GaugeMetricFamily("batchyard_jobs", "Jobs by queue and phase.", labels=("queue", "phase"))
        oldest = GaugeMetricFamily(
            "batchyard_oldest_runnable_seconds", "Age of the oldest job that waits for room.", labels=("queue",)
        )
        counts: Counter[tuple[str, str]] = Counter()
        ages: dict[str, float] = dict.fromkeys(self._store.queues, 0.0)
        for uid in self._store.active:
            job, standing = self._store.jobs[uid], self._store.memo.get(uid)
            phase = standing.phase if standing is not None else job.status.phase
            if standing is not None and standing.children is not None:  # of an array its children are counted
                for name, count in standing.children.live_counts().items():
                    counts[job.spec.queue, name] += count
            else:
                counts[job.spec.queue, str(phase)] += 1
            if phase == Phase.Runnable:
                ages[job.spec.queue] = max(ages.get(job.spec.queue, 0.0), time() - job.created)
        for queue, finished in self._store.finished.items():
            for phase, count in finished.items():
                counts[queue, phase] += count
        for queue in sorted({queue for queue, _ in counts} | set(self._store.queues)):
            for phase in Phase:
                jobs.add_metric((queue, str(phase)), counts[queue, str(phase)])
            oldest.add_metric((queue,), ages.get(queue, 0.0))
        return [jobs, oldest]

    def _environments(self) -> Iterable[Metric]:
        nodes = GaugeMetricFamily("batchyard_nodes", "Nodes by environment and state.", labels=("environment", "state"))
        vcpus = GaugeMetricFamily(
            "batchyard_vcpus",
            "vCPUs by environment: min, max, desired, provisioned, used.",
            labels=("environment", "kind"),
        )
        for name, view in sorted(self._store.environments.items()):
            for state, count in (view.status.get("nodes") or {}).items():
                nodes.add_metric((name, state), count)
            for kind, count in {**(view.status.get("vCpus") or {}), "max": view.max_vcpus}.items():
                vcpus.add_metric((name, kind), count)
        return [nodes, vcpus]

    def _consumables(self) -> Metric:
        amounts = GaugeMetricFamily(
            "batchyard_consumables",
            "Units of consumable resources by name: total, in_use, consumed, available, waiting (jobs).",
            labels=("consumable", "kind"),
        )
        for name, view in sorted(self._store.consumables.items()):
            amounts.add_metric((name, "total"), view.total)
            amounts.add_metric((name, "in_use"), in_use(self._store, view))
            amounts.add_metric((name, "consumed"), consumed(view))
            amounts.add_metric((name, "available"), max(left(self._store, view), 0))
            amounts.add_metric((name, "waiting"), view.status.get("waiting") or 0)
        return amounts

    def _watches(self) -> Metric:
        ages = GaugeMetricFamily(
            "batchyard_watch_age_seconds", "Seconds since a watch's last sign of life.", labels=("resource",)
        )
        worst: dict[str, float] = {}
        for watcher in self._watching:
            worst[watcher.resource] = max(worst.get(watcher.resource, 0.0), monotonic() - watcher.last_byte)
        for resource, age in worst.items():
            ages.add_metric((resource,), age)
        return ages
