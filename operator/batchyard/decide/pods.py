"""The pod of an attempt: the job's template with our names, labels, environment variables and safety nets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchyard.decide.checkpoint import own
from batchyard.model import labels as names
from batchyard.world.children import CHUNK
from batchyard.world.specs import Checkpoint
from batchyard.world.views import Job

_LABEL = re.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_UNREACHABLE_SECONDS = 60  # the taint manager's default of 300 s would leave a job on a dead node for five minutes


_CHOSEN = frozenset({"nodeName", "schedulingGates", "ephemeralContainers"})  # by us, whatever a revision came to say


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an attempt goes; no node means that kube-scheduler picks one by `selector`."""

    environment: str
    node: str
    selector: Mapping[str, str]
    taint: bool


@dataclass(frozen=True, slots=True)
class Seat:
    """A pod's place among the nodes of a multi-node job; `kept` has the machine of every node, on the main pod only.

    `address` is that of the main pod, which only the others are told.
    """

    node: int
    main: int
    nodes: int
    kept: Mapping[int, str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt about to start: whose, which number, from which revision, where, for how many seconds at most.

    `consumables` are those that this pod takes: names and quantities.
    """

    job: Job
    attempt: int
    revision: int | None
    place: Placement
    timeout: int | None = None
    consumables: tuple[tuple[str, int], ...] = ()
    index: int | None = None  # of an array's child
    seat: Seat | None = None  # of a multi-node job's pod
    checkpoint: Checkpoint | None = None
    resumes: int | None = None  # the number of the attempt that it goes on from

    @property
    def part(self) -> int | None:
        """Return which of several pods of the job it is: an array's child, or the node of a multi-node job."""
        return self.seat.node if self.seat else self.index


def manifest(run: Run, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod to create for an attempt."""
    job = run.job
    meta = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.pod_name(job.name, run.attempt, run.part),
            "namespace": job.namespace,
            "labels": {**_foreign(meta.get("labels") or {}), **_labels(run), **_share(job)},
            **_annotations(run, meta.get("annotations") or {}),
            "ownerReferences": [owner(job)],
        },
        "spec": own(_spec(run, template["spec"]), job, run.part),
    }


def _annotations(run: Run, given: Mapping[str, str]) -> dict[str, Any]:
    """What stands on the pod, an attempt keeps whatever becomes of the definition."""
    own = {} if run.timeout is None else {names.TIMEOUT: str(run.timeout)}
    if run.consumables:
        own[names.CONSUMABLES] = json.dumps(dict(run.consumables))
    if run.job.spec.share and not _share(run.job):
        own[names.SHARE] = run.job.spec.share
    if run.seat and run.seat.kept:
        own[names.GANG] = json.dumps({str(node): machine for node, machine in run.seat.kept.items()})
    if names.ESSENTIAL in given:
        own[names.ESSENTIAL] = given[names.ESSENTIAL]  # arrange() has written it, and left no other
    # On nodes of ours nobody else may evict; where an autoscaler manages the nodes it is asked to let the pod end.
    spared = {} if run.place.taint else names.LEFT_ALONE
    annotations = {**spared, **_foreign(given), **own}
    return {"annotations": annotations} if annotations else {}


def owner(job: Job) -> dict[str, Any]:
    """Return the reference by which the garbage collector removes a job's pods with the job."""
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": "Job",
        "name": job.name,
        "uid": job.uid,
        "controller": True,
    }


def _foreign(given: Mapping[str, str]) -> dict[str, str]:
    """What a template says in our name is nobody's word: a pod is and has what its job says."""
    return {
        name: text for name, text in given.items()
        if not name.startswith(f"{names.GROUP}/") or name.startswith(names.SIMULATED)
    }  # fmt: skip


def _share(job: Job) -> dict[str, str]:
    """A share too long for a label stands in an annotation only."""
    return {names.SHARE: job.spec.share} if job.spec.share and _LABEL.fullmatch(job.spec.share) else {}


def _labels(run: Run) -> dict[str, str]:
    labels = {
        names.JOB_UID: run.job.uid,
        names.JOB_NAME: run.job.name,
        names.QUEUE: run.job.spec.queue,
        names.ATTEMPT: str(run.attempt),
        names.ENVIRONMENT: run.place.environment,
    }
    if run.seat:
        labels[names.NODE_INDEX] = str(run.seat.node)
    if run.index is not None:
        labels |= {names.ARRAY_INDEX: str(run.index), names.ARRAY_CHUNK: str(run.index // CHUNK)}
    return {**labels, names.REVISION: str(run.revision)} if run.revision else labels


def _spec(run: Run, spec: Mapping[str, Any]) -> dict[str, Any]:
    place, variables = run.place, _variables(run)
    built = {
        **{field: value for field, value in spec.items() if field not in _CHOSEN},
        "restartPolicy": "Never",
        "containers": [_container(container, variables) for container in spec["containers"]],
        "tolerations": [*(spec.get("tolerations") or ()), *_tolerations(place)],
    }
    if spec.get("initContainers"):
        built["initContainers"] = [_container(container, variables) for container in spec["initContainers"]]
    if run.seat:
        built["hostname"], built["subdomain"] = hostname(run.job.name, run.seat.node), service_name(run.job.name)
    if place.node:
        built["nodeName"] = place.node
    elif place.selector:
        built["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **place.selector}
    return built


def _container(container: Mapping[str, Any], variables: list[dict[str, str]]) -> dict[str, Any]:
    # The last lines of a failed container's log reach attempts[].message without a request for its log.
    return {
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **container,
        "env": [*variables, *(container.get("env") or ())],
    }


def _variables(run: Run) -> list[dict[str, str]]:
    values = {
        "AWS_BATCH_JOB_ID": run.job.uid,
        "AWS_BATCH_JOB_ATTEMPT": str(run.attempt),
        "AWS_BATCH_JQ_NAME": run.job.spec.queue,
        "AWS_BATCH_CE_NAME": run.place.environment,
        **({"BATCHYARD_RESUMED_FROM_ATTEMPT": str(run.resumes)} if run.resumes else {}),
        **_of_child(run),
        **(_of_node(run.job, run.seat) if run.seat else {}),
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _of_child(run: Run) -> dict[str, str]:
    """A child of an array has an ID of its own (AWS), and its index also where Kubernetes' indexed Jobs have it."""
    array, index = run.job.spec.array, str(run.index)
    if array is None or run.index is None:
        return {}
    return {
        "AWS_BATCH_JOB_ID": f"{run.job.uid}:{index}",
        "AWS_BATCH_JOB_ARRAY_INDEX": index,
        "AWS_BATCH_JOB_ARRAY_SIZE": str(array.size),
        "JOB_COMPLETION_INDEX": index,
    }


def _of_node(job: Job, seat: Seat) -> dict[str, str]:
    """AWS Batch's of a multi-node job, and the main node's name where the cluster has DNS."""
    host = f"{hostname(job.name, seat.main)}.{service_name(job.name)}.{job.namespace}.svc"
    values = {
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": str(seat.main),
        "AWS_BATCH_JOB_NODE_INDEX": str(seat.node),
        "AWS_BATCH_JOB_NUM_NODES": str(seat.nodes),
        "BATCHYARD_MAIN_NODE_HOST": host,
    }
    return {**values, "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": seat.address} if seat.address else values


def hostname(job: str, node: int) -> str:
    """Return the host name of a multi-node job's pod: the same in every attempt."""
    return f"{job}-{node}"


def service_name(job: str) -> str:
    """Return the name of the Service by which a multi-node job's pods find each other; it starts with a letter."""
    return job if job[0].isalpha() else f"job-{job}"


def service(job: Job) -> dict[str, Any]:
    """Return the headless Service that gives each pod of a multi-node job its name, ready or not."""
    labels = {names.JOB_UID: job.uid, names.JOB_NAME: job.name}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(job.name), "namespace": job.namespace, "labels": labels,
            "ownerReferences": [owner(job)],
        },
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {names.JOB_UID: job.uid}},
    }  # fmt: skip


def _tolerations(place: Placement) -> list[dict[str, Any]]:
    own = {"key": names.ENVIRONMENT, "operator": "Equal", "value": place.environment}
    patience = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _UNREACHABLE_SECONDS}
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    ]
    return [own, *patience] if place.taint else patience
