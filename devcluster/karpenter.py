"""Run the real Karpenter with its KWOK cloud: NodeClaims become nodes that KWOK plays."""

import json
import os
from pathlib import Path

from .addon import free_port, install, kubectl, player
from .cluster import waiting
from .console import say
from .errors import SetupError
from .gobuild import built
from .kubeconfig import write_whole
from .layout import Layout
from .locking import exclusively
from .processes import Command, running, stop
from .programs import KARPENTER
from .startup import ensure

PLAYER = "kwok-karpenter"  # KWOK once more, for Karpenter's nodes alone
TYPES = {"c-4x": ("4", "8Gi", "0.20"), "c-8x": ("8", "16Gi", "0.40")}  # CPU, memory, price of the cloud's types
ZONES = ("zone-a", "zone-b")


def up(layout: Layout) -> None:
    """Leave one Karpenter running against this cluster, with its kinds installed and its nodes played."""
    if not layout.kubeconfig.exists():
        raise SetupError("There is no cluster to run Karpenter in: run `make cluster` first.")
    programs = built(KARPENTER, layout)
    install(layout, [programs.parent / "share"])
    os.environ["KUBECONFIG"] = str(layout.kubeconfig)  # Karpenter has no flag for it
    with exclusively(layout.lock, waiting):
        for command in (player(layout, PLAYER), _controller(layout, programs)):
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
        kubectl(layout, "delete", "nodes", "--selector=kwok.x-k8s.io/node=fake", "--timeout=60s")


def _controller(layout: Layout, programs: Path) -> Command:
    types = layout.cluster / "karpenter-types.json"
    write_whole(types, json.dumps([_type(name) for name in TYPES]))
    ports = [f"--metrics-port={free_port()}", f"--health-probe-port={free_port()}"]
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
