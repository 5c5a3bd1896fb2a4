"""The files a docker node is born with: kubelet configuration, bootstrap credentials, pod network."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.model.resources import Resources
from batchyard.pools.base import LaunchOrder, Taint

FIRST_PORT = 21000
SLOTS = 256
POD_NETWORK = "10.89"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a machine needs to ask for its own certificate: `server` URL, the cluster's CA as PEM, a brief token."""

    server: str
    ca: str
    token: str


Mint = Callable[[], Awaitable[Credentials]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands among its neighbours on one engine: `slot` 0..255 decides its port and its pod subnet."""

    slot: int
    network: str

    @property
    def port(self) -> int:
        """The kubelet's port: its own where nodes share the host's network, else the usual one."""
        return FIRST_PORT + self.slot if self.network == "host" else 10250

    @property
    def subnet(self) -> str:
        """The node's pod addresses, a /24 nobody else has."""
        return f"{POD_NETWORK}.{self.slot}.0/24"


def kubelet_configuration(order: LaunchOrder, host: Resources, place: Place) -> dict[str, Any]:
    """A KubeletConfiguration (v1beta1) under which the node offers exactly the shape, whatever the host has.

    A kubelet in a container sees the host's processors and memory; what the shape lacks of them is `systemReserved`.
    """
    shape = order.shape.resources
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "port": place.port,
        "healthzPort": 0,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/batchyard/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "rotateCertificates": True,
        "registerWithTaints": [_taint(taint) for taint in order.taints],
        "maxPods": shape.pods,
        "systemReserved": {"cpu": f"{host.cpu - shape.cpu}m", "memory": str(host.memory - shape.memory)},
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
        # A lease of 16 s is renewed every 4 s: a dead node shows as soon as the controller manager's grace allows.
        "nodeLeaseDurationSeconds": 16,
        "nodeStatusUpdateFrequency": "5s",
        "nodeStatusMaxImages": 0,
        **_HOST,
    }


_HOST: Mapping[str, Any] = {
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "cgroupDriver": "cgroupfs",
    "failCgroupV1": False,
    "failSwapOn": False,
    "oomScoreAdj": 0,
    "serializeImagePulls": False,
    # Images come as files: what the collector removed could not be pulled again.
    "imageGCHighThresholdPercent": 100,
    # The host's tables are not ours to change.
    "makeIPTablesUtilChains": False,
}


def _taint(taint: Taint) -> dict[str, str]:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect}


def bootstrap_kubeconfig(credentials: Credentials) -> dict[str, Any]:
    """A kubeconfig good for one thing: asking for the node's own client certificate."""
    cluster = {"server": credentials.server, "certificate-authority": "/etc/batchyard/ca.crt"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "bootstrap", "user": {"token": credentials.token}}],
        "contexts": [{"name": "bootstrap", "context": {"cluster": "cluster", "user": "bootstrap"}}],
        "current-context": "bootstrap",
    }


def pod_network(place: Place) -> dict[str, Any]:
    """A CNI list: pods routed in the node's own subnet; masqueraded only where the node has a network of its own."""
    ranges = {"type": "host-local", "subnet": place.subnet, "routes": [{"dst": "0.0.0.0/0"}]}
    pointtopoint = {"type": "ptp", "ipMasq": place.network != "host", "ipam": ranges}
    return {"cniVersion": "0.4.0", "name": "batchyard", "plugins": [pointtopoint]}


def archive(order: LaunchOrder, host: Resources, place: Place, credentials: Credentials) -> bytes:
    """All files as a tar for the root of a container that has not started; secrets for root only."""
    files = {
        "etc/batchyard/kubelet.yaml": json.dumps(kubelet_configuration(order, host, place)),
        "etc/batchyard/bootstrap.kubeconfig": json.dumps(bootstrap_kubeconfig(credentials)),
        "etc/batchyard/ca.crt": credentials.ca,
        "etc/cni/net.d/10-batchyard.conflist": json.dumps(pod_network(place)),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content.encode()), 0o600
            tar.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()
