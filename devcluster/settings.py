"""Settle what differs between clusters: the port, where etcd's data lies; and remember it between commands."""

import json
import os
import random
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from .components import Settings
from .console import say
from .errors import SetupError
from .kubeconfig import write_whole
from .layout import Layout
from .processes import running

DEFAULT_PORT = 6443
# Below those that connections take for themselves (from 32768 on): such a one may be gone when the API server, having
# died, is started again. In no order, since two clusters may look at once.
OTHER_PORTS = range(6700, 7700)
SHM_BYTES = 2**30


def settle(layout: Layout, programs: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings of this cluster: what it had before, else what the environment and the machine allow."""
    known = recall(layout)
    etcd = Path(known.get("etcd") or _place_for_etcd(layout, environment))
    port = _port(layout, known.get("port", ""), environment.get("BATCHYARD_API_PORT", ""))
    remember(layout, port=str(port), etcd=str(etcd))
    return Settings(programs, layout.pki, etcd, port)


def recall(layout: Layout) -> dict[str, str]:
    """Return what is remembered of this cluster between commands: port, etcd, uid, flavour; empty if nothing."""
    try:
        remembered: dict[str, str] = json.loads((layout.cluster / "cluster.json").read_text())
    except (OSError, ValueError):
        return {}
    return remembered


def remember(layout: Layout, **facts: str) -> None:
    """Add facts to what is remembered of this cluster."""
    write_whole(layout.cluster / "cluster.json", json.dumps({**recall(layout), **facts}))


def _place_for_etcd(layout: Layout, environment: Mapping[str, str]) -> Path:
    """Memory unless BATCHYARD_ETCD_TMPFS=0 or little of it is free: a stalling disk stops the whole cluster."""
    shm = layout.shm.parent
    wanted = environment.get("BATCHYARD_ETCD_TMPFS", "1") != "0"
    if wanted and shm.is_mount() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free >= SHM_BYTES:
        return layout.shm / "etcd"
    return layout.cluster / "etcd"


def _port(layout: Layout, known: str, wanted: str) -> int:
    """Return the port asked for, else the one used before, else 6443, else any free one of OTHER_PORTS."""
    if known and wanted in ("", known) and "kube-apiserver" in running(layout):
        return int(known)
    if wanted:
        if not _is_free(int(wanted)):
            raise SetupError(f"Port {wanted} is taken: set BATCHYARD_API_PORT to another, or unset it.")
        return int(wanted)
    preferred = int(known or DEFAULT_PORT)
    if _is_free(preferred):
        return preferred
    free = next((port for port in random.sample(OTHER_PORTS, len(OTHER_PORTS)) if _is_free(port)), None)
    if free is None:
        raise SetupError(f"No port from {OTHER_PORTS.start} to {OTHER_PORTS.stop - 1} is free: set BATCHYARD_API_PORT.")
    say(f"Port {preferred} is taken by another program: the API server listens on {free}.")
    return free


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
