"""Counters and histograms whose labels come and go: plain dicts, since counting stands in the hot path.

The client library's own take two to five times as long, and keep what a queue that is gone has counted for ever. All
counting happens in one thread, the event loop's, so that nothing is locked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from batchyard.telemetry.catalogue import OTHERS, SHARES, Metric

Labels = tuple[str, ...]


class Total:
    """A counter; `born` labels are told from 0 on, so that the first thing counted shows in a rate."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self.values: defaultdict[Labels, float] = defaultdict(float)

    def add(self, labels: Labels, amount: float = 1.0) -> None:
        """Count."""
        self.values[labels] += amount

    def family(self, born: Iterable[Labels], lives: Callable[[Labels], bool]) -> CounterMetricFamily:
        """Return all series; those that no longer live are forgotten."""
        for labels in [labels for labels in self.values if not lives(labels)]:
            del self.values[labels]
        family = CounterMetricFamily(self._metric.name, self._metric.meaning, labels=self._metric.labels)
        for labels in sorted({*born, *self.values}):
            family.add_metric(labels, self.values.get(labels, 0.0))
        return family


class Capped(Total):
    """A counter whose last label anybody may make up: the first values are told one by one, all later ones together."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._known: Counter[Labels] = Counter()  # by the other labels

    def add(self, labels: Labels, amount: float = 1.0) -> None:
        """Count."""
        group = labels[:-1]
        if labels not in self.values:
            if self._known[group] >= SHARES:
                labels = (*group, OTHERS)
            else:
                self._known[group] += 1
        super().add(labels, amount)

    def family(self, born: Iterable[Labels], lives: Callable[[Labels], bool]) -> CounterMetricFamily:
        """Return all series; those that no longer live are forgotten."""
        found = super().family(born, lives)
        self._known = Counter(labels[:-1] for labels in self.values if labels[-1] != OTHERS)
        return found


class Spread:
    """A histogram; each series is a count for every bucket, the last for what is beyond all, and the sum."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._bounds = metric.buckets
        self.values: defaultdict[Labels, list[float]] = defaultdict(lambda: [0.0] * (len(self._bounds) + 2))

    def add(self, labels: Labels, value: float) -> None:
        """Count one value."""
        series = self.values[labels]
        series[bisect_left(self._bounds, value)] += 1
        series[-1] += value

    def family(self, born: Iterable[Labels], lives: Callable[[Labels], bool]) -> HistogramMetricFamily:
        """Return all series; those that no longer live are forgotten."""
        for labels in [labels for labels in self.values if not lives(labels)]:
            del self.values[labels]
        family = HistogramMetricFamily(self._metric.name, self._metric.meaning, labels=self._metric.labels)
        for labels in sorted({*born, *self.values}):
            self._add(family, labels)
        return family

    def _add(self, family: HistogramMetricFamily, labels: Labels) -> None:
        *counts, whole = self.values[labels]
        bounds = [*(f"{float(bound)}" for bound in self._bounds), "+Inf"]
        family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), whole)
        if self._bounds[0] < 0:  # the library leaves out the sum, which may go down, and the count with it
            named = dict(zip(self._metric.labels, labels, strict=True))
            family.add_sample(f"{self._metric.name}_count", named, sum(counts))
