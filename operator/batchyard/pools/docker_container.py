"""What a docker node is to the engine: labels by which it is found again, and the options of its container."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.types import Mount

from batchyard.model.resources import Resources, show
from batchyard.pools.base import LaunchOrder, Machine, MachineState, ProviderError
from batchyard.pools.docker_files import Place

CLUSTER = "batchyard.dev/cluster"
ENVIRONMENT = "batchyard.dev/compute-environment"
NODE = "batchyard.dev/node"
INSTANCE_TYPE = "batchyard.dev/instance-type"
CAPACITY_TYPE = "batchyard.dev/capacity-type"
LAUNCHED_AT = "batchyard.dev/launched-at"
SLOT = "batchyard.dev/slot"
GONE_AT = "batchyard.dev/gone-at"
CONFIGURATION = "batchyard.dev/configuration"

# What the kubelet, containerd and the shims need beside the pods; the node's size is the pods' alone.
DAEMONS = Resources(cpu=500, memory=384 * 2**20)
CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYSLOG", "NET_RAW", "MKNOD")
MOST_PODS = 250
SECONDS_TO_START = 30.0
COMPLAINT = re.compile(r"[EF]\d{4} |Error|.*(level=(error|fatal)|cannot be)")
HEADER = re.compile(r"^[EF]\d{4} \S+ +\d+ [^\]]*\] ")


@dataclass(frozen=True, slots=True)
class Options:
    """`spec.provider.docker` with its defaults: node image, docker network, folder of image tars on the host; the
    docker volume that all nodes share.
    """

    image: str = "batchyard/node:dev"
    network: str = "host"
    images: Path | None = None
    shared: str | None = None


def check_shape(order: LaunchOrder, host: Resources) -> None:
    """Refuses, in numbers, a shape that this engine's host cannot be cut down to."""
    shape = order.shape.resources
    for name, wanted, offered in (("cpu", shape.cpu, host.cpu), ("memory", shape.memory, host.memory)):
        if wanted > offered:
            sentence = f"instance type {order.shape.name} has {name} {show(name, wanted)}; the docker host has only"
            raise ProviderError(f"{sentence} {show(name, offered)}", reason="ShapeTooLarge")
    if shape.pods > MOST_PODS:
        sentence = f"instance type {order.shape.name} has pods {shape.pods}; a docker node holds at most {MOST_PODS}"
        raise ProviderError(sentence, reason="ShapeTooLarge")
    if shape.extended:
        names = ", ".join(name for name, _ in shape.extended)
        raise ProviderError(f"docker nodes have no {names}; take it out of instance type {order.shape.name}")


def labels(order: LaunchOrder, cluster: str, slot: int, now: float) -> dict[str, str]:
    """The container's labels: everything `machine` reads back."""
    return {
        CLUSTER: cluster,
        ENVIRONMENT: order.environment,
        NODE: order.name,
        INSTANCE_TYPE: order.shape.name,
        CAPACITY_TYPE: order.capacity_type,
        LAUNCHED_AT: f"{now:.3f}",
        SLOT: str(slot),
        CONFIGURATION: order.labels.get(CONFIGURATION, ""),
    }


def creation(order: LaunchOrder, options: Options, host: Resources) -> dict[str, Any]:
    """Arguments for the SDK's `containers.create`; without --privileged, which not every host may grant."""
    shape = order.shape.resources
    memory = shape.memory + DAEMONS.memory
    return {
        "image": options.image,
        "name": order.name,
        "hostname": None if options.network == "host" else order.name,
        "network_mode": options.network,
        "environment": {"NODE_NAME": order.name, "NODE_LABELS": node_labels(order)},
        "nano_cpus": min(shape.cpu + DAEMONS.cpu, host.cpu) * 10**6,
        "mem_limit": memory,
        "memswap_limit": memory,
        "cgroupns": "private",
        "cap_add": list(CAPABILITIES),
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "device_cgroup_rules": ["a *:* rwm"],
        "devices": ["/dev/kmsg:/dev/kmsg:r"],
        "sysctls": {} if options.network == "host" else {"net.ipv4.ip_forward": "1"},
        "tmpfs": {"/run": "", "/tmp": ""},  # noqa: S108 a mount point inside the node
        "volumes": ["/var/lib/containerd", "/var/lib/kubelet"],
        "mounts": [*_images(options), *_shared(options)],
        "log_config": {"type": "json-file", "config": {"max-size": "10m", "max-file": "2"}},
    }


def _images(options: Options) -> list[Mount]:
    """A mount and not a volume: the engine refuses a directory that is not there, and does not make an empty one."""
    return [Mount("/images", str(options.images), type="bind", read_only=True)] if options.images else []


def _shared(options: Options) -> list[Mount]:
    """The engine makes the volume when it is first named, and keeps it when the nodes have gone."""
    return [Mount("/shared", options.shared, type="volume")] if options.shared else []


def node_labels(order: LaunchOrder) -> str:
    """The kubelet's --node-labels."""
    merged = {"node.kubernetes.io/instance-type": order.shape.name, **order.labels}
    return ",".join(f"{key}={value}" for key, value in sorted(merged.items()))


def place(container: Mapping[str, Any], options: Options) -> Place:
    """The place that a container was given when it was made."""
    return Place(slot=int(container["Labels"][SLOT]), network=options.network)


def free_slot(containers: list[Mapping[str, Any]], slots: int, name: str) -> int:
    """The first slot from the name's own on that no node on this engine has, whichever cluster it belongs to.

    Operators of two clusters may look at the same moment: they hardly ever choose the same slot.
    """
    taken = {container["Labels"].get(SLOT) for container in containers}
    first = zlib.crc32(name.encode())
    for slot in ((first + offset) % slots for offset in range(slots)):
        if str(slot) not in taken:
            return slot
    raise ProviderError(f"this docker engine holds {slots} nodes already", reason="InsufficientCapacity")


def machine(container: Mapping[str, Any], *, interrupted: bool, now: float) -> Machine:
    """One entry of the engine's list of containers as a machine."""
    its = container["Labels"]
    launched_at = float(its[LAUNCHED_AT])
    state, message = _state(container, now - launched_at)
    return Machine(
        name=its[NODE],
        environment=its[ENVIRONMENT],
        instance_type=its[INSTANCE_TYPE],
        capacity_type=its[CAPACITY_TYPE],
        state=MachineState.Interrupted if interrupted and state is MachineState.Running else state,
        launched_at=launched_at,
        configuration=its.get(CONFIGURATION, ""),
        message="an interruption notice was given" if interrupted and state is MachineState.Running else message,
    )


def _state(container: Mapping[str, Any], age: float) -> tuple[MachineState, str]:
    match container["State"]:
        case "running":
            return MachineState.Running, ""
        case "created" if age <= SECONDS_TO_START:
            return MachineState.Launching, ""
        case "created":
            return MachineState.Failed, f"the container was made {age:.0f} s ago and never started"
        case other:
            return MachineState.Failed, f"the container is {other}: {container['Status']}"


def last_words(log: str) -> str:
    """What a node's log says last of a failure; the kubelet's errors start with E or F and the date."""
    lines = log.splitlines()
    complaints = [number for number, line in enumerate(lines) if COMPLAINT.match(line)]
    words = " ".join(" ".join(lines[complaints[-1] :]).split()) if complaints else ""
    return f"its log ends with: {HEADER.sub('', words)[:400]}" if words else ""
