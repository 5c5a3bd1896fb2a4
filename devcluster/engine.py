"""The docker engine: the one that answers, else containerd and dockerd started by hand (Debian, root, no systemd).

`python3 -m devcluster.engine up|down|status` needs nothing but Python. The socket is docker's usual one, so that every
client finds it. Images stay in the cache between runs; everything else of ours is below one directory.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from .console import say
from .enginesite import Site
from .errors import SetupError
from .layout import Layout
from .locking import exclusively
from .processes import Command, running, start, stop
from .remains import sweep

LABEL = "batchyard.dev/cluster"
PROGRAMS = ("dockerd", "containerd", "runc", "docker")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
SECONDS_TO_START = 60


def up() -> str:
    """Make an engine answer and say which one; SetupError says what to do."""
    if answers():
        return "A docker engine answers."
    if os.geteuid() != 0:
        raise SetupError("No docker engine answers and starting one needs root: start docker, or run this as root.")
    site = Site.from_environment()
    if site.socket is None:
        raise SetupError(
            f"No docker engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}: start it, or unset that."
        )
    with _alone(site):
        if not answers():
            _install()
            if not _started_by_systemd():
                _start(site)
    return "The docker engine has been started."


def down() -> str:
    """Remove our nodes, then stop the engine if it is ours and clear its traces; cached images stay."""
    site = Site.from_environment()
    with _alone(site):
        removed = _remove_nodes()
        if not site.state.exists():
            return f"{removed} node(s) removed; the docker engine, if any, is not ours and stays."
        _stop_containers(site)
        processes = running(site.layout)
        stop([processes[name] for name in ("dockerd", "containerd") if name in processes], site.layout)
        sweep(site)
        _restore_forwarding(site)
        shutil.rmtree(site.state, ignore_errors=True)
        if site.socket is not None and not answers():
            site.socket.unlink(missing_ok=True)
    return f"{removed} node(s) removed, the docker engine has been stopped."


def status() -> str:
    """One line: whether an engine answers and whose it is."""
    if not answers():
        return "No docker engine answers."
    ours = "dockerd" in running(Site.from_environment().layout)
    return f"A docker engine answers; it is {'ours' if ours else 'not ours'}."


def answers() -> bool:
    """Whether a docker engine answers where clients look for it (DOCKER_HOST, else the usual socket)."""
    site = Site.from_environment()
    if site.socket is None:
        return shutil.which("docker") is not None and _docker("version").returncode == 0
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(site.socket))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in client.recv(64)
    except OSError:
        return False


def _alone(site: Site) -> AbstractContextManager[None]:
    """One command at a time; the lock is not below the state, which `down` deletes."""
    lock = site.layout.cache / "locks" / site.cgroup
    return exclusively(lock, lambda: say("Another command is starting or stopping docker; waiting for it."))


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def _install() -> None:
    if all(shutil.which(program) for program in PROGRAMS):
        return
    if not shutil.which("apt-get"):
        raise SetupError("No docker engine answers and this is no Debian: install docker and start it.")
    say("Installing Debian's docker.io.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True, check=False)
    command = ["apt-get", "install", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "docker.io"]
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise SetupError(f"apt-get could not install docker.io:\n{outcome.stderr[-2000:]}")


def _started_by_systemd() -> bool:
    """Where systemd runs, docker is its service, and no process of ours."""
    if not Path("/run/systemd/system").is_dir():
        return False
    outcome = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True, check=False)
    if outcome.returncode or not _wait(answers):
        raise SetupError(f"systemctl could not start docker: {outcome.stderr.strip()}")
    return True


def _start(site: Site) -> None:
    """Start both daemons; what an engine of ours that was killed hard left behind goes, dead nodes included."""
    if "dockerd" not in running(site.layout):
        stop(running(site.layout).values(), site.layout)
        sweep(site)
    _make_directories(site)
    _remember_forwarding(site)
    _start_one(_containerd(site), site, site.containerd_socket.is_socket)
    _start_one(_dockerd(site), site, answers)
    # No node lives through the end of its engine; its name and its slot would be taken for ever if its cluster is gone.
    _remove_nodes()


def _remember_forwarding(site: Site) -> None:
    """Docker lets the host forward packets, as pods need; `down` puts back what was before."""
    kept = site.state / FORWARDING.name
    if not kept.exists():
        kept.write_text(FORWARDING.read_text())
    FORWARDING.write_text("1")


def _restore_forwarding(site: Site) -> None:
    kept = site.state / FORWARDING.name
    if kept.exists():
        FORWARDING.write_text(kept.read_text())


def _start_one(command: Command, site: Site, ready: Callable[[], bool]) -> None:
    if command.name not in running(site.layout):
        start(command, site.layout)
    _wait(lambda: ready() or command.name not in running(site.layout))
    if not ready():
        raise SetupError(f"{command.name} does not start; its log: {site.layout.logs / command.name}.log")


def _make_directories(site: Site) -> None:
    logs = Layout.from_environment().logs
    for path in (site.containerd_socket.parent, site.cache / "docker", site.cache / "containerd", logs):
        path.mkdir(parents=True, exist_ok=True)
    site.layout.logs.unlink(missing_ok=True)
    site.layout.logs.symlink_to(logs)


def _containerd(site: Site) -> Command:
    """A containerd of our own on its own socket: one of the machine's is neither used nor disturbed."""
    configuration = site.state / "containerd.toml"
    configuration.write_text(
        "version = 2\n"
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'root = "{site.cache}/containerd"\n'
        f'state = "{site.containerd_socket.parent}"\n'
        f'[grpc]\n  address = "{site.containerd_socket}"\n'
    )
    return Command("containerd", ("containerd", "--config", str(configuration)))


def _dockerd(site: Site) -> Command:
    # Nodes live on the host's network: no bridge and no firewall rules means nothing to clean up afterwards.
    line = ["dockerd", f"--host=unix://{site.socket}", f"--containerd={site.containerd_socket}"]
    line += [
        f"--data-root={site.cache}/docker",
        f"--exec-root={site.state}/docker",
        f"--pidfile={site.state}/docker.pid",
    ]
    line += [f"--cgroup-parent=/{site.cgroup}", "--exec-opt=native.cgroupdriver=cgroupfs"]
    return Command("dockerd", (*line, "--bridge=none", "--iptables=false", "--ip6tables=false"))


def _wait(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS_TO_START
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _remove_nodes() -> int:
    """Remove every container and volume of ours from whichever engine answers; return the number of containers."""
    if shutil.which("docker") is None or not answers():
        return 0
    containers = _docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}").stdout.split()
    if containers:
        _docker("rm", "--force", "--volumes", *containers)
    volumes = _docker("volume", "ls", "--quiet", "--filter", f"label={LABEL}").stdout.split()
    if volumes:
        _docker("volume", "rm", "--force", *volumes)
    return len(containers)


def _stop_containers(site: Site) -> None:
    """Somebody else may use our engine: their containers get a moment, which dockerd would not get from us."""
    if "dockerd" in running(site.layout) and (others := _docker("ps", "--quiet").stdout.split()):
        _docker("stop", "--time", "5", *others)


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 done, 1 with the remedy on stderr, 2 for a wrong call."""
    verbs = {"up": up, "down": down, "status": status}
    if len(arguments) != 1 or arguments[0] not in verbs:
        say(f"usage: python3 -m devcluster.engine {'|'.join(verbs)}")
        return 2
    try:
        say(verbs[arguments[0]]())
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
