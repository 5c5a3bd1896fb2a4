"""The job of `defaults.enabled` makes an environment and a queue with the rights that the chart gives it, no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from chart_release import Release
from chart_tree import Render
from click.testing import CliRunner, Result
from kubernetes import client

from batchyard.cli import ensure

pytestmark = pytest.mark.cluster

KINDS = ("computeenvironments", "jobqueues")
API = ("batchyard.dev", "v1alpha1")


@dataclass(frozen=True)
class Hook:
    """What helm makes before the job runs, on the real cluster; `name` is that of everything."""

    name: str
    file: Path
    kubeconfig: Path
    objects: client.CustomObjectsApi

    def run(self) -> Result:
        return CliRunner().invoke(ensure.command, [str(self.file)], env={"KUBECONFIG": str(self.kubeconfig)})


@pytest.fixture
def hook(release: Release, render: Render, kubeconfig: str, tmp_path: Path) -> Iterator[Hook]:
    name = release.name
    values = ("crds.install=false", "defaults.enabled=true", f"fullnameOverride={name}",
              f"defaults.environment.name={name},defaults.queue.name={name}")  # fmt: skip
    made = {thing["kind"]: thing for thing in render(*values) if thing["metadata"]["name"] == f"{name}-defaults"}
    made["ClusterRoleBinding"]["subjects"][0]["namespace"] = made["ServiceAccount"]["metadata"]["namespace"] = name
    rbac, core = client.RbacAuthorizationV1Api(release.api), client.CoreV1Api(release.api)
    core.create_namespaced_service_account(name, made["ServiceAccount"])
    rbac.create_cluster_role(made["ClusterRole"])
    rbac.create_cluster_role_binding(made["ClusterRoleBinding"])
    token = core.create_namespaced_service_account_token(f"{name}-defaults", name, {"spec": {}}).status.token
    (tmp_path / "defaults.yaml").write_text(made["ConfigMap"]["data"]["defaults.yaml"])
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    authority = release.api.configuration
    cluster = {"server": authority.host, "certificate-authority": authority.ssl_ca_cert}
    (tmp_path / "kubeconfig").write_text(json.dumps({
        "clusters": [{"name": "c", "cluster": cluster}], "contexts": [context], "current-context": "c",
        "users": [{"name": "u", "user": {"token": token}}],
    }))  # fmt: skip
    objects = client.CustomObjectsApi(release.api)
    yield Hook(name, tmp_path / "defaults.yaml", tmp_path / "kubeconfig", objects)
    for kind in KINDS:
        objects.delete_cluster_custom_object(*API, kind, name)
    rbac.delete_cluster_role_binding(f"{name}-defaults")
    rbac.delete_cluster_role(f"{name}-defaults")


def test_it_makes_them_and_mends_them(hook: Hook) -> None:
    done = hook.run()
    assert (done.exit_code, done.stderr) == (0, "")
    queue = hook.objects.get_cluster_custom_object(*API, "jobqueues", hook.name)
    assert queue["spec"]["computeEnvironments"] == [hook.name]
    environment = hook.objects.get_cluster_custom_object(*API, "computeenvironments", hook.name)
    assert environment["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    hook.objects.patch_cluster_custom_object(*API, "jobqueues", hook.name, {"spec": {"priority": 7}})
    assert hook.run().exit_code == 0
    mended = hook.objects.get_cluster_custom_object(*API, "jobqueues", hook.name)
    assert mended["spec"]["priority"] == queue["spec"]["priority"]
    hook.file.write_text(hook.file.read_text().replace(f"name: {hook.name}", "name: another"))
    refused = hook.run()
    assert refused.exit_code == 2
    assert "cannot patch resource" in refused.stderr
