"""The chart's release, as its administrator has it: installed, upgraded, taken away; and who leads."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cluster.rest import Api, Body, Refused
from e2e.ground import IMAGE, ROOT, Ground, run

NAME, NAMESPACE = "batchyard", "batchyard-system"
CHART = ROOT / "charts" / "batchyard"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/batchyard-operator"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_REPOSITORY, _TAG = IMAGE.split(":")
VALUES = (
    *("operator.replicas=2", f"operator.image.repository={_REPOSITORY}", f"operator.image.tag={_TAG}"),
    *("operator.image.pullPolicy=Never", "providers.docker.enabled=true"),
)


@dataclass(frozen=True)
class Release:
    """helm on one cluster; every command waits until what it did is done."""

    ground: Ground
    api: Api

    def install(self, *values: str) -> None:
        self._helm("install", NAME, str(CHART), "--create-namespace", *self._set(values))

    def upgrade(self, *values: str) -> None:
        self._helm("upgrade", NAME, str(CHART), *self._set(values))

    def uninstall(self) -> None:
        self._helm("uninstall", NAME)

    def _set(self, values: tuple[str, ...]) -> list[str]:
        return [*self.ground.values, *(word for value in (*VALUES, *values) for word in ("--set", value))]

    def _helm(self, *words: str) -> None:
        options = ("--namespace", NAMESPACE, "--kubeconfig", str(self.ground.kubeconfig), "--wait", "--timeout", "5m")
        run(self.ground.tool("helm"), *words, *options)

    def pods(self) -> list[Body]:
        """The operator's pods that are not on their way out."""
        found = self.api.call("GET", f"{PODS}?labelSelector=app.kubernetes.io/instance={NAME}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def leader(self) -> str:
        """The name of the pod that holds the Lease; nothing if nobody does."""
        try:
            return self.api.call("GET", LEASE)["spec"].get("holderIdentity") or ""
        except Refused as refused:
            if refused.status == 404:
                return ""
            raise

    def kill(self, name: str) -> float:
        """Kill a pod's container as a power cut does, and the pod, so that it stays dead; return when it died."""
        pod = self.api.call("GET", f"{PODS}/{name}")
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        words = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--all", "--signal", "SIGKILL", container)
        run("docker", "exec", self.ground.node, *words)
        died = time.monotonic()
        self.api.call("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0")
        return died

    def logs(self) -> str:
        """The last lines of every pod, for a failure."""
        names = [pod["metadata"]["name"] for pod in self.pods()]
        kubectl = (self.ground.tool("kubectl"), f"--kubeconfig={self.ground.kubeconfig}", f"--namespace={NAMESPACE}")
        return "\n".join(f"{name}:\n{run(*kubectl, 'logs', '--tail=40', name)}" for name in names)
