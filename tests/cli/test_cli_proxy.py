"""The operator behind the API server's service proxy, where nobody has to know its address."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cli_world import POD, World
from kubernetes import client


class _Operator(BaseHTTPRequestHandler):
    standbys = 0  # so many answers are those of a standby

    def do_GET(self) -> None:
        if _Operator.standbys:
            _Operator.standbys -= 1
            self._answer(503, {"error": "this operator stands by and knows no jobs; other leads"})
            return
        said = {"phase": "Runnable", "reason": "NodesBusy", "message": f"asked for {self.path}", "position": 4}
        self._answer(200, said)

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _own_address() -> str:
    """An address of this machine that is not loopback, which the API server would not proxy to; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


@pytest.fixture
def service(world: World) -> Iterator[str]:
    """A Service whose only pod has this machine's address."""
    address = _own_address()
    server = ThreadingHTTPServer((address, 0), _Operator)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    core, namespace = client.CoreV1Api(world.api), world.namespace
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "runner"}})
    spec = {**POD["spec"], "schedulerName": "nobody", "serviceAccountName": "runner"}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "operator"}, "spec": spec})
    addresses = {"podIP": address, "podIPs": [{"ip": address}], "phase": "Running"}
    core.patch_namespaced_pod_status("operator", namespace, {"status": addresses})
    port = {"name": "http", "port": 8080}
    core.create_namespaced_service(namespace, {"metadata": {"name": "batchyard"}, "spec": {"ports": [port]}})
    target = {"kind": "Pod", "name": "operator", "namespace": namespace}
    subset = {"addresses": [{"ip": address, "targetRef": target}], "ports": [{**port, "port": server.server_port}]}
    core.create_namespaced_endpoints(namespace, {"metadata": {"name": "batchyard"}, "subsets": [subset]})
    yield f"{namespace}/batchyard"
    server.shutdown()
    server.server_close()


def test_operator_is_asked_through_its_service(world: World, service: str) -> None:
    world.job("j", {"phase": "Runnable", "reason": "Old", "message": "old"})
    done = world.run("explain", "j", "--operator", service)
    assert done.stderr == ""
    assert f"NodesBusy\n  asked for /v1/explain/{world.namespace}/j\n  place 4 in the queue" in done.stdout
    assert "could not be asked" not in done.stdout


def test_of_several_operators_behind_the_service_the_leader_is_found(world: World, service: str) -> None:
    world.job("j", {"phase": "Runnable", "reason": "Old", "message": "old"})
    _Operator.standbys = 3
    assert "NodesBusy" in world.run("explain", "j", "--operator", service).stdout
    _Operator.standbys = 100
    try:
        done = world.run("explain", "j", "--operator", service)
    finally:
        _Operator.standbys = 0
    assert "stands by" in done.stderr
    assert "(from the job's status; the operator could not be asked)" in done.stdout
