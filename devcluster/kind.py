"""Use kind where it is installed: the friendlier cluster, with one real node."""

import shutil
import subprocess
from pathlib import Path

from .console import say
from .errors import SetupError
from .layout import Layout
from .settings import remember

NAME = "batchyard"
NETWORK = "kind"  # docker's, on which the cluster's node is


def up(layout: Layout, configuration: Path | None = None) -> None:
    """Leave a kind cluster called `batchyard` running and its kubeconfig in the cluster's directory."""
    missing = [tool for tool in ("docker", "kind") if shutil.which(tool) is None]
    if missing:
        raise SetupError(f"CLUSTER=kind needs {' and '.join(missing)}: install it, or run `make cluster` without.")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        raise SetupError("CLUSTER=kind needs a running docker engine: start it, or run `make cluster` without.")
    layout.cluster.mkdir(parents=True, exist_ok=True)
    remember(layout, flavour="kind")
    existing = subprocess.run(["kind", "get", "clusters"], capture_output=True, text=True, check=False).stdout.split()
    verb = ["export", "kubeconfig"] if NAME in existing else ["create", "cluster", "--wait", "120s"]
    if configuration is not None and NAME not in existing:
        verb += ["--config", str(configuration)]
    done = subprocess.run(["kind", *verb, "--name", NAME, "--kubeconfig", str(layout.kubeconfig)], check=False)
    if done.returncode:
        raise SetupError("kind has failed, its own words are above. `make cluster` without CLUSTER=kind needs no kind.")
    say(f"The kind cluster is up: export KUBECONFIG={layout.kubeconfig}")


def status(layout: Layout) -> bool:
    """Print and return whether the kind cluster exists."""
    run = subprocess.run(["kind", "get", "clusters"], capture_output=True, text=True, check=False)
    exists = NAME in run.stdout.split()
    print(f"kind cluster: {'there' if exists else 'not there'}\nkubeconfig: {layout.kubeconfig}")
    return exists


def down() -> None:
    """Delete the kind cluster called `batchyard`."""
    if subprocess.run(["kind", "delete", "cluster", "--name", NAME], check=False).returncode:
        raise SetupError("kind could not delete its cluster, its own words are above.")
