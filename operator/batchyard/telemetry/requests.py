"""Metrics of our requests to the API server and of the queue of writes before it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

_REQUESTS = Counter(
    "batchyard_api_requests_total",
    "Requests to the API server by verb, resource and code of the answer; `error` if there was none.",
    ("verb", "resource", "code"),
)
_SECONDS = Histogram(
    "batchyard_api_request_seconds",
    "Seconds from request to the end of the answer; watches are left out.",
    ("verb",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_QUEUE = Gauge(
    "batchyard_writer_queue_depth",
    "Writes that wait for their turn, by lane; lower lanes go first.",
    ("lane",),
)
_LIMIT = Gauge("batchyard_writer_concurrency_limit", "Writes allowed at once; halved when the API server says 429.")


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
