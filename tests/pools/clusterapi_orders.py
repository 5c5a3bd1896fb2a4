"""An order for Cluster API, and a MachineDeployment to copy."""

from __future__ import annotations

from typing import Any

from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Shape, Taint
from batchyard.model.resources import Resources

SHAPE = Shape("c8", Resources(cpu=8000, memory=2**34, pods=110))
NAME = "spot-abcdef-0"
OWN = Taint(names.ENVIRONMENT, "spot")


def order(name: str = NAME, **settings: object) -> LaunchOrder:
    labels = {
        names.PROVIDER: "clusterAPI",
        names.ENVIRONMENT: "spot",
        names.INSTANCE_TYPE: SHAPE.name,
        names.CAPACITY_TYPE: "Spot",
        names.CONFIGURATION: "0123456789",
        "node.kubernetes.io/instance-type": SHAPE.name,
        "team": "a",
    }
    return LaunchOrder(name, "spot", SHAPE, "Spot", labels, (OWN,), "clusterAPI", settings)


def deployment(name: str, cluster: str = "yard", **spec: Any) -> dict[str, Any]:
    """A MachineDeployment as the webhook of Cluster API leaves it, with machines of the tests' cloud."""
    own = {"cluster.x-k8s.io/cluster-name": cluster, "cluster.x-k8s.io/deployment-name": name}
    infrastructure = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "YardMachineTemplate", "name": name}
    template = {
        "clusterName": cluster,
        "bootstrap": {"dataSecretName": "none"},
        "infrastructureRef": infrastructure,
        **spec,
    }
    return {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineDeployment",
        "metadata": {"name": name, "labels": {}},
        "spec": {
            "clusterName": cluster,
            "replicas": 0,
            "selector": {"matchLabels": own},
            "template": {"metadata": {"labels": dict(own)}, "spec": template},
        },
    }
