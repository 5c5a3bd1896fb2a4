"""The API server as the tests reach it: JSON in, JSON out, refusals as exceptions with the server's sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import config

T = TypeVar("T")
Body = dict[str, Any]
_BATCHYARD, _CORE, _KARPENTER = "/apis/batchyard.dev/v1alpha1", "/api/v1", "/apis/karpenter.sh/v1"
_CLUSTER_API, _YARD = "/apis/cluster.x-k8s.io/v1beta2", "/apis/infrastructure.cluster.x-k8s.io/v1"
PATHS = {
    "ComputeEnvironment": (_BATCHYARD, "computeenvironments"),
    "JobQueue": (_BATCHYARD, "jobqueues"),
    "SchedulingPolicy": (_BATCHYARD, "schedulingpolicies"),
    "JobDefinition": (_BATCHYARD, "jobdefinitions"),
    "Job": (_BATCHYARD, "batchjobs"),
    "ConsumableResource": (_BATCHYARD, "consumableresources"),
    "Node": (_CORE, "nodes"),
    "Namespace": (_CORE, "namespaces"),
    "Pod": (_CORE, "pods"),
    "Event": (_CORE, "events"),
    "ConfigMap": (_CORE, "configmaps"),
    "Service": (_CORE, "services"),
    "ResourceQuota": (_CORE, "resourcequotas"),
    "LimitRange": (_CORE, "limitranges"),
    "ServiceAccount": (_CORE, "serviceaccounts"),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions"),
    "NodeClaim": (_KARPENTER, "nodeclaims"),
    "NodePool": (_KARPENTER, "nodepools"),
    "KWOKNodeClass": ("/apis/karpenter.kwok.sh/v1alpha1", "kwoknodeclasses"),
    "Secret": (_CORE, "secrets"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "Cluster": (_CLUSTER_API, "clusters"),
    "MachineDeployment": (_CLUSTER_API, "machinedeployments"),
    "MachineSet": (_CLUSTER_API, "machinesets"),
    "Machine": (_CLUSTER_API, "machines"),
    "MachineHealthCheck": (_CLUSTER_API, "machinehealthchecks"),
    "YardMachine": (_YARD, "yardmachines"),
    "YardMachineTemplate": (_YARD, "yardmachinetemplates"),
    "YardControlPlane": (_YARD, "yardcontrolplanes"),
}
VERSIONS = {root: root.removeprefix("/apis/").removeprefix("/api/") for root, _ in PATHS.values()}
PATCH = {"merge": "application/merge-patch+json", "apply": "application/apply-patch+yaml"}


class Refused(Exception):  # noqa: N818 it is the API server's word, not an error of ours
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


def until(ask: Callable[[], T], seconds: float = 30, what: Callable[[], Any] | str = "") -> T:
    """Return the first truthy answer; fail with the last one and with what `what` says."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            more = what() if callable(what) else what
            raise AssertionError(f"still {answer!r} after {seconds} s; {more}")
        time.sleep(0.1)
    return answer


@dataclass(frozen=True)
class Api:
    """One user's connection; `pool` is urllib3's, with the kubeconfig's certificates."""

    pool: Any
    host: str
    kubeconfig: str

    @classmethod
    def load(cls, kubeconfig: str) -> Api:
        client = config.new_client_from_config(kubeconfig)
        return cls(client.rest_client.pool_manager, client.configuration.host, kubeconfig)

    def authority(self) -> str:
        """The certificate of the cluster's authority, PEM."""
        return Path(config.new_client_from_config(self.kubeconfig).configuration.ssl_ca_cert).read_text()

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Body:
        encoded = None if body is None else json.dumps(body)
        answer = self.pool.request(method, self.host + path, body=encoded, headers={"Content-Type": kind}, timeout=30)
        found: Body = json.loads(answer.data)
        if answer.status >= 300:
            raise Refused(answer.status, found.get("message", ""))
        return found

    def stream(self, path: str) -> Iterator[Body]:
        """Yield the events of a watch until the server ends it."""
        answer = self.pool.request("GET", self.host + path, preload_content=False, timeout=None)
        rest = b""
        for chunk in answer.stream(65536, decode_content=True):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines if line)

    def create(self, body: Body, namespace: str = "") -> Body:
        made = {"apiVersion": VERSIONS[PATHS[body["kind"]][0]], **body}
        return self.call("POST", place(body["kind"], namespace) + "?fieldValidation=Strict", made)

    def get(self, kind: str, name: str, namespace: str = "") -> Body:
        return self.call("GET", place(kind, namespace, name))

    def find(self, kind: str, name: str, namespace: str = "") -> Body | None:
        try:
            return self.get(kind, name, namespace)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "", **query: str) -> list[Body]:
        words = "&".join(f"{key}={value}" for key, value in query.items())
        items: list[Body] = self.call("GET", f"{place(kind, namespace)}?{words}")["items"]
        return items

    def patch(self, kind: str, name: str, body: Body, namespace: str = "") -> Body:
        return self.call("PATCH", place(kind, namespace, name), body, PATCH["merge"])

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        try:
            self.call("DELETE", place(kind, namespace, name))
        except Refused as refused:
            if refused.status != 404:
                raise


def place(kind: str, namespace: str = "", name: str = "") -> str:
    """Return the path of a kind, in a namespace or in all, or of one object."""
    root, plural = PATHS[kind]
    middle = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{middle}/{plural}" + (f"/{name}" if name else "")
