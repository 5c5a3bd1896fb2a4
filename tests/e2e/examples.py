"""The examples: who applies what, and how each job ends."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from cluster import examples
from cluster.rest import Body
from e2e.ground import Ground

# What belongs to the cluster is the administrator's; the rest is the user's.
CLUSTER_KINDS = ("ComputeEnvironment", "SchedulingPolicy", "JobQueue", "ConsumableResource")
NODES = {"spot": 3}  # an example spans three nodes; one node of each other environment does

End = tuple[str, str | None]  # phase, and the reason if one is named


@dataclass(frozen=True)
class Examples:
    """All documents of examples/, in the order in which they are applied, and the end of each job."""

    administrators: list[Body]
    users: list[Body]
    ends: dict[str, End]

    @classmethod
    def read(cls, ground: Ground) -> Examples:
        documents = [_fitted(document, ground) for file in files() for document in examples.objects(file)]
        ours = [one for kind in CLUSTER_KINDS for one in documents if one["kind"] == kind]
        theirs = [one for one in documents if one["kind"] not in CLUSTER_KINDS]
        told = {end.name: (end.phase, end.claims.get("reason")) for file in files() for end in examples.ends(file)}
        return cls(ours, theirs, {name: told[name] for name in _names(theirs, "Job")})


def _names(documents: list[Body], kind: str) -> list[str]:
    return [one["metadata"]["name"] for one in documents if one["kind"] == kind]


def files() -> list[Path]:
    """Return the files but for those that need simulated nodes: nothing runs on them."""
    return [file for file in examples.FILES if "simulated:" not in file.read_text()]


def _fitted(document: Body, ground: Ground) -> Body:
    """Tell an environment where its nodes find images; few large nodes do, with room for what else runs on each."""
    fitted = deepcopy(document)
    if "docker" in fitted["spec"].get("provider", {}):
        fitted["spec"]["provider"]["docker"].update(ground.docker)
        largest = max(fitted["spec"]["instanceTypes"], key=lambda shape: int(shape["cpu"]))
        largest["cpu"] = str(int(largest["cpu"]) + ground.daemons_cpu)
        most = NODES.get(fitted["metadata"]["name"], 1) * int(largest["cpu"])
        fitted["spec"].update(instanceTypes=[largest], maxVCpus=most)
    return fitted
