"""For those who submit jobs: what waits and why, how long it takes, how it ends, what it costs."""

from __future__ import annotations

from dashboards.board import Board, Variable, lines, number, quantiles, stacked

_NOW = (
    number("Waiting", "Jobs and children of arrays that have not started.", "short",
           'sum(batchyard_jobs{queue=~"$queue", phase=~"Submitted|Pending|Runnable"})'),
    number("Running", "Jobs and children of arrays that start or run.", "short",
           'sum(batchyard_jobs{queue=~"$queue", phase=~"Starting|Running"})'),
    number("Succeeded", "Attempts that succeeded in the time shown.", "short",
           'sum(increase(batchyard_attempts_total{queue=~"$queue", outcome="Succeeded"}[$__range]))'),
    number("Failed", "Attempts that failed by themselves in the time shown; a retry may have succeeded.", "short",
           'sum(increase(batchyard_attempts_total{queue=~"$queue", outcome="Failed"}[$__range]))'),
    number("Oldest waiting", "Age of the oldest job that waits for room.", "s",
           'max(batchyard_oldest_runnable_seconds{queue=~"$queue"})'),
    number("Cost", "Of the attempts that ended in the time shown, in the currency of the instance types' prices.",
           "short", 'sum(increase(batchyard_cost_total{queue=~"$queue"}[$__range]))'),
)  # fmt: skip
_WAITING = (
    stacked("Jobs by phase", "Unfinished jobs and children of arrays.", "short",
            ('sum by (phase) (batchyard_jobs{queue=~"$queue", phase!~"Succeeded|Failed"})', "{{phase}}")),
    stacked("Why jobs wait", "What those in line are told (status.reason).", "short",
            ('sum by (reason) (batchyard_waiting_jobs{queue=~"$queue"}) > 0', "{{reason}}")),
    lines("Oldest waiting job", "Its age; a line that only rises means that nothing starts.", "s",
          ('max by (queue) (batchyard_oldest_runnable_seconds{queue=~"$queue"})', "{{queue}}")),
)  # fmt: skip
_TIMES = (
    lines("From submission to start", "Of jobs that started lately: half of them waited less than p50.", "s",
          *quantiles('batchyard_job_wait_seconds{queue=~"$queue"}', 0.5, 0.9, 0.99)),
    lines("Run time", "Of attempts that ended lately, from the start of their containers.", "s",
          *quantiles('batchyard_attempt_run_seconds{queue=~"$queue"}', 0.5, 0.9, 0.99)),
    lines("Start later than estimated", "Start less its estimate (p50); below 0: it came earlier.", "s",
          *quantiles('batchyard_start_estimate_error_seconds{queue=~"$queue"}', 0.1, 0.5, 0.9)),
)  # fmt: skip
_ENDS = (
    stacked("Ended attempts a minute, by outcome", "Infrastructure: the node's fault, a free retry.", "short",
            ('60 * sum by (outcome) (rate(batchyard_attempts_total{queue=~"$queue"}[$__rate_interval]))',
             "{{outcome}}")),
    stacked("Attempts without success a minute, by reason", "The reason in status.attempts.", "short",
            (('60 * sum by (reason) (rate(batchyard_attempts_total{queue=~"$queue", outcome!="Succeeded"}'
             "[$__rate_interval])) > 0"), "{{reason}}")),
    stacked("Ended attempts a minute, by environment", "Where they ran.", "short",
            ('60 * sum by (environment) (rate(batchyard_attempts_total{queue=~"$queue"}[$__rate_interval])) > 0',
             "{{environment}}")),
)  # fmt: skip
_MONEY = (
    stacked("Cost an hour, by queue", "Of the attempts that ended lately.", "short",
            ('3600 * sum by (queue) (rate(batchyard_cost_total{queue=~"$queue"}[$__rate_interval]))', "{{queue}}")),
    stacked("Cost an hour, by environment", "Of the attempts that ended lately.", "short",
            ('3600 * sum by (environment) (rate(batchyard_cost_total{queue=~"$queue"}[$__rate_interval])) > 0',
             "{{environment}}")),
    lines("Part of the cost that was wasted", "Spent on attempts that did not succeed.", "percentunit",
          (('sum by (queue) (rate(batchyard_wasted_cost_total{queue=~"$queue"}[$__rate_interval]))'
           ' / sum by (queue) (rate(batchyard_cost_total{queue=~"$queue"}[$__rate_interval]))'), "{{queue}}")),
    lines("Part of the budget that is spent", "Within its window, of queues and shares with a budget.", "percentunit",
          (('max by (queue, share) (batchyard_budget_spent{queue=~"$queue"})'
            ' / max by (queue, share) (batchyard_budget_amount{queue=~"$queue"})'), "{{queue}} {{share}}")),
)  # fmt: skip
_PAYERS = (
    stacked("Cost an hour, by share", "Of the attempts that ended lately.", "short",
            ('3600 * sum by (queue, share) (rate(batchyard_share_cost_total{queue=~"$queue"}[$__rate_interval])) > 0',
             "{{queue}} {{share}}")),
    stacked("Cost an hour, by namespace", "Of all queues.", "short",
            ("3600 * sum by (job_namespace) (rate(batchyard_namespace_cost_total[$__rate_interval])) > 0",
             "{{job_namespace}}")),
)  # fmt: skip
_SHARING = (
    lines("What shares have used", "vCPU seconds, older ones counting less; who has used least is next.", "short",
          ('batchyard_share_usage_vcpu_seconds{queue=~"$queue"}', "{{queue}} {{share}}")),
    stacked("vCPUs that shares hold", "Of queues with a SchedulingPolicy.", "short",
            ('batchyard_share_vcpus{queue=~"$queue"}', "{{queue}} {{share}}")),
    lines("Consumable resources", "Units that running jobs hold, and units left.", "short",
          ('batchyard_consumables{kind=~"in_use|available"}', "{{consumable}} {{kind}}")),
)  # fmt: skip

BOARD = Board(
    "batchyard-users",
    "Batchyard: jobs and queues",
    "What waits and why, how long it takes, how it ends, what it costs.",
    (Variable("queue", "batchyard_jobs"),),
    {
        "Now": _NOW,
        "What waits, and why": _WAITING,
        "How long it takes": _TIMES,
        "How it ends": _ENDS,
        "What it costs": _MONEY,
        "Who pays": _PAYERS,
        "Who gets how much": _SHARING,
    },
)
