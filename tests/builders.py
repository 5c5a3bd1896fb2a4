"""Builders of bodies as the API server sends them, of views, and of small scenes to decide about."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, settings

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import Machine, MachineState, Shape, Taint
from batchyard.model.plan import Plan, Record, Report, Start
from batchyard.model.resources import Resources, read
from batchyard.world import parse
from batchyard.world.pods import pod as pod_view
from batchyard.world.raw import RawPod
from batchyard.world.store import Store
from batchyard.world.views import (
    Consumable,
    Container,
    Definition,
    Environment,
    Job,
    Namespace,
    Node,
    Pod,
    Queue,
    Revision,
    StopOrder,
)

Body = dict[str, Any]
V = TypeVar("V")
NOW = 1_800_000_000.0
C8 = Shape("c8", read({"cpu": "8", "memory": "16Gi"}, pods=110), "0.34", "0.12")
C2 = Shape("c2", read({"cpu": "2", "memory": "4Gi"}, pods=110), "0.10", "0.04")
_versions = itertools.count(1000)


def version() -> str:
    """Return the next resourceVersion of a make-believe API server."""
    return str(next(_versions))


def template(cpu: str = "1", memory: str = "1Gi", **spec: Any) -> Body:
    """Return a pod template of one container `main`."""
    resources = {"requests": {"cpu": cpu, "memory": memory}}
    return {"spec": {"containers": [{"name": "main", "image": "busybox", "resources": resources}], **spec}}


def metadata(name: str, **fields: Any) -> Body:
    """Return the metadata of an object as old as NOW."""
    given = {"uid": f"uid-{name}", "resourceVersion": version(), "generation": 1, **fields}
    return {"name": name, "creationTimestamp": parse.rfc3339(NOW), **given}


def job_body(name: str = "job", status: Body | None = None, meta: Body | None = None, **spec: Any) -> Body:
    """Return a Job; inline template of one vCPU and 1 GiB unless said."""
    source = {} if "definition" in spec else {"template": spec.pop("template", None) or template()}
    meta = {"namespace": "default", **(meta or {})}
    body = {"metadata": metadata(name, **meta), "spec": {"queue": "default", **source, **spec}}
    return {**body, "status": status} if status else body


def job(name: str = "job", status: Body | None = None, meta: Body | None = None, **spec: Any) -> Job:
    return parse.job(job_body(name, status, meta, **spec))


def queue(name: str = "default", environments: tuple[str, ...] = ("pool",), **fields: Any) -> Queue:
    return Queue(**{"name": name, "uid": f"uid-{name}", "version": version(), "environments": environments, **fields})


def consumable(name: str = "licence", total: int = 5, **fields: Any) -> Consumable:
    return Consumable(**{"name": name, "uid": f"uid-{name}", "version": version(), "total": total, **fields})


def tokens(total: int = 5, consumed: int = 0, **fields: Any) -> Consumable:
    """Return a resource `token` that is used up."""
    status = {"consumed": consumed, **fields.pop("status", {})}
    return consumable("token", total, replenishable=False, status=status, **fields)


def environment(name: str = "pool", **fields: Any) -> Environment:
    given = {"max_vcpus": 64, "shapes": (C8,), "provider": "docker", "finalizers": (names.FINALIZER,), **fields}
    return Environment(**{"name": name, "uid": f"uid-{name}", "version": version(), **given})


def definition_body(name: str = "render", generation: int = 1, status: Body | None = None, **spec: Any) -> Body:
    meta = metadata(name, namespace="default", generation=generation)
    return {"metadata": meta, "spec": {"template": template(), **spec}, "status": status or {}}


def definition(name: str = "render", generation: int = 1, status: Body | None = None, **spec: Any) -> Definition:
    return parse.definition(definition_body(name, generation, status, **spec))


def revision(of: Definition, number: int = 0, **blueprint: Any) -> Revision:
    """Return the kept revision of a definition; with other fields of its spec when given."""
    number = number or of.generation
    kept = parse.blueprint({"template": template(), **blueprint}) if blueprint or not of.blueprint else of.blueprint
    return Revision(
        name=f"{of.name}-{of.uid[:8]}-{number}", uid=f"uid-{of.uid}-{number}", version=version(),
        namespace=of.namespace, definition=of.name, definition_uid=of.uid, number=number, blueprint=kept,
    )  # fmt: skip


def valid(generation: int = 1, status: str = "True", reason: str = "Accepted", message: str = "") -> Body:
    """Return a definition's status after its check."""
    condition = {"type": "Valid", "status": status, "reason": reason, "message": message}
    return {"conditions": [{**condition, "observedGeneration": generation}]}


def machine(name: str = "n1", shape: Shape = C8, **fields: Any) -> Machine:
    given = {
        "environment": "pool",
        "capacity_type": "OnDemand",
        "state": MachineState.Running,
        "launched_at": NOW - 100,
    }
    return Machine(**{"name": name, "instance_type": shape.name, **given, **fields})


def node(name: str = "n1", shape: Shape = C8, env: str = "pool", **fields: Any) -> Node:
    """Return a Ready node of a managed environment without overhead."""
    labels = {
        names.ENVIRONMENT: env, names.INSTANCE_TYPE: shape.name, names.PROVIDER: "docker",
        "kubernetes.io/hostname": name,
    }  # fmt: skip
    given: dict[str, Any] = {
        "allocatable": shape.resources, "ready": True, "ready_changed": NOW - 90, "created": NOW - 95,
        "environment": env, "labels": labels, "taints": (Taint(names.ENVIRONMENT, env),),
    }  # fmt: skip
    return Node(**{"name": name, "uid": f"uid-{name}", "version": version(), **given, **fields})


def running(started: float = NOW, **fields: Any) -> Container:
    return Container(**{"name": "main", "state": "running", "started": started, **fields})


RUNS: dict[str, Any] = {"phase": "Running", "containers": (running(),)}  # fields of a pod that runs since NOW


def exited(code: int = 0, finished: float = NOW, **fields: Any) -> Container:
    given = {"name": "main", "state": "terminated", "reason": "Completed" if code == 0 else "Error"}
    return Container(**{**given, "exit_code": code, "started": finished - 10, "finished": finished, **fields})


def waiting(reason: str, message: str = "", **fields: Any) -> Container:
    return Container(**{"name": "main", "reason": reason, "message": message, **fields})


def pod(owner: Job | str = "job", attempt: int = 1, on: str = "n1", **fields: Any) -> Pod:
    """Return the pod of an attempt: one vCPU and 1 GiB, created and seen by the kubelet at NOW, not running yet."""
    name = owner if isinstance(owner, str) else owner.name
    given: dict[str, Any] = {
        "namespace": "default", "job": f"uid-{name}", "attempt": attempt, "environment": "pool", "node": on,
        "requests": Resources(cpu=1000, memory=2**30, pods=1), "created": NOW, "acknowledged": NOW,
        "containers": (Container(name="main", reason="ContainerCreating"),),
    }  # fmt: skip
    return Pod(**{"name": f"{name}-{attempt}", "uid": f"uid-{name}-{attempt}", "version": version(), **given, **fields})


def succeeded(owner: Job | str = "job", attempt: int = 1, finished: float = NOW, **fields: Any) -> Pod:
    return pod(owner, attempt, **{"phase": "Succeeded", "containers": (exited(0, finished),), **fields})


def failed(owner: Job | str = "job", attempt: int = 1, code: int = 1, finished: float = NOW, **fields: Any) -> Pod:
    return pod(owner, attempt, **{"phase": "Failed", "containers": (exited(code, finished),), **fields})


def stopped(reason: str, at: float = NOW, message: str = "because") -> StopOrder:
    return StopOrder(reason=reason, message=message, at=at)


def attempt(number: int = 1, reason: str | None = "Error", **fields: Any) -> Body:
    """Return an entry of status.attempts; ended an instant ago unless `reason` is None."""
    ended = {"reason": reason, "stoppedAt": parse.rfc3339(NOW), "counted": True} if reason else {}
    return {"number": number, "pod": f"job-{number}", "node": "n1", "computeEnvironment": "pool", **ended, **fields}


def foreign(name: str, on: str = "n1", cpu: int = 100, **fields: Any) -> Pod:
    """Return a pod of somebody else, for example of a DaemonSet."""
    given: dict[str, Any] = {"namespace": "kube-system", "node": on, "requests": Resources(cpu=cpu, pods=1)}
    return Pod(**{"name": name, "uid": f"uid-{name}", "version": version(), **given, **fields})


def namespace(name: str = "default", **labels: str) -> Namespace:
    return Namespace(name=name, uid=f"uid-{name}", version=version(), labels=labels)


def newer(view: V, **fields: Any) -> V:
    """Return a later version of a view."""
    return msgspec.structs.replace(view, version=version(), **fields)  # type: ignore[type-var]


def store(*things: Any, observed: float = NOW) -> Store:
    """Return a store that knows these views and machines; every provider was looked at a moment ago."""
    built = Store()
    machines = [thing for thing in things if isinstance(thing, Machine)]
    for thing in things:
        if not isinstance(thing, Machine):
            built.apply(thing)
    built.observe("docker", machines, observed)
    return built


def pool_of(*nodes: str, shape: Shape = C8, **fields: Any) -> list[Any]:
    """Return an environment `pool` with Ready nodes, and the queue `default` on it."""
    return [environment(**fields), queue(), *(machine(n, shape) for n in nodes), *(node(n, shape) for n in nodes)]


def of(plan: Plan, verb: type[V]) -> list[V]:
    """Return the verbs of one kind in their order."""
    return [each for each in plan.verbs if isinstance(each, verb)]


def only(plan: Plan, verb: type[V]) -> V:
    """Return the only verb of its kind."""
    found = of(plan, verb)
    assert len(found) == 1, f"{len(found)} of {verb.__name__} in {[type(v).__name__ for v in plan.verbs]}"
    return found[0]


def decided(*things: Any, now: float = NOW) -> Plan:
    """Return what is decided about a scene."""
    return decide(store(*things), now)


def started(plan: Plan) -> list[tuple[str, str]]:
    """Return (pod, node) of every start."""
    return [(s.manifest["metadata"]["name"], s.manifest["spec"].get("nodeName", "")) for s in of(plan, Start)]


def status(plan: Plan, name: str = "job") -> Mapping[str, Any]:
    """Return the status that is written of a job."""
    found = [record.status for record in of(plan, Record) if record.job == f"uid-{name}"]
    assert len(found) == 1, f"{len(found)} status writes of {name}"
    return found[0]


def owned_by(uid: str, kind: str = "Job") -> list[Body]:
    """Return the ownerReferences of what the operator made for a job, or for a definition."""
    return [{"apiVersion": "batchyard.dev/v1alpha1", "kind": kind, "name": "x", "uid": uid, "controller": True}]


def told(known: Store, name: str = "job", now: float = NOW) -> Mapping[str, Any]:
    """Return the status that is written of a job once its reason to wait has held."""
    known.noted.update(decide(known, now).notes)
    return status(decide(known, now + 2), name)


def said(plan: Plan, name: str = "default") -> Mapping[str, Any]:
    """Return the status that is written of an object that is no job: a queue, an environment, a consumable."""
    (found,) = [report.status for report in of(plan, Report) if report.name == name]
    return found


def raw_pod(body: Body) -> Pod:
    """Return the view of a pod's body as the watch decodes it."""
    return pod_view(msgspec.convert(body, RawPod))


def hypothesis_profile() -> None:
    """Load the profile that HYPOTHESIS_PROFILE names: `short` (the same examples every time) or `long`."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings.register_profile("short", deadline=None, max_examples=40, derandomize=True, suppress_health_check=slow)
    settings.register_profile(
        "mid", deadline=None, max_examples=120, suppress_health_check=[*slow, HealthCheck.filter_too_much]
    )
    settings.register_profile("long", deadline=None, max_examples=2000, suppress_health_check=slow, print_blob=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
