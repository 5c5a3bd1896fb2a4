"""Run the real core controllers of Cluster API, with their webhooks; the cloud is for whoever tests to play."""

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .addon import free_port, install, kubectl, player
from .cluster import waiting
from .console import say
from .errors import SetupError
from .gobuild import built
from .layout import Layout
from .locking import exclusively
from .processes import Command, running, stop
from .programs import CLUSTER_API
from .startup import ensure, wait_until

PLAYER = "kwok-cluster-api"  # KWOK once more, for the nodes of Cluster API's machines alone
HOOKS = "manifests.yaml"
CHECKED = ("cluster", "machinedeployment", "machineset", "machine")  # what the tests write; their hooks end so


def up(layout: Layout) -> None:
    """Leave the controllers running against this cluster, with their kinds and webhooks, and their nodes played."""
    if not layout.kubeconfig.exists():
        raise SetupError("There is no cluster to run Cluster API in: run `make cluster` first.")
    programs = built(CLUSTER_API, layout)
    share = programs.parent / "share"
    _forget_hooks(layout)
    install(layout, sorted(path for path in share.iterdir() if path.name != HOOKS))
    port = free_port()
    with exclusively(layout.lock, waiting):
        before = running(layout)
        ensure(player(layout, PLAYER), layout, before.get(PLAYER))
        process = ensure(_controllers(layout, programs, port), layout, before.get(CLUSTER_API.name))
        wait_until(lambda: _listens(port), [process], layout)
    hooks = [_reached(hook, layout, port) for hook in _hooks(layout, share / HOOKS)]
    kubectl(layout, "apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": hooks}))
    say("Cluster API's core controllers run; there is no infrastructure provider.")


def down(layout: Layout) -> None:
    """Stop the controllers; nobody asks their webhooks any more."""
    if layout.kubeconfig.exists():
        _forget_hooks(layout)
    with exclusively(layout.lock, waiting):
        ours = (CLUSTER_API.name, PLAYER)
        stop([process for name, process in running(layout).items() if name in ours], layout)
    if layout.kubeconfig.exists():
        kubectl(layout, "delete", "nodes", "--selector=kwok.x-k8s.io/node=fake", "--timeout=60s")


def _controllers(layout: Layout, programs: Path, port: int) -> Command:
    """The API server's certificate is good for whoever listens on this machine."""
    flags = (
        f"--kubeconfig={layout.kubeconfig}",
        f"--webhook-port={port}",
        f"--webhook-cert-dir={layout.pki}",
        "--webhook-cert-name=apiserver.crt",
        "--webhook-key-name=apiserver.key",
        "--health-addr=0",
        "--diagnostics-address=0",
        "--insecure-diagnostics",
        "--skip-crd-migration-phases=StorageVersionMigration,CleanupManagedFields",
    )
    return Command(CLUSTER_API.name, (str(programs / CLUSTER_API.name), *flags))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _hooks(layout: Layout, file: Path) -> Iterator[dict[str, Any]]:
    """Yield the configurations of webhooks, of what the tests write only."""
    text = kubectl(layout, "create", "--dry-run=client", "--output=json", f"--filename={file}").strip()
    while text:
        body, end = json.JSONDecoder().raw_decode(text)
        body["webhooks"] = [hook for hook in body["webhooks"] if _path(hook).endswith(CHECKED)]
        yield body
        text = text[end:].strip()


def _path(hook: dict[str, Any]) -> str:
    return str(hook["clientConfig"]["service"]["path"])


def _reached(body: dict[str, Any], layout: Layout, port: int) -> dict[str, Any]:
    """Return a configuration that reaches a process on this machine, where there is no Service."""
    authority = base64.b64encode((layout.pki / "ca.crt").read_bytes()).decode()
    for hook in body["webhooks"]:
        hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{_path(hook)}", "caBundle": authority}
    body["metadata"] = {"name": f"cluster-api-{body['metadata']['name']}"}
    return body


def _forget_hooks(layout: Layout) -> None:
    """Delete the configurations of a run before, whose process would be asked about all that is written."""
    for kind in ("mutating", "validating"):
        name = f"cluster-api-{kind}-webhook-configuration"
        kubectl(layout, "delete", f"{kind}webhookconfigurations", name, "--ignore-not-found")
