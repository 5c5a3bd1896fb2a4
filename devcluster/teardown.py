"""Leave nothing behind: processes, containers, networks, mounts, data; also what a killed run left."""

import shutil
import subprocess
from pathlib import Path

from . import engine, kind
from .cluster import waiting
from .console import say
from .errors import SetupError
from .layout import Layout
from .locking import exclusively
from .processes import clusters_below, others_run, running, stop
from .settings import recall

LABEL = "batchyard.dev/cluster"


def down(layout: Layout) -> None:
    """Remove the cluster whatever state it is in, and those below its directory; there being none is no error."""
    for inner in clusters_below(layout):
        down(inner)
    with exclusively(layout.lock, waiting):
        known = recall(layout)
        if known.get("flavour") == "kind":
            kind.down()
        stop(running(layout).values(), layout, grace_seconds=0)  # what they could still save is deleted below
        last = layout.is_default and not others_run(layout)  # one engine serves all clusters of the machine
        _remove_containers("" if last else known.get("uid", "") or layout.key)
        if layout.is_default:
            say(engine.down() if last else "The docker engine goes on, for another cluster of this machine runs.")
        for mount in _mounts_below(layout.cluster):
            subprocess.run(["umount", "--lazy", mount], check=False)
        for directory in (layout.cluster, layout.shm):
            _delete(directory)
        layout.lock.unlink()
    say("The cluster is gone.")


def _remove_containers(uid: str) -> None:
    """Remove the nodes of a cluster; without a uid, as the last one does, those of all that ever were."""
    if shutil.which("docker") is None:
        return
    label = f"{LABEL}={uid}" if uid else LABEL
    for sort, listing, removal in (
        ("container", ["ps", "--all", "--quiet"], ["rm", "--force", "--volumes"]),
        ("network", ["network", "ls", "--quiet"], ["network", "rm"]),
        ("volume", ["volume", "ls", "--quiet"], ["volume", "rm", "--force"]),
    ):
        if names := _docker([*listing, "--filter", f"label={label}"]).split():
            say(f"Removing {len(names)} {sort}(s).")
            _docker([*removal, *names])


def _docker(arguments: list[str]) -> str:
    """Return what docker says; nothing where no engine answers."""
    run = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)
    return run.stdout if run.returncode == 0 else ""


def _mounts_below(directory: Path) -> list[str]:
    """Return the mount points in the directory, the deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{directory}/")), reverse=True)


def _delete(directory: Path) -> None:
    """Delete a directory; a second try gets what a program that was just killed wrote during the first."""
    for _ in range(2):
        shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        raise SetupError(f"{directory} cannot be deleted: see who uses it (`fuser -vm {directory}`) and try again.")
