"""What a machine is to Cluster API: a MachineSet of one that is copied from a MachineDeployment of the user's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder
from batchyard.pools.base import ProviderError
from batchyard.pools.objects import Body

NAME = "clusterAPI"
GROUP = "cluster.x-k8s.io"
SET_NAME = f"{GROUP}/set-name"  # label of a Machine: its MachineSet
OWNER_NAME = f"{GROUP}/owner-name"  # annotation of a Node: the MachineSet of its Machine
CLOSED = f"{GROUP}/disable-machine-create"  # annotation of a MachineSet: a Machine that goes is not replaced
NO_DRAIN = "machine.cluster.x-k8s.io/exclude-node-draining"
NO_DETACH = "machine.cluster.x-k8s.io/exclude-wait-for-node-volume-detach"
NODE = f"{names.GROUP}/node"  # annotation of a MachineSet: its node, as soon as that has our labels and taints
DRESS = f"{names.GROUP}/node-template"  # annotation of a MachineSet: {"labels", "taints"} that its node is to have
_SELF_HEALING_OFF = f"{GROUP}/skip-remediation"  # a MachineHealthCheck lets a Machine with this annotation alone
_CLUSTER_NAME = f"{GROUP}/cluster-name"
_OF_DEPLOYMENT = (f"{GROUP}/deployment-name", "machine-template-hash")


def namespace_of(settings: Mapping[str, Any]) -> str:
    """Return the namespace of an environment's Cluster API objects."""
    return str(settings.get("namespace") or "default")


def deployment_name(order: LaunchOrder) -> str:
    """Return the MachineDeployment of an order's shape: the one that the settings name, else <environment>-<shape>."""
    chosen = {entry["shape"]: entry["name"] for entry in order.settings.get("machineDeployments") or ()}
    usual = f"{order.environment}-{order.shape.name}".lower().replace("_", "-")
    return str(chosen.get(order.shape.name) or usual)


def machine_set(order: LaunchOrder, deployment: Body) -> dict[str, Any]:
    """Return the MachineSet of an order.

    Its own labels match no selector of a MachineDeployment, which would adopt it, and its Machine's match none either.
    """
    if order.labels.get(names.PROVIDER) != NAME:
        raise ProviderError(f"order {order.name} is not for Cluster API")
    spec = deployment["spec"]
    cluster = spec["clusterName"]
    ours = {key: value for key, value in order.labels.items() if key.startswith(f"{names.GROUP}/")}
    own = {_CLUSTER_NAME: cluster, SET_NAME: order.name}
    given = spec["template"].get("metadata") or {}
    return {
        "apiVersion": f"{GROUP}/v1beta2",
        "kind": "MachineSet",
        "metadata": {
            "name": order.name,
            "labels": {**ours, _CLUSTER_NAME: cluster},
            "annotations": {DRESS: _dress(order)},
        },
        "spec": {
            "clusterName": cluster,
            "replicas": 1,
            "selector": {"matchLabels": own},
            "template": {
                "metadata": {
                    "labels": {**_kept(deployment), **ours, **own},
                    "annotations": {**(given.get("annotations") or {}), _SELF_HEALING_OFF: "true"},
                },
                "spec": spec["template"]["spec"],
            },
            **({"machineNaming": spec["machineNaming"]} if spec.get("machineNaming") else {}),
        },
    }


def _kept(deployment: Body) -> dict[str, str]:
    """Return the labels of a MachineDeployment's Machines that do not make a Machine one of them."""
    spec = deployment["spec"]
    theirs = {*_OF_DEPLOYMENT, *(spec["selector"].get("matchLabels") or {})}
    given = (spec["template"].get("metadata") or {}).get("labels") or {}
    return {key: value for key, value in given.items() if key not in theirs and not key.startswith(f"topology.{GROUP}")}


def _dress(order: LaunchOrder) -> str:
    taints = [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in order.taints]
    return json.dumps({"labels": dict(order.labels), "taints": taints}, sort_keys=True)


def dressed(found: Body, node: Body) -> dict[str, Any]:
    """Return the merge patch that gives a Node its machine's labels and taints, unless it was written meanwhile."""
    wanted = json.loads(annotation(found, DRESS))
    ours = {(taint["key"], taint["effect"]) for taint in wanted["taints"]}
    others = [t for t in node["spec"].get("taints") or () if (t["key"], t["effect"]) not in ours]
    return {
        "metadata": {"labels": wanted["labels"], "resourceVersion": node["metadata"]["resourceVersion"]},
        "spec": {"taints": [*others, *wanted["taints"]]},
    }


def annotation(body: Body, key: str) -> str:
    """Return an annotation, empty if there is none."""
    return str((body["metadata"].get("annotations") or {}).get(key) or "")


def is_ours(found: Body) -> bool:
    """Say whether a MachineSet is one of ours: a label alone makes none ours to delete."""
    labels = found["metadata"].get("labels") or {}
    named = names.is_machine_name(found["metadata"]["name"], labels.get(names.ENVIRONMENT, ""))
    return named and bool(labels.get(names.PROVIDER) == NAME)


def is_deleting(body: Body) -> bool:
    """Say whether an object is on its way out."""
    return bool(body["metadata"].get("deletionTimestamp"))
