"""The operator behind the API server's service proxy, where nobody has to know its address."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cli_world import POD, World
from kubernetes import client

from page.scene import afternoon, operator


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
    yield _service(world, address, server.server_port)
    server.shutdown()
    server.server_close()


def _service(world: World, address: str, port_there: int) -> str:
    core, namespace = client.CoreV1Api(world.api), world.namespace
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "runner"}})
    spec = {**POD["spec"], "schedulerName": "nobody", "serviceAccountName": "runner"}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "operator"}, "spec": spec})
    addresses = {"podIP": address, "podIPs": [{"ip": address}], "phase": "Running"}
    core.patch_namespaced_pod_status("operator", namespace, {"status": addresses})
    port = {"name": "http", "port": 8080}
    core.create_namespaced_service(namespace, {"metadata": {"name": "batchyard"}, "spec": {"ports": [port]}})
    target = {"kind": "Pod", "name": "operator", "namespace": namespace}
    subset = {"addresses": [{"ip": address, "targetRef": target}], "ports": [{**port, "port": port_there}]}
    core.create_namespaced_endpoints(namespace, {"metadata": {"name": "batchyard"}, "subsets": [subset]})
    return f"{namespace}/batchyard"


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


@pytest.fixture
def page(world: World) -> Iterator[str]:
    """The real operator's HTTP server over a scene, behind a Service; the path of its page at the API server."""
    address, loop, server = _own_address(), asyncio.new_event_loop(), operator(afternoon())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(address, 0), loop).result(30)
    _service(world, address, server.port)
    yield f"/api/v1/namespaces/{world.namespace}/services/http:batchyard:http/proxy"
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)


def test_the_status_page_works_behind_the_api_servers_proxy(world: World, page: str) -> None:
    pool, host = world.api.rest_client.pool_manager, world.api.configuration.host
    moved = pool.request("GET", host + page, redirect=False)
    assert (moved.status, moved.headers["Location"]) == (301, f"{page}/"), "else relative links would miss"
    whole = pool.request("GET", f"{host}{page}/")
    assert "default-src 'none'" in whole.headers["Content-Security-Policy"]
    links = set(re.findall(r'(?:href|src)="([^"#]+)"', whole.data.decode()))
    assert links == {"page.css", "page.js", "page.svg", "v1/status", "metrics"}
    for link in links:
        answer = pool.request("GET", f"{host}{page}/{link}")
        assert answer.status == 200
    assert json.loads(pool.request("GET", f"{host}{page}/v1/status").data)["queues"]["total"] == 3
