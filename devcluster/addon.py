"""What the programs that run beside a cluster for some tests have in common: kinds, ports, players of sized nodes."""

import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

from . import kwok
from .errors import SetupError
from .gobuild import built
from .kubeconfig import write_whole
from .layout import Layout
from .processes import Command
from .programs import KWOK, path_of

SIZES = ("      capacity: {{ $shape }}\n", "      allocatable: {{ $shape }}\n")


def install(layout: Layout, kinds: Iterable[Path]) -> None:
    """Leave the CustomResourceDefinitions of these files, or directories, served."""
    files = [f"--filename={path}" for path in kinds]
    kubectl(layout, "apply", "--server-side", "--force-conflicts", *files)
    kubectl(layout, "wait", "--for=condition=Established", "--timeout=60s", *files)


def kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> str:
    """Return what kubectl prints; SetupError with its complaint if it fails."""
    command = [str(path_of("kubectl", layout)), f"--kubeconfig={layout.kubeconfig}", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)
    if run.returncode:
        raise SetupError(f"kubectl {' '.join(arguments)} failed: {run.stderr.strip()}")
    return run.stdout


def player(layout: Layout, name: str) -> Command:
    """Return KWOK once more, for nodes labelled kwok.x-k8s.io/node=fake, whose sizes are their own to say.

    It is called by a link to KWOK, for a process of ours is known by the name of its program.
    """
    stages = kwok.STAGES.read_text().replace("batchyard.dev/provider=simulated", "kwok.x-k8s.io/node=fake")
    for line in SIZES:
        stages = stages.replace(line, "")
    configuration = layout.cluster / f"{name}.yaml"
    write_whole(configuration, stages)
    link = layout.cluster / name
    link.unlink(missing_ok=True)
    link.symlink_to(built(KWOK, layout) / "kwok")
    return Command(name, (str(link), f"--kubeconfig={layout.kubeconfig}", f"--config={configuration}", "--v=ERROR"))


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
