"""The story on kind: its one node runs the operator, docker nodes join it on docker's network `kind`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster.rest import Body
from e2e.ground import IMAGE, ROOT, devcluster, run

sys.path.insert(0, str(ROOT))

from devcluster.kind import NAME, NETWORK
from devcluster.layout import Layout

CONFIGURATION = Path(__file__).with_name("kind.yaml")


@dataclass
class Kind:
    """The cluster of `make cluster CLUSTER=kind`, made anew with Docker's socket in its node."""

    layout: Layout
    node: str = f"{NAME}-control-plane"
    daemons_cpu: int = 1  # kindnet and kube-proxy go to every node

    @classmethod
    def here(cls) -> Kind:
        main = Layout.from_environment()
        return cls(Layout(main.cluster / "e2e", main.cache))

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    @property
    def values(self) -> tuple[str, ...]:
        # New nodes get the operator's own address of the API server, and a Service is none to them: they run no
        # kube-proxy before they have joined.
        place = {"KUBERNETES_SERVICE_HOST": self._address(), "KUBERNETES_SERVICE_PORT": "6443"}
        variables = json.dumps([{"name": name, "value": value} for name, value in place.items()])
        group = Path("/var/run/docker.sock").stat().st_gid
        return ("--set", f"providers.docker.socketGroup={group}", "--set-json", f"operator.env={variables}")

    @property
    def docker(self) -> Body:
        return {"network": NETWORK, "imagesDirectory": str(self.layout.cache / "images")}

    def tool(self, name: str) -> str:
        return shutil.which(name) or devcluster("tools", name).strip()

    def up(self) -> None:
        self.down()
        devcluster("up", "--kind", "--kind-config", str(CONFIGURATION), env=self._environment())
        run("kind", "load", "docker-image", IMAGE, "--name", NAME)
        kubelet = self.layout.cluster / "kubelet"  # its nodes' kubelets are as old as its API server
        run("docker", "cp", f"{self.node}:/usr/bin/kubelet", kubelet)
        run(sys.executable, "-m", "devcluster.images", "node", kubelet)

    def down(self) -> None:
        if self.layout.cluster.exists():
            devcluster("down", env=self._environment())

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "BATCHYARD_CLUSTER_DIR": str(self.layout.cluster)}

    def _address(self) -> str:
        template = f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
        return run("docker", "inspect", "--format", template, self.node).strip()
