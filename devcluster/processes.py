"""Our processes, found by the mark in their environment: no pid file can be stale or name a stranger."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .layout import Layout

CLUSTER_MARK = "BATCHYARD_CLUSTER_OF_PROCESS"
NAME_MARK = "BATCHYARD_PROCESS"
GRACE_SECONDS = 3.0
KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Command:
    """A program of the cluster: the name it is known by, and its whole command line."""

    name: str
    line: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """A running program of the cluster."""

    name: str
    pid: int
    line: tuple[str, ...]


def start(command: Command, layout: Layout) -> Process:
    """Start a program in a session of its own, in the cluster's directory, with its output appended to its log."""
    environment = {**os.environ, CLUSTER_MARK: str(layout.cluster), NAME_MARK: command.name}
    with log_of(command.name, layout).open("ab") as log:
        started = subprocess.Popen(
            command.line, cwd=layout.cluster, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    process = Process(command.name, started.pid, command.line)
    # For an instant after exec a process has no command line and no environment; that is not its death.
    while not is_alive(process, layout) and started.poll() is None:
        time.sleep(0.005)
    started.returncode = 0  # it outlives us on purpose; without this Popen warns about it
    return process


def log_of(name: str, layout: Layout) -> Path:
    """Return the log file of the program called `name`."""
    return layout.logs / f"{name}.log"


def running(layout: Layout) -> dict[str, Process]:
    """Return the cluster's living processes by name, looking at every process of the machine."""
    found = (_ours(int(entry), layout) for entry in os.listdir("/proc") if entry.isdigit())
    return {process.name: process for process in found if process is not None}


def clusters_below(layout: Layout) -> list[Layout]:
    """Return the clusters in directories below this one's: those that left their settings there or still run."""
    left = {file.parent for file in layout.cluster.glob("*/cluster.json")}
    marks = {_environment(int(entry)).get(CLUSTER_MARK, "") for entry in os.listdir("/proc") if entry.isdigit()}
    alive = {Path(mark) for mark in marks if mark.startswith(f"{layout.cluster}/")}
    return [Layout(directory, layout.cache) for directory in sorted(left | alive)]


def others_run(layout: Layout) -> bool:
    """Say whether another cluster of this machine is up: of another checkout, say, with nodes on the same engine."""
    for entry in os.listdir("/proc"):
        mark = _environment(int(entry)).get(CLUSTER_MARK, "") if entry.isdigit() else ""
        if not mark or mark == str(layout.cluster) or mark.startswith(f"{layout.cluster}/"):
            continue
        found = _ours(int(entry), Layout(Path(mark), layout.cache))
        if found is not None and found.name == "kube-apiserver":  # the docker engine's programs have marks, too
            return True
    return False


def is_alive(process: Process, layout: Layout) -> bool:
    """Whether this very process still runs."""
    found = _ours(process.pid, layout)
    return found is not None and found.name == process.name


def stop(processes: Iterable[Process], layout: Layout, grace_seconds: float = GRACE_SECONDS) -> None:
    """End the processes and wait until they are gone: SIGTERM, the grace, SIGKILL."""
    handles = [handle for process in processes if (handle := _handle(process, layout)) is not None]
    try:
        for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, KILL_SECONDS)):
            for handle in handles:
                _send(handle, number)
            if _all_end(handles, seconds):
                return
    finally:
        for handle in handles:
            os.close(handle)


def _ours(pid: int, layout: Layout) -> Process | None:
    environment = _environment(pid)
    if environment.get(CLUSTER_MARK) != str(layout.cluster) or NAME_MARK not in environment:
        return None
    try:
        same_machine = os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")
        line = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return None
    # The mark is inherited: a child or a shell started from one of our programs is not that program.
    if not same_machine or Path(line[0]).name != environment[NAME_MARK]:
        return None
    return Process(environment[NAME_MARK], pid, tuple(line))


def _environment(pid: int) -> Mapping[str, str]:
    """Return the environment a process was started with; empty for zombies, strangers and the dead."""
    try:
        pairs = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _handle(process: Process, layout: Layout) -> int | None:
    """Return a descriptor that means this process even after its pid is given to another."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if is_alive(process, layout):
        return handle
    os.close(handle)
    return None


def _send(handle: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return


def _all_end(handles: list[int], seconds: float) -> bool:
    deadline, left = time.monotonic() + seconds, set(handles)
    while left and (remaining := deadline - time.monotonic()) > 0:
        ended, _, _ = select.select(left, [], [], remaining)
        left -= set(ended)
    return not left
