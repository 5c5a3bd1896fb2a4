"""The story on our own cluster: control plane on this machine, every node a container on the host's network."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import docker

from batchyard.model.machine import LaunchOrder, Shape
from batchyard.model.resources import Resources
from batchyard.pools import docker_container as containers
from batchyard.pools.docker_files import SLOTS, Credentials, Place, archive
from cluster.rest import Api, Body, until
from e2e.ground import IMAGE, ROOT, devcluster, run

sys.path.insert(0, str(ROOT))

from devcluster.layout import Layout
from devcluster.settings import recall

SOCKET = "/var/run/docker.sock"
NODE, OTHERS = "batchyard-e2e-operators", "batchyard-e2e"
BOOTSTRAPPERS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: e2e-node, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: e2e-node-bootstrap}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:node-bootstrapper"}
subjects: [{kind: ServiceAccount, name: e2e-node, namespace: kube-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: e2e-node-approval}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: "system:certificates.k8s.io:certificatesigningrequests:nodeclient"
subjects: [{kind: ServiceAccount, name: e2e-node, namespace: kube-system}]
"""


def _socket() -> Path:
    kind, _, path = (os.environ.get("DOCKER_HOST") or f"unix://{SOCKET}").partition("://")
    assert kind == "unix", "the operator's node needs Docker's socket as a file of this machine"
    return Path(path)


@dataclass
class OwnCluster:
    """A cluster below that of `make cluster`, so that `make cluster-down` ends it too."""

    layout: Layout
    node: str = NODE
    daemons_cpu: int = 0
    _address: subprocess.Popen[str] | None = field(default=None, init=False)

    @classmethod
    def here(cls) -> OwnCluster:
        main = Layout.from_environment()
        return cls(Layout(main.cluster / "e2e", main.cache))

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    @property
    def values(self) -> tuple[str, ...]:
        return ("--set", f"providers.docker.socketGroup={_socket().stat().st_gid}")

    @property
    def docker(self) -> Body:
        return {"imagesDirectory": str(self.layout.cache / "images")}

    def tool(self, name: str) -> str:
        return devcluster("tools", name).strip()

    def up(self) -> None:
        self.down()
        devcluster("up", env=self._environment())
        self._serve_address()
        run(self.tool("kubectl"), "--kubeconfig", self.kubeconfig, "apply", "--filename=-", input=BOOTSTRAPPERS)
        images = self.layout.cluster / "operator-image"
        images.mkdir()
        run("docker", "save", "--output", images / "operator.tar", IMAGE)
        self._launch(images)

    def down(self) -> None:
        _remove_node()
        devcluster("down", env=self._environment())
        if self._address is not None and self._address.stdin is not None:
            self._address.stdin.close()
            self._address.wait(10)

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key not in ("BATCHYARD_API_PORT", "KUBECONFIG")}
        return {**inherited, "BATCHYARD_CLUSTER_DIR": str(self.layout.cluster)}

    def _serve_address(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("service_address.py")), recall(self.layout)["port"]]
        pipe = subprocess.PIPE
        self._address = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._address.stdout is not None
        assert self._address.stdout.readline() == "ready\n", "another run of these tests may have the address"

    def _launch(self, images: Path) -> None:
        """Start a node that is none of the operator's: its container carries another cluster's name."""
        client, api = docker.from_env(), Api.load(str(self.kubeconfig))
        info = client.info()
        host = Resources(cpu=info["NCPU"] * 1000, memory=info["MemTotal"])
        shape = Shape("operators", Resources(cpu=min(2000, host.cpu), memory=2 * 2**30, pods=20))
        order = LaunchOrder(NODE, "", shape, "", {}, (), "docker", {})
        creation = containers.creation(order, containers.Options(images=images), host)
        creation["volumes"].append(f"{_socket()}:{SOCKET}")
        slot = containers.free_slot(client.api.containers(all=True, filters={"label": containers.SLOT}), SLOTS, NODE)
        made = client.containers.create(**creation, labels=containers.labels(order, OTHERS, slot, time.time()))
        files = archive(order, host, Place(slot, "host"), self._credentials(api))
        made.put_archive("/", files)
        made.start()
        until(lambda: _ready(api), 120, lambda: made.logs(tail=20).decode())

    def _credentials(self, api: Api) -> Credentials:
        path = "/api/v1/namespaces/kube-system/serviceaccounts/e2e-node/token"
        token = api.call("POST", path, {"spec": {"expirationSeconds": 600}})["status"]["token"]
        return Credentials(server=api.host, ca=api.authority(), token=token)


def _ready(api: Api) -> bool:
    conditions = (api.find("Node", NODE) or {}).get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _remove_node() -> None:
    for container in docker.from_env().containers.list(all=True, filters={"label": f"{containers.CLUSTER}={OTHERS}"}):
        container.remove(v=True, force=True)
