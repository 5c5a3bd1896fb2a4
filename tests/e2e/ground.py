"""Where the story is played: the cluster, and what the chart and the environments must be told of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cluster.rest import Body

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "batchyard.dev/operator:e2e"


class Ground(Protocol):
    """A cluster with a node for the operator's pods, which knows the operator's image and has Docker's socket."""

    node: str  # the container that is this node
    daemons_cpu: int  # what others ask for on each new node, in CPUs, rounded up

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""

    @property
    def values(self) -> Sequence[str]:
        """Return for helm what the chart must be told here: --set and what follows it."""

    @property
    def docker(self) -> Body:
        """Return what spec.provider.docker of every environment must be told here."""

    def up(self) -> None:
        """Leave it empty and ready, whatever an earlier run left."""

    def down(self) -> None:
        """Remove all of it."""

    def tool(self, name: str) -> str:
        """Return the path of kubectl or helm."""


def run(*command: str | Path, **options: object) -> str:
    """Return what a program prints; its complaint is the failure."""
    words = list(map(str, command))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{' '.join(words[:6])}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return str(done.stdout)


def devcluster(*words: str, **options: object) -> str:
    """Run a command of our own cluster tools."""
    return run(sys.executable, "-m", "devcluster", *words, **options)
