"""What the benchmark creates: pods, native Jobs, our Jobs, nodes; every pod asks for the same and runs as long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from batchyard.decide.pods import Placement, Run, manifest
from batchyard.world import parse
from bench.client import Named

Body = dict[str, Any]
NAMESPACE = "default"
CPUS, NODES = 4, 100  # so many pods at once on a node; so many nodes
SHAPE = {"cpu": str(CPUS), "memory": "16Gi", "pods": "50"}
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
NATIVE = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_OURS = "/apis/batchyard.dev/v1alpha1"
JOBS = f"{_OURS}/namespaces/{NAMESPACE}/batchjobs"
ENVIRONMENTS, QUEUES = f"{_OURS}/computeenvironments", f"{_OURS}/jobqueues"
SIMULATED = {"batchyard.dev/provider": "simulated"}
_MARK = "@@"  # stands for what differs between two objects


def template(milliseconds: int = 100, cpu: int = 1) -> Body:
    """Return a pod's template: one container that KWOK plays."""
    requests = {"cpu": str(cpu), "memory": "1Gi"}
    return {
        "metadata": {"annotations": {"batchyard.dev/simulated-duration": str(milliseconds)}},
        "spec": {"containers": [{"name": "main", "image": "x", "resources": {"requests": requests}}]},
    }


def numbered(prefix: str, body: Body, count: int, first: int = 0) -> Iterator[Named]:
    """Yield the body so many times with names of their own; `@@` in it becomes the number."""
    text = json.dumps({**body, "metadata": {**body.get("metadata", {}), "name": f"{prefix}{_MARK}"}})
    for number in range(first, first + count):
        yield f"{prefix}{number}", text.replace(_MARK, str(number)).encode()


def pods(count: int, *, bound: bool, prefix: str = "p") -> Iterator[Named]:
    """Yield bare pods, spread evenly over the nodes if bound, else for kube-scheduler."""
    body = _plain_pod()
    if not bound:
        yield from numbered(prefix, body, count)
        return
    body["spec"]["nodeName"] = "n##"
    for number, (name, text) in enumerate(numbered(prefix, body, count)):
        yield name, text.replace(b"##", str(number % NODES).encode())


def children(array: Body, count: int) -> Iterator[Named]:
    """Yield the pods of an array that is there, as the operator makes them, spread evenly over the floors' nodes."""
    job = parse.job(array)
    for index in range(count):
        yield _made(Run(job, 1, None, _place(index), index=index), array)


def pod_of(job: Body, number: int) -> Named:
    """Return the pod of a Job that is there, as the operator makes it, on one of the floors' nodes."""
    return _made(Run(parse.job(job), 1, None, _place(number)), job)


def _place(number: int) -> Placement:
    return Placement("bench", f"n{number % NODES}", {}, taint=True)


def _made(run: Run, job: Body) -> Named:
    pod = manifest(run, job["spec"]["template"])
    return pod["metadata"]["name"], json.dumps(pod).encode()


def native_jobs(count: int, prefix: str = "j") -> Iterator[Named]:
    """Yield batch/v1 Jobs of one pod."""
    return numbered(prefix, _native({}), count)


def indexed_job(size: int, parallelism: int) -> Named:
    """Return one batch/v1 Job with so many completions."""
    spec = {"completionMode": "Indexed", "completions": size, "parallelism": min(size, parallelism)}
    return next(numbered("indexed", _native(spec), 1))


def jobs(count: int, prefix: str = "j", **spec: Any) -> Iterator[Named]:
    """Yield Jobs of ours in the queue `bench`."""
    return numbered(prefix, job(**spec), count)


def job(**spec: Any) -> Body:
    """Return a Job of ours without a name, of one pod unless told otherwise."""
    body = {"queue": "bench", "template": template(), **spec}
    return {"apiVersion": "batchyard.dev/v1alpha1", "kind": "Job", "spec": body}


def node(number: int) -> Named:
    """Return a node that is there without an environment, for the floors."""
    annotations = {"batchyard.dev/shape": json.dumps(SHAPE)}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"labels": SIMULATED, "annotations": annotations}}
    return next(numbered("n", body, 1, number))


def environment(nodes: int, warm: bool) -> Named:
    """Return the environment `bench` of so many nodes at most, all of them kept from the beginning if warm."""
    shape = {"name": "c4", "cpu": str(CPUS), "memory": SHAPE["memory"], "pods": 50, "pricePerHour": "1"}
    spec = {
        "provider": {"simulated": {}},
        "instanceTypes": [shape],
        "maxVCpus": nodes * CPUS,
        "minVCpus": nodes * CPUS if warm else 0,
        "scaleDownDelaySeconds": 600,
    }
    return _ours("ComputeEnvironment", spec)


def queue() -> Named:
    """Return the queue `bench` on the environment `bench`."""
    return _ours("JobQueue", {"priority": 1, "computeEnvironments": ["bench"]})


def _ours(kind: str, spec: Body) -> Named:
    body = {"apiVersion": "batchyard.dev/v1alpha1", "kind": kind, "metadata": {"name": "bench"}, "spec": spec}
    return "bench", json.dumps(body).encode()


def _plain_pod() -> Body:
    made = template()
    made["spec"]["restartPolicy"] = "Never"
    return {"apiVersion": "v1", "kind": "Pod", **made}


def _native(more: Body) -> Body:
    made = template()
    made["spec"]["restartPolicy"] = "Never"
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 6, **more, "template": made}}
