"""Where a cluster and the cache stand on the disk."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Layout:
    """One cluster owns one directory; all clusters of a user share the cache."""

    cluster: Path
    cache: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Layout":
        """Read BATCHYARD_CLUSTER_DIR (default `.cluster` in the project) and BATCHYARD_CACHE."""
        cluster = Path(environment.get("BATCHYARD_CLUSTER_DIR") or ROOT / ".cluster")
        cache = Path(environment.get("BATCHYARD_CACHE") or Path.home() / ".cache" / "batchyard")
        return cls(cluster.absolute(), cache.absolute())

    @property
    def key(self) -> str:
        """A short name for this cluster, the same as long as its directory stays where it is."""
        return hashlib.sha256(str(self.cluster).encode()).hexdigest()[:12]

    @property
    def shm(self) -> Path:
        """Where etcd's data is when it is kept in memory."""
        return Path("/dev/shm") / f"batchyard-{self.key}"

    @property
    def lock(self) -> Path:
        """Outside the cluster's directory, since taking a cluster down deletes that."""
        return self.cache / "locks" / f"cluster-{self.key}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, with everything embedded."""
        return self.cluster / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.cluster / "pki"

    @property
    def logs(self) -> Path:
        """One file per program."""
        return self.cluster / "logs"

    @property
    def is_default(self) -> bool:
        """Whether this is the project's own cluster and not one of several made for tests."""
        return self.cluster == ROOT / ".cluster"
