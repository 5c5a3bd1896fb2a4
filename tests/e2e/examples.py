"""The examples: who applies what, and how each job ends."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import yaml

from cluster.rest import Body
from e2e.ground import ROOT, Ground

# What belongs to the cluster is the administrator's; the rest is the user's.
CLUSTER_KINDS = ("ComputeEnvironment", "SchedulingPolicy", "JobQueue", "ConsumableResource")
# Job -> phase and reason, where that is not a success.
ENDS = {
    "timeout": ("Failed", "TimedOut"),
    "too-large": ("Runnable", "JobTooLarge"),
    "endless": ("Running", None),
}


@dataclass(frozen=True)
class Examples:
    """All documents of examples/, in the order in which they are applied."""

    administrators: list[Body]
    users: list[Body]

    @classmethod
    def read(cls, ground: Ground) -> Examples:
        documents = [_fitted(document, ground) for file in files() for document in file]
        ours = [one for kind in CLUSTER_KINDS for one in documents if one["kind"] == kind]
        return cls(ours, [one for one in documents if one["kind"] not in CLUSTER_KINDS])

    def jobs(self) -> dict[str, tuple[str, str | None]]:
        """Each job of the user's, and its end."""
        names = [one["metadata"]["name"] for one in self.users if one["kind"] == "Job"]
        return {name: ENDS.get(name, ("Succeeded", "Completed")) for name in names}


def files() -> Iterator[list[Body]]:
    """Yield the documents of each file; those that need simulated nodes are left out: nothing runs on them."""
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one]
        if not any("simulated" in one["spec"].get("provider", {}) for one in documents):
            yield documents


def _fitted(document: Body, ground: Ground) -> Body:
    """Tell an environment where its nodes find images; few large nodes do, with room for what else runs on each."""
    fitted = deepcopy(document)
    if "docker" in fitted["spec"].get("provider", {}):
        fitted["spec"]["provider"]["docker"].update(ground.docker)
        largest = max(fitted["spec"]["instanceTypes"], key=lambda shape: int(shape["cpu"]))
        nodes = fitted["spec"]["maxVCpus"] // int(largest["cpu"])
        largest["cpu"] = str(int(largest["cpu"]) + ground.daemons_cpu)
        fitted["spec"].update(instanceTypes=[largest], maxVCpus=nodes * int(largest["cpu"]))
    return fitted
