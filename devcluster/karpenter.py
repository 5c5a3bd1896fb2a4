"""Run the real Karpenter with its KWOK cloud: NodeClaims become nodes that KWOK plays."""

import json
import os
import socket
import subprocess
from pathlib import Path

from . import kwok
from .cluster import waiting
from .console import say
from .errors import SetupError
from .gobuild import built
from .kubeconfig import write_whole
from .layout import Layout
from .locking import exclusively
from .processes import Command, running, stop
from .programs import KARPENTER, KWOK, path_of
from .startup import ensure

PLAYER = "kwok-karpenter"  # KWOK once more, for Karpenter's nodes alone
# The sizes of Karpenter's nodes are its own to say, where those of simulated ones are an annotation's.
SIZES = ("      capacity: {{ $shape }}\n", "      allocatable: {{ $shape }}\n")
TYPES = {"c-4x": ("4", "8Gi", "0.20"), "c-8x": ("8", "16Gi", "0.40")}  # CPU, memory, price of the cloud's types
ZONES = ("zone-a", "zone-b")


def up(layout: Layout) -> None:
    """Leave one Karpenter running against this cluster, with its kinds installed and its nodes played."""
    if not layout.kubeconfig.exists():
        raise SetupError("There is no cluster to run Karpenter in: run `make cluster` first.")
    programs = built(KARPENTER, layout)
    _install(layout, programs.parent / "share")
    os.environ["KUBECONFIG"] = str(layout.kubeconfig)  # Karpenter has no flag for it
    with exclusively(layout.lock, waiting):
        for command in (_player(layout), _controller(layout, programs)):
            before = running(layout).get(command.name)
            if before is None or command.name == PLAYER:
                ensure(command, layout, before)
    say(f"Karpenter makes nodes of the types {', '.join(TYPES)} in {', '.join(ZONES)} (node class KWOKNodeClass).")


def down(layout: Layout) -> None:
    """Stop Karpenter and the player of its nodes; the nodes of its cloud go with it.

    That cloud makes a node some time after it was asked to, also of a claim that has gone by then; Karpenter would
    find such a node after minutes.
    """
    with exclusively(layout.lock, waiting):
        ours = (KARPENTER.name, PLAYER)
        stop([process for name, process in running(layout).items() if name in ours], layout)
    if layout.kubeconfig.exists():
        _kubectl(layout, "delete", "nodes", "--selector=kwok.x-k8s.io/node=fake", "--timeout=60s")


def _install(layout: Layout, kinds: Path) -> None:
    _kubectl(layout, "apply", "--server-side", "--force-conflicts", f"--filename={kinds}")
    _kubectl(layout, "wait", "--for=condition=Established", "--timeout=60s", f"--filename={kinds}")


def _kubectl(layout: Layout, *arguments: str) -> None:
    command = [str(path_of("kubectl", layout)), f"--kubeconfig={layout.kubeconfig}", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SetupError(f"kubectl {' '.join(arguments)} failed: {run.stderr.strip()}")


def _player(layout: Layout) -> Command:
    """Name a link to KWOK, for a process of ours is known by the name of its program."""
    stages = kwok.STAGES.read_text().replace("batchyard.dev/provider=simulated", "kwok.x-k8s.io/node=fake")
    for line in SIZES:
        stages = stages.replace(line, "")
    configuration = layout.cluster / f"{PLAYER}.yaml"
    write_whole(configuration, stages)
    link = layout.cluster / PLAYER
    link.unlink(missing_ok=True)
    link.symlink_to(built(KWOK, layout) / "kwok")
    return Command(PLAYER, (str(link), f"--kubeconfig={layout.kubeconfig}", f"--config={configuration}", "--v=ERROR"))


def _controller(layout: Layout, programs: Path) -> Command:
    types = layout.cluster / "karpenter-types.json"
    write_whole(types, json.dumps([_type(name) for name in TYPES]))
    ports = [f"--metrics-port={_free_port()}", f"--health-probe-port={_free_port()}"]
    flags = (f"--instance-types-file-path={types}", "--disable-leader-election")
    return Command(KARPENTER.name, (str(programs / KARPENTER.name), *flags, *ports))


def _type(name: str) -> dict[str, object]:
    cpu, memory, price = TYPES[name]
    return {
        "name": name,
        "architecture": "amd64",
        "operatingSystems": ["linux"],
        "resources": {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "20Gi"},
        "offerings": [_offering(kind, zone, float(price)) for kind in ("on-demand", "spot") for zone in ZONES],
    }


def _offering(kind: str, zone: str, price: float) -> dict[str, object]:
    wanted = {"karpenter.sh/capacity-type": kind, "topology.kubernetes.io/zone": zone}
    requirements = [{"key": key, "operator": "In", "values": [value]} for key, value in wanted.items()]
    return {"Price": price if kind == "on-demand" else price / 3, "Available": True, "Requirements": requirements}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
