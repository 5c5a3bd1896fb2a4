"""The demo, the examples and the make targets' own tools."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def kubectl() -> Run:
    """kubectl as administrator of the cluster of `make cluster`; skips where there is none."""
    place = Path(os.environ.get("BATCHYARD_CLUSTER_DIR") or ROOT / ".cluster")
    config = os.environ.get("KUBECONFIG") or str(place / "kubeconfig")
    if not Path(config).exists():
        pytest.skip(f"no cluster at {config}; run `make cluster`")

    def run(*arguments: str, kubeconfig: str = config) -> subprocess.CompletedProcess[str]:
        command = [str(place / "bin" / "kubectl"), f"--kubeconfig={kubeconfig}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run
