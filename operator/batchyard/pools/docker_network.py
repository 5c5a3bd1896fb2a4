"""From where a node reaches the API server: on a docker network of its own, loopback is not where the operator's is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from batchyard.pools.base import ProviderError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_reachable(server: str, network: str) -> bool:
    """Whether a node on `network` can use the operator's own URL of the API server."""
    return network == "host" or urlsplit(server).hostname not in LOOPBACK


def server_inside(server: str, network: str, neighbours: Iterable[Mapping[str, Any]]) -> str:
    """The API server's URL among its `neighbours` on `network`: the container that publishes its port, as in kind."""
    outside = urlsplit(server).port
    for container in neighbours:
        for port in container["Ports"]:
            if port.get("PublicPort") == outside:
                return f"https://{container['Names'][0].lstrip('/')}:{port['PrivatePort']}"
    raise ProviderError(
        f"nodes on docker network {network} cannot reach the API server at {server}; "
        "use network: host, or the network that the API server's own container is on"
    )
