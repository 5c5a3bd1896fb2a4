"""Metrics of our requests to the API server and of the queue of writes before it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from batchyard.telemetry import catalogue

_REQUESTS = Counter(catalogue.REQUESTS.name, catalogue.REQUESTS.meaning, catalogue.REQUESTS.labels)
_SECONDS = Histogram(
    catalogue.REQUEST.name, catalogue.REQUEST.meaning, catalogue.REQUEST.labels, buckets=catalogue.REQUEST.buckets
)
_QUEUE = Gauge(catalogue.QUEUED_WRITES.name, catalogue.QUEUED_WRITES.meaning, catalogue.QUEUED_WRITES.labels)
_LIMIT = Gauge(catalogue.CONCURRENCY.name, catalogue.CONCURRENCY.meaning)


@cache
def _requests(verb: str, resource: str, code: str) -> Counter:
    # Finding a child costs more than counting: the children are kept.
    return _REQUESTS.labels(verb, resource, code)


@cache
def _seconds(verb: str) -> Histogram:
    return _SECONDS.labels(verb)


def count_request(verb: str, resource: str, code: int) -> None:
    """Count one answer; code 0 stands for no answer at all."""
    _requests(verb, resource, str(code) if code else "error").inc()


def observe_request(verb: str, seconds: float) -> None:
    """Note how long one request took."""
    _seconds(verb).observe(seconds)


def watch_queue(lane: int, depth: Callable[[], float]) -> None:
    """Have the depth of a lane of the writer read whenever metrics are scraped, at no cost per write."""
    _QUEUE.labels(str(lane)).set_function(depth)


def watch_limit(limit: Callable[[], float]) -> None:
    """Have the writer's limit of concurrency read whenever metrics are scraped."""
    _LIMIT.set_function(limit)
