"""What a docker engine of ours leaves when it is killed hard: shims, control groups, mounts, sockets."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .enginesite import Site


def sweep(site: Site) -> None:
    """Clear all of it, and end the containers; the daemons must be gone already."""
    while shims := _shims(site):
        _kill(shims)
        time.sleep(0.05)
    _empty_cgroups(site)
    for mount in _mounts(site.state, site.cache):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    for leftover in (site.containerd_socket, site.state / "docker.pid"):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(site.state / "docker", ignore_errors=True)


def _shims(site: Site) -> list[int]:
    """The shims of our containerd, known by the address they were given; zombies have no command line."""
    return [pid for pid in _pids() if str(site.containerd_socket) in _command_line(pid)[1:]]


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _mounts(*directories: Path) -> list[str]:
    """Mount points below the directories, the deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    ours = tuple(f"{directory}/" for directory in directories)
    return sorted((point for point in points if point.startswith(ours)), reverse=True)


def _empty_cgroups(site: Site) -> None:
    """End what runs in our control groups, whose init process a dead shim cannot end, and remove them, leaves first."""
    for top in (
        path for depth in ("*", "*/*") for path in Path("/sys/fs/cgroup").glob(depth) if path.name == site.cgroup
    ):
        groups = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for group in (*groups, top):
            _empty(group)
            group.rmdir()


def _empty(group: Path) -> None:
    while members := (group / "cgroup.procs").read_text().split():
        _kill(int(pid) for pid in members)
        time.sleep(0.05)


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
