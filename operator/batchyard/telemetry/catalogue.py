"""Every metric of ours: type, name, meaning, labels; docs/metrics.md is made from this.

No label is ever the name of a job, a pod or a node: each takes its values from a closed list, or from the names of
queues, environments and consumables that exist, or of the busiest shares of a queue (`LABELS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import GaugeMetricFamily

Type = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series; a counter's name ends in `_total`, a time's in `_seconds`."""

    type: Type
    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


UNKNOWN, OTHERS = "(unknown)", "(others)"  # no object of Kubernetes has a name with brackets
SHARES = 100  # of a queue that are told one by one
LABELS = {
    "queue": f"a JobQueue that exists; `{UNKNOWN}` for all jobs whose queue does not",
    "environment": f"a ComputeEnvironment that exists; `{UNKNOWN}` for attempts that were lost with their pods",
    "consumable": "a ConsumableResource that exists",
    "job_namespace": f"one of the first {SHARES} namespaces whose jobs have cost something; `{OTHERS}` for the rest",
    "part": "of what nodes cost 3: useful, wasted, idle",
    "share": f"one of the {SHARES} shares of its queue that have used most; `{OTHERS}` for the rest together; "
    "of a budget, as it names them",
    "phase": "the 7 phases of a Job",
    "state": "of nodes 4: launching, ready, draining, failed; of instance types 2: available, unavailable",
    "kind": "of vCPUs 5: min, max, desired, provisioned, used; of consumables 5: total, in_use, consumed, available, "
    "waiting",
    "outcome": "4: Succeeded, Failed, Stopped (by the user), Infrastructure (the node's fault: a free retry)",
    "reason": "a closed list, see below; what is not on it is `Other`",
    "within_p90": "2: true, false",
    "step": "the 9 steps of a decision",
    "verb": "of plans the 17 verbs of a plan; of requests the verbs of the API server",
    "resource": "the resources that the operator has rights for",
    "code": "the API server's HTTP codes; `error` if there was no answer",
    "lane": "the 4 lanes of writes",
    "version": "one: that of the operator",
}

_LONG = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10800, 43200, 86400)
_SHORT = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_EITHER_WAY = (-3600, -600, -300, -60, -30, -10, -5, 0, 5, 10, 30, 60, 300, 600, 3600)
_REQUEST = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# Jobs
JOBS = Metric("gauge", "batchyard_jobs", "Jobs by queue and phase; of an array its children.", ("queue", "phase"))
WAITING = Metric(
    "gauge",
    "batchyard_waiting_jobs",
    "Jobs that wait for room or for their turn, by what they are told; of an array its children.",
    ("queue", "reason"),
)
OLDEST_RUNNABLE = Metric(
    "gauge", "batchyard_oldest_runnable_seconds", "Age of the oldest job that waits for room, 0 if none.", ("queue",)
)
OLDEST_STARTING = Metric(
    "gauge",
    "batchyard_oldest_starting_seconds",
    "For how long the attempt that has been Starting longest has been so, 0 if none.",
    ("queue",),
)
HELD = Metric("gauge", "batchyard_queue_held", "1 if the queue starts nothing by spec.state Held, else 0.", ("queue",))
WAIT = Metric(
    "histogram",
    "batchyard_job_wait_seconds",
    "From a job's submission until its containers first ran; of an array each child, once its attempt has ended.",
    ("queue",),
    _LONG,
)
RUN = Metric(
    "histogram",
    "batchyard_attempt_run_seconds",
    "From the start of an attempt's containers to their end, by the pod's own times.",
    ("queue", "outcome"),
    _LONG,
)
ATTEMPTS = Metric(
    "counter", "batchyard_attempts_total", "Attempts that have ended.", ("queue", "environment", "outcome", "reason")
)
ESTIMATE_ERROR = Metric(
    "histogram",
    "batchyard_start_estimate_error_seconds",
    "Start of a job less the latest estimate of it (p50); negative: it came earlier. It has no sum.",
    ("queue",),
    _EITHER_WAY,
)
ESTIMATES = Metric(
    "counter",
    "batchyard_start_estimates_total",
    "Jobs that started and had an estimate, by whether they started by its p90.",
    ("queue", "within_p90"),
)

# Money, shares, consumables
COST = Metric(
    "counter",
    "batchyard_cost_total",
    "Cost of the attempts that have ended, in the currency of the instance types' prices.",
    ("queue", "environment"),
)
WASTED = Metric(
    "counter", "batchyard_wasted_cost_total", "The part of it that did not succeed.", ("queue", "environment")
)
SHARE_COST = Metric(
    "counter",
    "batchyard_share_cost_total",
    f"Cost of the attempts that have ended, by share; told one by one are the first {SHARES} shares of a queue.",
    ("queue", "share"),
)
NAMESPACE_COST = Metric(
    "counter",
    "batchyard_namespace_cost_total",
    "Cost of the attempts that have ended, by namespace of the jobs.",
    ("job_namespace",),
)
NODE_COST = Metric(
    "counter",
    "batchyard_node_cost_total",
    "What the nodes of a managed environment have cost, from launch to end, by the price of an hour.",
    ("environment",),
)
PART_COST = Metric(
    "counter",
    "batchyard_node_cost_part_total",
    "Who had it: attempts that succeeded, others that ended, nobody. With what still runs they add up to the whole.",
    ("environment", "part"),
)
BUDGET = Metric(
    "gauge",
    "batchyard_budget_amount",
    "Money that may be spent within a window: of a queue (spec.budget, share empty), or a share (spec.shareBudgets).",
    ("queue", "share"),
)
BUDGET_SPENT = Metric(
    "gauge",
    "batchyard_budget_spent",
    "Money that was spent of a budget within its window, by attempts that ended and those that run.",
    ("queue", "share"),
)
SHARE_USAGE = Metric(
    "gauge",
    "batchyard_share_usage_vcpu_seconds",
    "vCPU seconds that a share has used, older ones counting less (shareDecaySeconds).",
    ("queue", "share"),
)
SHARE_VCPUS = Metric("gauge", "batchyard_share_vcpus", "vCPUs that a share's pods hold now.", ("queue", "share"))
CONSUMABLES = Metric("gauge", "batchyard_consumables", "Units of a consumable resource.", ("consumable", "kind"))

# Environments
NODES = Metric("gauge", "batchyard_nodes", "Nodes by state, as in the environment's status.", ("environment", "state"))
VCPUS = Metric("gauge", "batchyard_vcpus", "vCPUs of an environment.", ("environment", "kind"))
INVALID = Metric(
    "gauge", "batchyard_environment_invalid", "1 if the environment's phase is Invalid, else 0.", ("environment",)
)
INSTANCE_TYPES = Metric(
    "gauge",
    "batchyard_instance_types",
    "Instance types of an environment; unavailable: the provider has lately refused it or its nodes never came up.",
    ("environment", "state"),
)
STARTED = Metric(
    "counter", "batchyard_nodes_started_total", "Machines whose launch the provider took.", ("environment",)
)
FAILED = Metric(
    "counter", "batchyard_nodes_failed_total", "Machines that could not be had or failed.", ("environment",)
)
INTERRUPTIONS = Metric(
    "counter", "batchyard_node_interruptions_total", "Nodes that got a reclaim notice.", ("environment",)
)

# The operator
LEADER = Metric("gauge", "batchyard_leader", "1 if this operator holds the Lease and decides, 0 if it stands by.")
BUILD = Metric("gauge", "batchyard_build_info", "Always 1; says which version runs.", ("version",))
CYCLE_AGE = Metric("gauge", "batchyard_cycle_age_seconds", "Seconds since the latest decision; only of the leader.")
CYCLE = Metric("histogram", "batchyard_cycle_seconds", "Seconds of a decision and its plan.", (), _SHORT)
STEPS = Metric("histogram", "batchyard_cycle_step_seconds", "Seconds of each step of a decision.", ("step",), _SHORT)
VERBS = Metric("counter", "batchyard_plan_verbs_total", "Verbs of all plans carried out.", ("verb",))
DEFECTS = Metric(
    "counter", "batchyard_defects_total", "Objects that a decision could not deal with: defects of ours, see the log."
)
WATCH_AGE = Metric(
    "gauge",
    "batchyard_watch_age_seconds",
    "Seconds since a watch's last sign of life; only of the leader.",
    ("resource",),
)
REQUESTS = Metric(
    "counter",
    "batchyard_api_requests_total",
    "Requests to the API server by verb, resource and code of the answer.",
    ("verb", "resource", "code"),
)
REQUEST = Metric(
    "histogram",
    "batchyard_api_request_seconds",
    "Seconds from request to the end of the answer; watches are left out.",
    ("verb",),
    _REQUEST,
)
QUEUED_WRITES = Metric(
    "gauge",
    "batchyard_writer_queue_depth",
    "Writes that wait for their turn: pods are in lane 0, outcomes 1, progress 2, advice 3.",
    ("lane",),
)
CONCURRENCY = Metric(
    "gauge",
    "batchyard_writer_concurrency_limit",
    "Writes allowed at once; halved when the API server says that it has too many.",
)


def gauge(metric: Metric) -> GaugeMetricFamily:
    """Return an empty family of a gauge."""
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)


ALL = tuple(thing for thing in list(vars().values()) if isinstance(thing, Metric))
