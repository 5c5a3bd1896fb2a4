"""One operator with the chart's rights beside the real core controllers of Cluster API: `make test-clusterapi`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.conftest import api, lab
from cluster.lab import Lab
from cluster.rest import Body, until
from clusterapi.cloud import NAMESPACE, Cloud, opened

__all__ = ["api", "lab"]

if "BATCHYARD_CLUSTERAPI" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

OURS = "batchyard.dev/provider=clusterAPI"


@dataclass
class Yard:
    """The lab, with a cloud in which machines are nodes that KWOK plays."""

    lab: Lab
    cloud: Cloud

    def deployment(self, name: str, **spec: Any) -> str:
        self.cloud.deployment(name, **spec)
        return name

    def deployments(self) -> list[str]:
        """Return the names of those that this run made."""
        found = [body["metadata"]["name"] for body in self.lab.api.list("MachineDeployment", NAMESPACE)]
        return [name for name in found if name.startswith(self.lab.run)]

    def sets(self, environment: str) -> list[Body]:
        selector = f"batchyard.dev/compute-environment={self.lab.named(environment)}"
        return self.lab.api.list("MachineSet", NAMESPACE, labelSelector=selector)

    def machines(self, environment: str) -> list[Body]:
        selector = f"batchyard.dev/compute-environment={self.lab.named(environment)}"
        return self.lab.api.list("Machine", NAMESPACE, labelSelector=selector)


@pytest.fixture(scope="package")
def yard(lab: Lab) -> Iterator[Yard]:
    with opened(lab.api) as cloud:
        yard = Yard(lab, cloud)
        yield yard
        lab.clear(180)
        lab.made.clear()
        assert lab.api.list("MachineSet", NAMESPACE, labelSelector=OURS) == []
        for name in yard.deployments():
            lab.api.delete("MachineDeployment", name, NAMESPACE)
            lab.api.delete("YardMachineTemplate", name, NAMESPACE)
        until(lambda: not yard.deployments())
