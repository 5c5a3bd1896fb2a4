"""Where the nodes of a managed environment come from."""

from typing import ClassVar

from pydantic import Field

from batchyard.model import later
from batchyard.model.api import ApiModel, Later, Rule


class DockerProvider(ApiModel):
    """Nodes as Docker containers on the operator's machine, each with a real kubelet and containerd."""

    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Image of the node containers; the one built by `make cluster` when absent.",
    )
    network: str = Field(
        default="host",
        min_length=1,
        max_length=128,
        description="Docker network of the node containers; host by default: every kubelet gets ports of its own.",
    )
    images_directory: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="Directory of image archives (*.tar) on the operator's machine that each new node imports, so that "
        "Jobs run without a registry. Absent: ~/.cache/batchyard/images, if that exists.",
    )


class SimulatedProvider(ApiModel):
    """Nodes that exist in the API only (KWOK): for tests of scale and for trying out a policy; nothing really runs."""


class Provider(ApiModel):
    """Where the nodes come from: exactly one of docker and simulated."""

    later: ClassVar[tuple[Later, ...]] = later.PROVIDER
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.docker) != has(self.simulated)",
            "spec.provider names exactly one provider; write for example provider: {docker: {}}",
            lambda p: (p.docker is None) != (p.simulated is None),
        ),
        Rule(
            "has(self.docker) == has(oldSelf.docker) && has(self.simulated) == has(oldSelf.simulated)",
            "spec.provider cannot change from one provider to another; create a new ComputeEnvironment",
        ),
    )

    docker: DockerProvider | None = Field(
        default=None,
        description="Every node is a Docker container with a real kubelet and containerd: real elasticity on a laptop "
        "and in CI. Example: {}.",
    )
    simulated: SimulatedProvider | None = Field(
        default=None, description="Nodes in the API only, played by KWOK; nothing really runs. Example: {}."
    )
