"""Good specs of every kind, and what turns them bad: (kind, path, value, words of the refusal)."""

from copy import deepcopy
from typing import Any

import crd_features as features
from crd_environments import BAD_ENVIRONMENTS, SHAPE
from crd_schedules import BAD_SCHEDULES

from batchyard.model.kind import (
    COMPUTE_ENVIRONMENT,
    CONSUMABLE_RESOURCE,
    JOB,
    JOB_DEFINITION,
    JOB_QUEUE,
    JOB_SCHEDULE,
    SCHEDULING_POLICY,
    Kind,
)

TEMPLATE = {
    "metadata": {"labels": {"team": "a"}},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "busybox",
                "command": ["echo", "Ref::n"],
                "env": [{"name": "A", "value": "b"}],
                "livenessProbe": {"exec": {"command": ["true"]}},
                "resources": {"requests": {"cpu": 0.5, "memory": "64Mi"}, "limits": {"cpu": 1}},
            }
        ],
        "nodeSelector": {"disk": "fast"},
        "securityContext": {"runAsUser": 1},
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}
GOOD: dict[Kind, dict[str, Any]] = {
    COMPUTE_ENVIRONMENT: {
        "maxVCpus": 16,
        "instanceTypes": [SHAPE],
        "provider": {"docker": {}},
        "nodeTemplate": {"labels": {"topology.kubernetes.io/zone": "a", "x.io/y": ""}},
    },
    JOB_QUEUE: {
        "priority": 10,
        "computeEnvironments": ["spot", "on-demand"],
        "spot": {"maxWaitSeconds": 300, "maxInterruptions": 2},
        "budget": {"amount": "50.00", "windowSeconds": 86400, "onExceeded": "SpotOnly"},
    },
    JOB_DEFINITION: {
        "parameters": {"n": {"type": "Integer", "default": 3}, "fast": {"type": "Boolean", "enum": [True, False]}},
        "template": TEMPLATE,
        "retry": {"attempts": 2},
        "timeout": {"attemptDurationSeconds": 60},
        "priority": 9999,
    },
    JOB: {"queue": "default", "template": TEMPLATE},
    SCHEDULING_POLICY: {
        "shareDecaySeconds": 3600,
        "computeReservation": 25,
        "shares": [{"share": "team-a", "weight": "0.5"}, {"share": "batch*", "weight": 2}, {"share": "Team_B.x"}],
    },
    CONSUMABLE_RESOURCE: {"total": 25},
    JOB_SCHEDULE: {
        "schedule": "cron(0 2 ? * MON#1 *)",
        "timeZone": "Europe/Berlin",
        "start": "2027-01-01T00:00:00Z",
        "end": "2028-01-01T00:00:00Z",
        "concurrencyPolicy": "Forbid",
        "jobTemplate": {"metadata": {"labels": {"team": "a"}}, "spec": {"queue": "default", "template": TEMPLATE}},
    },
}
JOB_OF_DEFINITION = {
    "queue": "default",
    "definition": {"name": "render", "revision": 3},
    "parameters": {"n": 3, "scene": "a.blend", "ratio": 1.5, "fast": True},
    "overrides": {"containers": [{"name": "main", "args": ["x"], "resources": {"limits": {"memory": "1Gi"}}}]},
    "retry": {
        "attempts": 3,
        "evaluateOnExit": [{"action": "Retry", "onStatusReason": "Host*"}, {"action": "Exit", "onExitCode": "2"}],
        "backoff": {"initialSeconds": 10},
        "onOutOfMemory": {"memoryFactor": "1.5", "maxMemory": "64Gi"},
    },
    "timeout": {"attemptDurationSeconds": 3600},
    "capacityType": "Spot",
    "deadlineSeconds": 14400,
}
UNMANAGED = {"type": "Unmanaged", "nodeSelector": {"pool": "batch"}}

_MAIN = "template.spec.containers.0"
_EXIT = {"action": "Exit", "onReason": "*"}


def _retry(**fields: Any) -> dict[str, Any]:
    return {"attempts": 2, **fields}


def _rule(**conditions: str) -> dict[str, Any]:
    return _retry(evaluateOnExit=[{"action": "Retry", **conditions}])


BAD_JOBS: list[tuple[str, Any, str]] = [
    ("retry", {"attempts": 11}, "retry.attempts is from 1 to 10"),
    ("retry", {"attempts": 0}, "retry.attempts is from 1 to 10"),
    ("retry", _rule(), "needs a condition: onStatusReason, onReason or onExitCode"),
    ("retry", _rule(onExitCode="abc"), "onExitCode is digits"),
    ("retry", _rule(onReason="a*b"), "onReason may have a * only at its end"),
    ("retry", _rule(onStatusReason="*a"), "onStatusReason may have a * only at its end"),
    ("retry", _rule(onReason="x" * 513), "retry.evaluateOnExit[0].onReason: Too long: may not be more than 512"),
    ("retry", _retry(evaluateOnExit=[_EXIT] * 6), "evaluateOnExit: Too many: 6: must have at most 5 items"),
    ("retry", _retry(backoff={"initialSeconds": 400}), "initialSeconds is above maxSeconds"),
    (
        "retry",
        _retry(backoff={"initialSeconds": -1}),
        "backoff.initialSeconds in body should be greater than or equal to 0",
    ),
    ("retry", _retry(onOutOfMemory={"memoryFactor": "1"}), "memoryFactor is above 1"),
    (
        "retry",
        _retry(onOutOfMemory={"memoryFactor": "much"}),
        'memoryFactor: Invalid value: "much": this is not a decimal',
    ),
    (
        "retry",
        _retry(onOutOfMemory={"maxMemory": "lots"}),
        'maxMemory: Invalid value: "lots": this is not a Kubernetes quantity',
    ),
    ("timeout", {"attemptDurationSeconds": 59}, "timeout.attemptDurationSeconds is at least 60"),
    ("timeout", {}, "timeout.attemptDurationSeconds: Required value"),
    ("definition", {"name": "d"}, "spec needs exactly one of definition and template"),
    ("template", None, "spec needs exactly one of definition and template"),
    ("parameters", {"n": 1}, "spec.parameters are those of a definition; leave them out"),
    ("queue", None, "spec.queue: Required value"),
    ("queue", "Not_A_Name", "a name is a DNS label of at most 50 characters"),
    ("priority", 10000, "spec.priority in body should be less than or equal to 9999"),
    ("priority", -1, "spec.priority in body should be greater than or equal to 0"),
    ("capacityType", "Reserved", 'supported values: "Any", "Spot", "OnDemand"'),
    ("deadlineSeconds", 59, "spec.deadlineSeconds in body should be greater than or equal to 60"),
    ("stop", {"mode": "Now"}, 'spec.stop.mode: Unsupported value: "Now": supported values: "Cancel", "Terminate"'),
    ("stop", {"mode": "Cancel", "reason": "x" * 1025}, "spec.stop.reason: Too long: may not be more than 1024"),
    ("ttlSecondsAfterFinished", -1, "ttlSecondsAfterFinished in body should be greater than or equal to 0"),
    ("colour", "red", 'unknown field "spec.colour"'),
    (
        "overrides",
        {"containers": [{"name": "a"}, {"name": "a"}]},
        'overrides.containers[1]: Duplicate value: {"name":"a"}',
    ),
    ("overrides", {"containers": [{"name": "a", "env": [{"name": "AWS_BATCH_X"}]}]}, "give the variable another name"),
]
BAD_TEMPLATES: list[tuple[str, Any, str]] = [
    ("template.spec.containers", None, "template.spec.containers: Required value"),
    ("template.spec.containers", [], "template.spec.containers in body should have at least 1 items"),
    ("template.spec.containers", [{"name": "a", "image": "x"}] * 2, 'containers[1]: Duplicate value: {"name":"a"}'),
    (
        "template.spec.containers",
        [{"name": f"c{n}", "image": "x"} for n in range(11)],
        "Too many: 11: must have at most 10",
    ),
    ("template.spec.restartPolicy", "Always", "restartPolicy must be Never or absent; say in spec.retry"),
    (
        "template.spec.priorityClassName",
        "system-node-critical",
        "priorityClassName system-... is for the cluster's own",
    ),
    ("template.spec.nodeName", "n", "nodeName is chosen by Batchyard; use nodeSelector"),
    ("template.spec.schedulingGates", [{"name": "a"}], "schedulingGates are not for Jobs"),
    ("template.spec.ephemeralContainers", [{"name": "a"}], "ephemeralContainers cannot stand in a template"),
    (f"{_MAIN}.name", "A_B", "a container's name is a DNS label of at most 63 characters"),
    (f"{_MAIN}.image", None, "containers[0].image: Required value"),
    (f"{_MAIN}.image", "", "containers[0].image in body should be at least 1 chars long"),
    (f"{_MAIN}.command", "echo hi", 'command in body must be of type array: "string"'),
    (f"{_MAIN}.args", [1], 'args[0] in body must be of type string: "integer"'),
    (f"{_MAIN}.env.0.name", "AWS_BATCH_X", "give the variable another name"),
    (f"{_MAIN}.env.0.name", "BATCHYARD_X", "give the variable another name"),
    (f"{_MAIN}.env.0.value", 1, 'env[0].value in body must be of type string: "integer"'),
    (f"{_MAIN}.resources", {"requests": {"cpu": "lots"}}, 'resources.requests.cpu: Invalid value: "lots"'),
    (
        f"{_MAIN}.resources",
        {"limits": {"cpu": -1}},
        "resources.limits.cpu in body should be greater than or equal to 0",
    ),
]
BAD_QUEUES: list[tuple[str, Any, str]] = [
    ("computeEnvironments", None, "spec.computeEnvironments: Required value"),
    ("computeEnvironments", [], "spec.computeEnvironments in body should have at least 1 items"),
    ("priority", -1, "spec.priority in body should be greater than or equal to 0"),
    ("maxRunningJobs", -1, "spec.maxRunningJobs in body should be greater than or equal to 0"),
    ("spot", {}, "spec.spot names no rule; write for example {maxWaitSeconds: 300, maxInterruptions: 2}"),
    ("spot", {"maxWaitSeconds": -1}, "spec.spot.maxWaitSeconds in body should be greater than or equal to 0"),
    ("spot", {"maxInterruptions": 0}, "spec.spot.maxInterruptions in body should be greater than or equal to 1"),
    ("budget", {"amount": "0.00"}, 'spec.budget.amount must be more than 0; write for example "50.00"'),
    ("budget", {"amount": "fifty"}, 'this is not a decimal number in quotes; write for example "0.34"'),
    ("shareBudgets", [{"share": "a", "amount": "0"}], "an amount of spec.shareBudgets must be more than 0"),
    ("shareBudgets", [{"share": "a b", "amount": "1"}], "a share's name has letters, digits, ., _ and - only"),
    ("shareBudgets", [{"amount": "1"}], "spec.shareBudgets[0].share: Required value"),
    ("shareBudgets", [{"share": "a", "amount": "1"}] * 2, 'spec.shareBudgets[1]: Duplicate value: {"share":"a"}'),
    ("budget", {"amount": 50}, 'spec.budget.amount in body must be of type string: "integer"'),
    ("budget", {"windowSeconds": 60}, "spec.budget.amount: Required value"),
    (
        "budget",
        {"amount": "5", "windowSeconds": 9},
        "budget.windowSeconds in body should be greater than or equal to 60",
    ),
    ("budget", {"amount": "5", "onExceeded": "Stop"}, 'supported values: "Hold", "SpotOnly", "Notify"'),
    ("namespaceSelector", {"matchExpressions": [{"key": "a", "operator": "In"}]}, "operator In and NotIn need values"),
    ("namespaceSelector", {"matchLabels": {"a": 1}}, 'matchLabels.a in body must be of type string: "integer"'),
]
BAD_DEFINITIONS: list[tuple[str, Any, str]] = [
    ("template", None, "spec.template is missing; write the Pod that every attempt runs"),
    ("parameters.n.type", "Int", 'supported values: "String", "Integer", "Number", "Boolean"'),
    ("parameters", {"a b": {}}, "a name in spec.parameters has letters, digits, _ . and - only"),
    ("parameters.n.default", {"a": 1}, "spec.parameters.n.default: Too many: 1: must have at most 0 items"),
]
BAD: list[tuple[Kind, str, Any, str]] = [
    *((JOB, *case) for case in (*BAD_JOBS, *BAD_TEMPLATES, *features.BAD_FEATURES)),
    *((COMPUTE_ENVIRONMENT, *case) for case in BAD_ENVIRONMENTS),
    *((JOB_QUEUE, *case) for case in (*BAD_QUEUES, *features.BAD_LIMITS)),
    *((JOB_DEFINITION, *case) for case in (*BAD_DEFINITIONS, *BAD_TEMPLATES, *features.BAD_FEATURES_OF_DEFINITIONS)),
    *((SCHEDULING_POLICY, *case) for case in features.BAD_POLICIES),
    *((CONSUMABLE_RESOURCE, *case) for case in features.BAD_RESOURCES),
    *((JOB_SCHEDULE, *case) for case in BAD_SCHEDULES),
]


def changed(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Give a copy of the spec with one value set, or taken out when it is None; without a path, with several."""
    if not path:
        return {name: inner for name, inner in {**deepcopy(spec), **deepcopy(value)}.items() if inner is not None}
    copy: Any = deepcopy(spec)
    *parents, last = path.split(".")
    inner = copy
    for step in parents:
        inner = inner[int(step)] if step.isdigit() else inner.setdefault(step, {})
    if value is None:
        del inner[last]
    else:
        inner[int(last) if last.isdigit() else last] = deepcopy(value)
    return copy


def case_id(case: tuple[Kind, str, Any, str]) -> str:
    """Name a case by its kind, its path and the beginning of its value."""
    kind, path, value, _ = case
    return f"{kind.name}-{path}-{str(value)[:40]}"
