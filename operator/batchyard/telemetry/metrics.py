"""What the engine counts of jobs, environments and itself; never a job or pod name as a label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from prometheus_client import Counter, Histogram, disable_created_metrics
from prometheus_client.core import Metric as Family

from batchyard.telemetry import catalogue
from batchyard.telemetry.tally import Capped, Labels, Spread, Total

# For each series that counts there would be another, of when it began; Prometheus has no use for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

ATTEMPTS = Total(catalogue.ATTEMPTS)
RUN = Spread(catalogue.RUN)
WAIT = Spread(catalogue.WAIT)
COST, WASTED = Total(catalogue.COST), Total(catalogue.WASTED)
SHARE_COST, NAMESPACE_COST = Capped(catalogue.SHARE_COST), Capped(catalogue.NAMESPACE_COST)
ESTIMATE_ERROR, ESTIMATES = Spread(catalogue.ESTIMATE_ERROR), Total(catalogue.ESTIMATES)
STARTED, FAILED = Total(catalogue.STARTED), Total(catalogue.FAILED)

_VERBS = Counter(catalogue.VERBS.name, catalogue.VERBS.meaning, catalogue.VERBS.labels)
_CYCLE = Histogram(catalogue.CYCLE.name, catalogue.CYCLE.meaning, buckets=catalogue.CYCLE.buckets)
_STEPS = Histogram(
    catalogue.STEPS.name, catalogue.STEPS.meaning, catalogue.STEPS.labels, buckets=catalogue.STEPS.buckets
)
_DEFECTS = Counter(catalogue.DEFECTS.name, catalogue.DEFECTS.meaning)


@cache
def _verbs(verb: str) -> Counter:
    return _VERBS.labels(verb)


@cache
def _steps(step: str) -> Histogram:
    return _STEPS.labels(step)


def verb_carried_out(verb: str) -> None:
    """Count one verb of a plan."""
    _verbs(verb).inc()


def step_took(step: str, seconds: float) -> None:
    """Note how long a step of a cycle took."""
    _steps(step).observe(seconds)


def cycle_took(seconds: float, defects: int) -> None:
    """Note how long a whole cycle took, and how many objects it could not deal with."""
    _CYCLE.observe(seconds)
    if defects:
        _DEFECTS.inc(defects)


def node_started(environment: str) -> None:
    """Count a launch that the provider took."""
    STARTED.add((environment,))


def node_failed(environment: str) -> None:
    """Count a machine that could not be had or failed."""
    FAILED.add((environment,))


def start_estimated(queue: str, late: float, within: bool) -> None:
    """Note by how many seconds a start was later than its estimate, and whether it kept to the p90."""
    ESTIMATE_ERROR.add((queue,), late)
    ESTIMATES.add((queue, str(within).lower()))


def counted(queues: Mapping[str, Sequence[str]], environments: Iterable[str], ends: Sequence[Labels]) -> list[Family]:
    """Return what was counted of queues (with their environments) and environments that exist.

    `ends` are the pairs of outcome and reason with which an attempt can end.
    """
    known = set(environments)
    somewhere = known | {catalogue.UNKNOWN}
    pairs = [(queue, name) for queue, named in queues.items() for name in named if name in known]

    def of_queue(labels: Labels) -> bool:
        return labels[0] in queues

    def of_both(labels: Labels) -> bool:
        return labels[0] in queues and labels[1] in somewhere

    def of_environment(labels: Labels) -> bool:
        return labels[0] in known

    outcomes = sorted({outcome for outcome, _ in ends})
    return [
        ATTEMPTS.family([(*pair, *end) for pair in pairs for end in ends], of_both),
        RUN.family([(queue, outcome) for queue in queues for outcome in outcomes], of_queue),
        WAIT.family([(queue,) for queue in queues], of_queue),
        COST.family(pairs, of_both),
        WASTED.family(pairs, of_both),
        SHARE_COST.family((), of_queue),
        NAMESPACE_COST.family((), lambda _: True),
        ESTIMATE_ERROR.family([(queue,) for queue in queues], of_queue),
        ESTIMATES.family([(queue, within) for queue in queues for within in ("false", "true")], of_queue),
        STARTED.family([(name,) for name in known], of_environment),
        FAILED.family([(name,) for name in known], of_environment),
    ]
