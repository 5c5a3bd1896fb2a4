"""For those who run Batchyard: whether capacity follows the queues, and whether the operator is well."""

from __future__ import annotations

from dashboards.board import Board, Variable, lines, number, quantiles, stacked

_NOW = (
    number("Leaders", "Operators that hold the Lease: one.", "short", "sum(batchyard_leader)"),
    number("Since the latest decision", "Also an idle operator decides every 5 s.", "s",
           "max(batchyard_cycle_age_seconds)"),
    number("Nodes ready", "Of the environments chosen.", "short",
           'sum(batchyard_nodes{environment=~"$environment", state="ready"})'),
    number("vCPUs in use", "Part of the provisioned vCPUs that pods have asked for.", "percentunit",
           'sum(batchyard_vcpus{environment=~"$environment", kind="used"})'
           ' / sum(batchyard_vcpus{environment=~"$environment", kind="provisioned"})'),
    number("Jobs in line", "Jobs of all queues that wait for room or their turn.", "short",
           "sum(batchyard_waiting_jobs)"),
    number("Defects", "Objects that a decision could not deal with in the time shown; the log says which.", "short",
           "sum(increase(batchyard_defects_total[$__range]))"),
)  # fmt: skip
_CAPACITY = (
    lines("vCPUs", "desired runs ahead of provisioned while nodes start; used follows.", "short",
          ('sum by (kind) (batchyard_vcpus{environment=~"$environment"})', "{{kind}}")),
    lines("Part of the provisioned vCPUs in use", "Over 100 %: nodes that are leaving still have work.", "percentunit",
          (('batchyard_vcpus{environment=~"$environment", kind="used"} / on (instance, environment)'
           ' (batchyard_vcpus{environment=~"$environment", kind="provisioned"} > 0)'), "{{environment}}")),
    stacked("Nodes by state", "As in the environments' status.", "short",
            ('sum by (state) (batchyard_nodes{environment=~"$environment", state!="failed"})', "{{state}}")),
)  # fmt: skip
_NODES = (
    lines("Nodes started and failed a minute", "Failed: could not be had, never came up, or takes no pods.", "short",
          (('60 * sum by (environment) (rate(batchyard_nodes_started_total{environment=~"$environment"}'
           "[$__rate_interval]))"), "{{environment}} started"),
          (('60 * sum by (environment) (rate(batchyard_nodes_failed_total{environment=~"$environment"}'
           "[$__rate_interval])) > 0"), "{{environment}} failed")),
    stacked("Reclaim notices a minute", "Nodes that the provider takes back.", "short",
            (('60 * sum by (environment) (rate(batchyard_node_interruptions_total{environment=~"$environment"}'
             "[$__rate_interval]))"), "{{environment}}")),
    stacked("Instance types refused", "Not asked for again for some time (status.unavailable).", "short",
            ('sum by (environment) (batchyard_instance_types{environment=~"$environment", state="unavailable"})',
             "{{environment}}")),
)  # fmt: skip
_MONEY = (
    stacked("What the nodes cost an hour, and who had it", "Counted when attempts end; idle: nobody had it.", "short",
            (('3600 * sum by (part) (rate(batchyard_node_cost_part_total{environment=~"$environment"}'
             "[$__rate_interval]))"), "{{part}}")),
    stacked("What the nodes cost an hour, by environment", "By the price of their hour, from launch to end.", "short",
            (('3600 * sum by (environment) (rate(batchyard_node_cost_total{environment=~"$environment"}'
             "[$__rate_interval]))"), "{{environment}}")),
    lines("Part of it that was idle", "Nodes that start, wait to leave, or have room that nothing fits.", "percentunit",
          (('sum by (environment) (rate(batchyard_node_cost_part_total{environment=~"$environment", part="idle"}'
           '[$__rate_interval])) / sum by (environment) (rate(batchyard_node_cost_total{environment=~"$environment"}'
           "[$__rate_interval]))"), "{{environment}}")),
)  # fmt: skip
_QUEUES = (
    stacked("Jobs in line, by queue", "What wait for room or their turn.", "short",
            ("sum by (queue) (batchyard_waiting_jobs)", "{{queue}}")),
    lines("The oldest in line, the longest in Starting", "A line that only rises needs a look.", "s",
          ("max by (queue) (batchyard_oldest_runnable_seconds)", "{{queue}} in line"),
          ("max by (queue) (batchyard_oldest_starting_seconds)", "{{queue}} Starting")),
    stacked("Attempts lost to infrastructure a minute", "Free retries, by environment and reason.", "short",
            (('60 * sum by (environment, reason) (rate(batchyard_attempts_total{environment=~"$environment",'
             ' outcome="Infrastructure"}[$__rate_interval])) > 0'), "{{environment}} {{reason}}")),
)  # fmt: skip
_DECISIONS = (
    lines("Time of a decision", "With its plan carried out but for the writes.", "s",
          *quantiles("batchyard_cycle_seconds{}", 0.5, 0.99)),
    stacked("Time by step", "Seconds a second: 1 is a whole core.", "percentunit",
            ("sum by (step) (rate(batchyard_cycle_step_seconds_sum[$__rate_interval]))", "{{step}}")),
    stacked("What was decided, a second", "The verbs of all plans.", "short",
            ("sum by (verb) (rate(batchyard_plan_verbs_total[$__rate_interval])) > 0", "{{verb}}")),
)  # fmt: skip
_API = (
    stacked("Requests to the API server a second", "By verb.", "reqps",
            ("sum by (verb) (rate(batchyard_api_requests_total[$__rate_interval])) > 0", "{{verb}}")),
    stacked("Answers that were not OK, a second", "409 and 404 are part of the game; 403, 422 and 429 are not.",
            "reqps", ('sum by (resource, code) (rate(batchyard_api_requests_total{code!~"2.."}[$__rate_interval])) > 0',
                      "{{resource}} {{code}}")),
    lines("Time of a request", "To the end of the answer, without watches.", "s",
          *quantiles("batchyard_api_request_seconds{}", 0.5, 0.99)),
)  # fmt: skip
_PROCESS = (
    lines("Writes that wait", "By lane: 0 pods, 1 outcomes, 2 progress, 3 advice; and how many may be under way.",
          "short", ("sum by (lane) (batchyard_writer_queue_depth)", "lane {{lane}}"),
          ("sum(batchyard_writer_concurrency_limit)", "may be under way")),
    lines("Watches: since the last sign of life", "A quiet one has one every minute.", "s",
          ("max by (resource) (batchyard_watch_age_seconds)", "{{resource}}")),
    lines("Processor", "Of each operator; 1 is a whole core.", "percentunit",
          ("rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) batchyard_build_info",
           "{{instance}}")),
    lines("Memory", "Of each operator.", "bytes",
          ("process_resident_memory_bytes and on (instance) batchyard_build_info", "{{instance}}")),
)  # fmt: skip

BOARD = Board(
    "batchyard-operators",
    "Batchyard: capacity and operator",
    "Whether capacity follows the queues, and whether the operator is well.",
    (Variable("environment", "batchyard_vcpus"),),
    {
        "Now": _NOW,
        "Capacity": _CAPACITY,
        "Nodes that come and go": _NODES,
        "What the nodes cost": _MONEY,
        "Queues": _QUEUES,
        "Decisions": _DECISIONS,
        "The API server": _API,
        "The process": _PROCESS,
    },
)
