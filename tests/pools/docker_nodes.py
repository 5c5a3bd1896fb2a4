"""Real docker nodes on the real API server: what the tests of the docker provider launch, and how they look at it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import docker
import kubernetes
import pytest
from kubernetes.client import ApiException

from batchyard.model.machine import LaunchOrder, Machine, Shape, Taint
from batchyard.model.resources import Resources
from batchyard.pools.docker import Credentials, DockerProvider

T = TypeVar("T")
KUBECONFIG = Path(os.environ.get("KUBECONFIG") or Path(__file__).resolve().parents[2] / ".cluster/kubeconfig")
NAMESPACE = "batchyard-test-nodes"
BOOTSTRAPPER = "bootstrapper"
ROLES = ("system:node-bootstrapper", "system:certificates.k8s.io:certificatesigningrequests:nodeclient")
JOB_IMAGE = "batchyard.dev/busybox:1"
MIB = 2**20


def until(ask: Callable[[], T], seconds: float = 30) -> T:
    """Return the first truthy answer; fail with the last one."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)
    return answer


def order(name: str, *, cpu: int = 1000, memory: int = 1024 * MIB, pods: int = 20, **settings: Any) -> LaunchOrder:
    shape = Shape("c1", Resources(cpu=cpu, memory=memory, pods=pods))
    taint = Taint("batchyard.dev/compute-environment", "docker-tests", "NoSchedule")
    return LaunchOrder(name, "docker-tests", shape, "Spot", {"batchyard.dev/x": "y"}, (taint,), "docker", settings)


@dataclass
class Lab:
    """A provider with its nodes and pods; its cluster id is not the cluster's, so that no operator takes the nodes."""

    cluster: str
    core: Any
    ca: str
    names: list[str] = field(default_factory=list)

    @property
    def provider(self) -> DockerProvider:
        """A new one at each call, as after a restart of the operator."""
        return DockerProvider(self.cluster, self.mint)

    @property
    def engine(self) -> docker.DockerClient:
        return docker.from_env()

    async def mint(self) -> Credentials:
        request = {"spec": {"expirationSeconds": 600}}
        answer = self.core.create_namespaced_service_account_token(BOOTSTRAPPER, NAMESPACE, request)
        configuration = self.core.api_client.configuration
        return Credentials(configuration.host, self.ca, answer.status.token)

    def launch(self, name: str, **shape: Any) -> float:
        """Launch a node, wait until it is Ready, and return the seconds from the call to Ready."""
        began = time.monotonic()
        self.names.append(name)
        _run(self.provider.launch(order(name, **shape)))
        until(lambda: self.ready(name) == "True")
        return time.monotonic() - began

    def observe(self) -> dict[str, Machine]:
        return {machine.name: machine for machine in _run(self.provider.observe())}

    def retire(self, name: str) -> None:
        _run(self.provider.retire(name))

    def node(self, name: str) -> Any:
        try:
            return self.core.read_node(name)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def ready(self, name: str) -> str:
        """The Ready condition's status; empty while there is no node."""
        node = self.node(name)
        conditions = (node.status.conditions or []) if node else []
        return next((condition.status for condition in conditions if condition.type == "Ready"), "")

    def run(self, name: str, node: str, *command: str, **more: Any) -> None:
        """Create a pod on a node; `more`: image, pull, cpu, memory, and fields of the pod's spec."""
        amounts = {"cpu": more.pop("cpu", "50m"), "memory": more.pop("memory", "32Mi")}
        container = {
            "name": "main",
            "image": more.pop("image", JOB_IMAGE),
            "imagePullPolicy": more.pop("pull", "Never"),
            "command": list(command),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": {"requests": amounts, "limits": {"memory": amounts["memory"]}},
        }
        spec = {"nodeName": node, "restartPolicy": "Never", "tolerations": [{"operator": "Exists"}], **more}
        body = {
            "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 2, **spec, "containers": [container]},
        }
        self.core.create_namespaced_pod(NAMESPACE, body)

    def pod(self, name: str) -> Any:
        return self.core.read_namespaced_pod(name, NAMESPACE)

    def phase(self, name: str, *wanted: str, seconds: float = 30) -> Any:
        """Wait until the pod is in one of the phases and return it."""
        until(lambda: self.pod(name).status.phase in wanted, seconds)
        return self.pod(name)

    def logs(self, name: str) -> str:
        return str(self.core.read_namespaced_pod_log(name, NAMESPACE))

    def close(self) -> None:
        for name in self.names:
            self.retire(name)
            if self.node(name):
                self.core.delete_node(name)
        self.core.delete_collection_namespaced_pod(NAMESPACE, grace_period_seconds=0)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Wait for the work in a loop of its own, also where one runs already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A provider with credentials for new nodes; everything it launched is gone afterwards."""
    with opened("docker-tests") as lab:
        yield lab


@contextmanager
def opened(environment: str) -> Iterator[Lab]:
    """Yield a lab whose nodes are of an environment that no other worker has: what is left of it is swept away."""
    if not KUBECONFIG.exists():
        pytest.fail("these tests need the cluster: run `make cluster node-image` first (make test does)")
    try:
        docker.from_env().images.get("batchyard/node:dev")
    except docker.errors.DockerException as error:
        pytest.fail(
            f"these tests need docker and the node image: run `make node-image` first (make test does): {error}"
        )
    kubernetes.config.load_kube_config(str(KUBECONFIG))
    core = kubernetes.client.CoreV1Api()
    _permit(core, kubernetes.client.RbacAuthorizationV1Api())
    uid = core.read_namespace("kube-system").metadata.uid
    lab = Lab(f"{uid}-{environment}", core, Path(core.api_client.configuration.ssl_ca_cert).read_text())
    lab.names += lab.observe()
    lab.close()
    # A run that was killed leaves its nodes on the engine, and with them their names, whose cluster may be gone.
    whose = {"label": f"batchyard.dev/compute-environment={environment}"}
    for left in lab.engine.containers.list(all=True, filters=whose):
        left.remove(v=True, force=True)
    lab.names.clear()
    yield lab
    lab.close()


def _permit(core: Any, rbac: Any) -> None:
    """What the chart brings: a ServiceAccount that may ask for a node's certificate and nothing else."""
    _create(lambda: core.create_namespace({"metadata": {"name": NAMESPACE}}))
    _create(lambda: core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": BOOTSTRAPPER}}))
    subject = {"kind": "ServiceAccount", "name": BOOTSTRAPPER, "namespace": NAMESPACE}
    for number, role in enumerate(ROLES):
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        body = {"metadata": {"name": f"{NAMESPACE}-{number}"}, "roleRef": reference, "subjects": [subject]}
        _create(lambda body=body: rbac.create_cluster_role_binding(body))
    until(lambda: core.read_namespaced_service_account("default", NAMESPACE))


def _create(request: Callable[[], Any]) -> None:
    try:
        request()
    except ApiException as error:
        if error.status != 409:
            raise
