"""What the operator tells Prometheus of jobs, environments and itself; never a job or pod name as a label."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Histogram

_ATTEMPTS = Counter(
    "batchyard_attempts_total",
    "Ended attempts by queue and reason (Completed, Error, Interrupted...).",
    ("queue", "reason"),
)
_VERBS = Counter("batchyard_plan_verbs_total", "Verbs of all plans carried out.", ("verb",))
_STEPS = Histogram(
    "batchyard_cycle_step_seconds",
    "Seconds of each numbered step of a decision cycle.",
    ("step",),
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_EARLY_OR_LATE = Histogram(
    "batchyard_start_estimate_error_seconds",
    "Start of a job less the latest estimate of it (p50); negative: it came earlier.",
    ("queue",),
    buckets=(-3600, -600, -300, -60, -30, -10, -5, 0, 5, 10, 30, 60, 300, 600, 3600),
)
_WITHIN = Counter(
    "batchyard_start_estimates_total",
    "Jobs that started and had an estimate, by whether they started by its p90.",
    ("queue", "within_p90"),
)
_STARTED = Counter("batchyard_nodes_started_total", "Machines whose launch the provider took.", ("environment",))
_FAILED = Counter("batchyard_nodes_failed_total", "Machines that could not be had or failed.", ("environment",))


@cache
def _attempts(queue: str, reason: str) -> Counter:
    return _ATTEMPTS.labels(queue, reason)


@cache
def _verbs(verb: str) -> Counter:
    return _VERBS.labels(verb)


@cache
def _steps(step: str) -> Histogram:
    return _STEPS.labels(step)


def attempt_ended(queue: str, reason: str) -> None:
    """Count one attempt's end."""
    _attempts(queue, reason).inc()


def attempts_ended(queue: str, reason: str, count: int) -> None:
    """Count the ends of several attempts."""
    _attempts(queue, reason).inc(count)


def verb_carried_out(verb: str) -> None:
    """Count one verb of a plan."""
    _verbs(verb).inc()


def step_took(step: str, seconds: float) -> None:
    """Note how long a step of a cycle took."""
    _steps(step).observe(seconds)


def node_started(environment: str) -> None:
    """Count a launch that the provider took."""
    _STARTED.labels(environment).inc()


def node_failed(environment: str) -> None:
    """Count a machine that could not be had or failed."""
    _FAILED.labels(environment).inc()


def start_estimated(queue: str, late: float, within: bool) -> None:
    """Note by how many seconds a start was later than its estimate, and whether it kept to the p90."""
    _EARLY_OR_LATE.labels(queue).observe(late)
    _WITHIN.labels(queue, str(within).lower()).inc()
