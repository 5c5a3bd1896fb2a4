"""A metrics API for the test cluster: the API server aggregates to a small HTTPS server of ours on loopback."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cluster.rest import Api, Body, Refused, until

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
ROOT = f"/apis/{GROUP}/{VERSION}"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"{VERSION}.{GROUP}"
Used = dict[str, tuple[str, str]]  # name of a pod -> CPU and memory that it uses
_LIST = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}


@contextmanager
def metrics_api(api: Api, namespace: str, used: Used, folder: Path) -> Iterator[None]:
    """Have the cluster say what these pods of one namespace use, and nothing of any other pod."""
    with _serving(namespace, used, folder) as port:
        _register(api, namespace, port)
        try:
            until(lambda: _is_available(api), 30, lambda: api.call("GET", f"{SERVICES}/{NAME}"))
            yield
        finally:
            withdraw(api)


def withdraw(api: Api) -> None:
    """Take the API away before its server goes: one that nobody serves keeps namespaces from being deleted."""
    try:
        api.call("DELETE", f"{SERVICES}/{NAME}")
    except Refused as refused:
        if refused.status != 404:
            raise


def _register(api: Api, namespace: str, port: int) -> None:
    # The one kind of Service by which an API server without kube-proxy finds something on its own loopback.
    spec = {"type": "ExternalName", "externalName": "localhost"}
    api.create({"kind": "Service", "metadata": {"name": "metrics"}, "spec": spec}, namespace)
    service = {"name": "metrics", "namespace": namespace, "port": port}
    about = {"group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100,
             "insecureSkipTLSVerify": True, "service": service}  # fmt: skip
    withdraw(api)
    made = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": NAME}, "spec": about}
    api.call("POST", SERVICES, made)


def _is_available(api: Api) -> bool:
    status = api.call("GET", f"{SERVICES}/{NAME}").get("status") or {}
    return any(c["type"] == "Available" and c["status"] == "True" for c in status.get("conditions") or ())


@contextmanager
def _serving(namespace: str, used: Used, folder: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = _answer(self.path.partition("?")[0], namespace, used)
            text = json.dumps(body).encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = _tls(folder).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _answer(path: str, namespace: str, used: Used) -> Body:
    if path == ROOT:
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}",
                "resources": [_LIST]}  # fmt: skip
    if path not in (f"{ROOT}/pods", f"{ROOT}/namespaces/{namespace}/pods"):
        return {}
    items = [
        {
            "metadata": {"name": name, "namespace": namespace},
            "timestamp": "2026-01-01T00:00:00Z",
            "window": "15s",
            "containers": [{"name": "main", "usage": {"cpu": cpu, "memory": memory}}],
        }
        for name, (cpu, memory) in used.items()
    ]
    return {"kind": "PodMetricsList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": items}


def _tls(folder: Path) -> ssl.SSLContext:
    key, made = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", str(key), "-out", str(made), "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return context
