"""Where a docker engine of ours stands: its socket, its state, its control group, its share of the cache."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .layout import Layout

DIRECTORY = "/run/batchyard"
SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Site:
    """One engine: the machine's own, or one that a test keeps beside it; `socket` is None where docker is elsewhere."""

    layout: Layout
    socket: Path | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Site":
        """Read DOCKER_HOST as every client does, BATCHYARD_ENGINE_DIR, and BATCHYARD_CACHE."""
        state = Path(environment.get("BATCHYARD_ENGINE_DIR") or DIRECTORY)
        kind, _, address = (environment.get("DOCKER_HOST") or f"unix://{SOCKET}").partition("://")
        return cls(Layout(state, Layout.from_environment(environment).cache), Path(address) if kind == "unix" else None)

    @property
    def state(self) -> Path:
        """What goes with the engine: configuration, pid files, mounts."""
        return self.layout.cluster

    @property
    def cache(self) -> Path:
        """What outlives the engine: images."""
        return self.layout.cache / "engine"

    @property
    def containerd_socket(self) -> Path:
        """A socket of our own: a containerd of the machine's is neither used nor disturbed."""
        return self.state / "containerd/containerd.sock"

    @property
    def cgroup(self) -> str:
        """The control group of all its containers, at the top of every hierarchy."""
        return f"batchyard-engine-{self.layout.key}"
