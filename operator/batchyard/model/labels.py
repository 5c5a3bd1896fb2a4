"""The labels, annotations, taints and names that Batchyard puts on objects."""

from __future__ import annotations

import re
from hashlib import sha256

GROUP = "batchyard.dev"
VERSION = "v1alpha1"

JOB_UID = f"{GROUP}/job-uid"
JOB_NAME = f"{GROUP}/job-name"
QUEUE = f"{GROUP}/queue"
ATTEMPT = f"{GROUP}/attempt"
ARRAY_INDEX = f"{GROUP}/array-index"
ARRAY_CHUNK = f"{GROUP}/array-chunk"  # index // 100: succeeded pods go in bulk, a chunk at a time
NODE_INDEX = f"{GROUP}/node-index"  # of a multi-node job
SHARE = f"{GROUP}/share"
HOSTNAME = "kubernetes.io/hostname"
CONSUMABLES = f"{GROUP}/consumables"  # annotation of a pod: {"name": quantity} that it holds
GANG = f"{GROUP}/gang"  # annotation of a multi-node job's main pod: {"node index": "node kept for it"}
DEFINITION = f"{GROUP}/definition"
DEFINITION_UID = f"{GROUP}/definition-uid"
REVISION = f"{GROUP}/definition-revision"
TIMEOUT = f"{GROUP}/timeout-seconds"  # annotation of a pod: its attempt's own timeout
OUTCOMES = f"{GROUP}/outcomes"  # label of a ConfigMap of tombstones: the namespace whose jobs they are of
ENVIRONMENT = f"{GROUP}/compute-environment"
INSTANCE_TYPE = f"{GROUP}/instance-type"
CAPACITY_TYPE = f"{GROUP}/capacity-type"
PROVIDER = f"{GROUP}/provider"
LAUNCHED_AT = f"{GROUP}/launched-at"
CONFIGURATION = f"{GROUP}/configuration"  # label of a node: the hash of what it is made from
ESSENTIAL = f"{GROUP}/essential-containers"  # annotation of a pod: "a,b"; when one of them ends, so does the pod
LEADER = f"{GROUP}/leader"  # label of the operator's own pod while it leads: its Service selects by it
SCHEDULE = f"{GROUP}/schedule"  # label of a job: the name of the schedule that submitted it
STOP = f"{GROUP}/stop"  # annotation of a pod that we told to stop: {"reason", "message", "at"}
DEADLINE = f"{GROUP}/interruption-deadline"  # annotation of a pod told to go: unix second of its SIGKILL
INTERRUPTED = f"{GROUP}/interrupted"  # taint of a node with a reclaim notice
FINALIZER = f"{GROUP}/nodes"
LEFT_ALONE = {  # annotations by which Cluster Autoscaler and Karpenter let a pod end before they remove its node
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
SIMULATED = f"{GROUP}/simulated-"  # annotations by which a template tells KWOK how to play its pod


def machine_stem(environment: str) -> str:
    """Return how the names of an environment's machines begin; the time of launch and a counter follow."""
    if len(environment) <= 40:
        return environment
    return f"{environment[:33]}-{sha256(environment.encode()).hexdigest()[:6]}"


def is_machine_name(name: str, environment: str) -> bool:
    """Say whether a node's name is one that we give: a label alone makes no node ours to delete."""
    return re.fullmatch(rf"{re.escape(machine_stem(environment))}-[0-9a-z]{{6,10}}-[0-9]+", name) is not None


def revision_name(definition: str, uid: str, number: int) -> str:
    """Return the name of the ControllerRevision that keeps a definition's revision."""
    return f"{definition}-{uid[:8]}-{number}"


def pod_name(job: str, attempt: int, part: int | None = None) -> str:
    """Return the name of an attempt's pod: decided by job, part and number, so that creating it twice is once.

    `part` is the index of an array's child, or the node of a multi-node job.
    """
    return f"{job}-{attempt}" if part is None else f"{job}-{part}-{attempt}"


# How long the notice of some of these is, in seconds, where neither the taint nor the provider says when the node goes.
NOTICE_SECONDS = {"aws-node-termination-handler/spot-itn": 120.0, "cloud.google.com/impending-node-termination": 30.0}

# Taints by which clouds and controllers announce that a node is about to go.
NOTICES = frozenset(
    {
        INTERRUPTED,
        "aws-node-termination-handler/spot-itn",
        "aws-node-termination-handler/scheduled-maintenance",
        "cloud.google.com/impending-node-termination",
        "karpenter.sh/disrupted",
        "node.kubernetes.io/out-of-service",
        "node.cloudprovider.kubernetes.io/shutdown",
        "ToBeDeletedByClusterAutoscaler",
    }
)
