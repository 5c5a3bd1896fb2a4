"""A cloud for the real Cluster API: its machines are nodes that KWOK plays, its control plane is one in name only."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.rest import PATCH, Api, Body, Refused, place, until

GROUP = "infrastructure.cluster.x-k8s.io"
NAMESPACE, CLUSTER = "default", "yard"
KINDS = ("YardMachine", "YardMachineTemplate", "YardControlPlane")
SIZE = {"cpu": "4", "memory": "8Gi", "pods": "110"}
SINCE = "2026-05-01T12:00:00Z"
NO_STOCK = {
    "type": "Ready", "status": "False", "reason": "InstanceProvisionFailed", "lastTransitionTime": SINCE,
    "message": "InsufficientInstanceCapacity: there is none left",
}  # fmt: skip
READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": SINCE}
UNINITIALISED = {"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}


class Cloud(threading.Thread):
    """Turns each YardMachine into a node, and lets go of one that is deleted; one of spec.stock: none never comes."""

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self.broken: list[str] = []
        self._api = api
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.2):
            try:
                for body in self._api.list("YardMachine", NAMESPACE):
                    self._step(body)
            except Refused as refused:
                if refused.status not in (404, 409):  # somebody else was faster
                    self.broken.append(str(refused))

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _step(self, body: Body) -> None:
        name, meta, status = body["metadata"]["name"], body["metadata"], body.get("status") or {}
        if "deletionTimestamp" in meta:
            self._api.patch("YardMachine", name, {"metadata": {"finalizers": None}}, NAMESPACE)
        elif body["spec"].get("stock") == "none":
            if not status:
                self._tell("YardMachine", name, {"conditions": [NO_STOCK]})
        elif not status:
            provider_id = f"yard:///{meta['uid']}"
            known = {"metadata": {"finalizers": ["yard.test/machine"]}, "spec": {"providerID": provider_id}}
            self._api.patch("YardMachine", name, known, NAMESPACE)
            if self._api.find("Node", _node_name(meta["uid"])) is None:
                self._api.create(node(meta["uid"]))
            self._tell("YardMachine", name, {"initialization": {"provisioned": True}, "conditions": [READY]})

    def _tell(self, kind: str, name: str, status: Body) -> None:
        self._api.call("PATCH", f"{place(kind, NAMESPACE, name)}/status", {"status": status}, PATCH["merge"])

    def furnish(self) -> None:
        """Make the kinds of this cloud, and the Cluster that this cluster is to itself."""
        for kind in KINDS:
            if self._api.find("CustomResourceDefinition", f"{kind.lower()}s.{GROUP}") is None:
                self._api.create(definition(kind))
        until(self._is_served)
        self._make({"kind": "YardControlPlane", "metadata": {"name": CLUSTER}, "spec": {}})
        done = {"externalManagedControlPlane": True, "initialization": {"controlPlaneInitialized": True}}
        self._tell("YardControlPlane", CLUSTER, done)
        self._make(secret(Path(self._api.kubeconfig).read_bytes()))
        reference = {"apiGroup": GROUP, "kind": "YardControlPlane", "name": CLUSTER}
        self._make({"kind": "Cluster", "metadata": {"name": CLUSTER}, "spec": {"controlPlaneRef": reference}})

    def _is_served(self) -> bool:
        try:
            return all(self._api.list(kind, NAMESPACE) is not None for kind in KINDS)
        except Refused:
            return False

    def deployment(self, name: str, **spec: Any) -> None:
        """Make a MachineDeployment without machines; `spec` is its machines' in this cloud."""
        of_machine = {"template": {"spec": {"size": "c-4x", **spec}}}
        self._make({"kind": "YardMachineTemplate", "metadata": {"name": name}, "spec": of_machine})
        reference = {"apiGroup": GROUP, "kind": "YardMachineTemplate", "name": name}
        template = {"clusterName": CLUSTER, "bootstrap": {"dataSecretName": "none"}, "infrastructureRef": reference}
        whole = {"clusterName": CLUSTER, "replicas": 0, "selector": {}, "template": {"spec": template}}
        self._make({"kind": "MachineDeployment", "metadata": {"name": name}, "spec": whole})

    def _make(self, body: Body) -> None:
        if self._api.find(body["kind"], body["metadata"]["name"], NAMESPACE) is None:
            self._api.create(body, NAMESPACE)


@contextmanager
def opened(api: Api) -> Iterator[Cloud]:
    """A cloud at work."""
    cloud = Cloud(api)
    cloud.furnish()
    cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()
    assert cloud.broken == []


def node(uid: str) -> Body:
    labels = {"kwok.x-k8s.io/node": "fake", "kubernetes.io/os": "linux"}
    return {
        "kind": "Node",
        "metadata": {"name": _node_name(uid), "labels": labels},
        "spec": {"providerID": f"yard:///{uid}", "taints": [UNINITIALISED]},
        "status": {"capacity": SIZE, "allocatable": SIZE},
    }


def _node_name(uid: str) -> str:
    return f"ip-{uid[:13]}"


def secret(kubeconfig: bytes) -> Body:
    """How Cluster API reaches the cluster that its machines join: this one."""
    return {
        "kind": "Secret",
        "metadata": {"name": f"{CLUSTER}-kubeconfig", "labels": {"cluster.x-k8s.io/cluster-name": CLUSTER}},
        "type": "cluster.x-k8s.io/secret",
        "data": {"value": base64.b64encode(kubeconfig).decode()},
    }


def definition(kind: str) -> Body:
    """A kind of this cloud; the label is how Cluster API knows which contract it keeps to."""
    names = {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower(), "listKind": f"{kind}List"}
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}},
    }  # fmt: skip
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.{GROUP}", "labels": {"cluster.x-k8s.io/v1beta2": "v1"}},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }
