"""The image as a plain container, outside the cluster: it stands by, leads when the others are gone, ends politely."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cluster.rest import until
from e2e.conftest import Scene
from e2e.ground import IMAGE, run
from e2e.people import kubeconfig_of
from e2e.release import NAMESPACE, PODS

PORT = 18080


@dataclass(frozen=True)
class Container:
    """A running container of the image."""

    name: str

    def says(self, event: str) -> bool:
        """Whether its log, JSON lines on stdout or stderr, has the event."""
        log = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True)
        return f'"{event}"' in log.stdout + log.stderr

    def stop(self) -> int:
        """End it as Docker does, by SIGTERM; return its exit code."""
        run("docker", "stop", "--time", "30", self.name)
        return int(run("docker", "inspect", "--format", "{{.State.ExitCode}}", self.name))


@pytest.fixture
def container(scene: Scene) -> Iterator[Container]:
    """The operator with its ServiceAccount's rights, as nobody, with no place to write but /tmp."""
    folder = scene.folder / "container"
    folder.mkdir(mode=0o755)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(kubeconfig_of(scene.api, NAMESPACE, "batchyard")))
    kubeconfig.chmod(0o444)
    name = f"batchyard-e2e-{uuid.uuid4().hex[:6]}"
    confined = ("--read-only", "--tmpfs", "/tmp", "--user", "65532", "--cap-drop", "ALL", "--network", "host")
    variables = ("--env", "KUBECONFIG=/etc/operator", "--env", f"BATCHYARD_PORT={PORT}", "--env", "BATCHYARD_DOCKER=0")
    volume = ("--volume", f"{kubeconfig}:/etc/operator:ro")
    run("docker", "run", "--detach", "--name", name, *confined, *variables, *volume, IMAGE)
    yield Container(name)
    run("docker", "rm", "--force", name)


def test_it_stands_by_then_leads_then_ends(scene: Scene, container: Container) -> None:
    until(lambda: container.says("standing by"), 60)
    scale = {"spec": {"replicas": 0}}
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/batchyard/scale"
    scene.api.call("PATCH", path, scale, "application/merge-patch+json")
    until(lambda: container.says("operator runs"), 60)
    assert container.stop() == 0
    assert scene.api.call("GET", PODS)["items"] == []
