"""The real API server takes every object that the chart renders, keeps kinds over upgrades, and queues us apart."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_release import Release
from chart_tree import CHART, ROOT, Render
from kubernetes import client, config

pytestmark = pytest.mark.cluster

ALL = ("crds.install=true", "defaults.enabled=true", "networkPolicy.enabled=true",
       "networkPolicy.from[0].podSelector.matchLabels.app=prometheus",
       "providers.docker.enabled=true", "providers.simulated.enabled=true", "metrics.dashboards.enabled=true",
       "rbac.explainSubjects[0].kind=Group,rbac.explainSubjects[0].name=system:authenticated")  # fmt: skip
SOME = ("namespaces={team-a,team-b}",)
FOREIGN = ("ServiceMonitor", "PrometheusRule")  # kinds of the Prometheus operator, which is not there


@pytest.fixture(scope="module")
def place(kubeconfig: str) -> Iterator[str]:
    """A namespace that takes nothing but what the restricted Pod Security Standard lets in."""
    core = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    name = f"restricted-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace({"metadata": {"name": name, "labels": labels}})
    yield name
    core.delete_namespace(name)


def kubectl(kubeconfig: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    program = [str(Path(kubeconfig).parent / "bin" / "kubectl"), f"--kubeconfig={kubeconfig}"]
    return subprocess.run([*program, *words], input=stdin, capture_output=True, text=True, check=False)


def moved(objects: list[dict], place: str) -> str:
    """The objects in namespaces that exist, as a list that kubectl takes."""
    for thing in objects:
        if "namespace" in thing["metadata"]:
            thing["metadata"]["namespace"] = place
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [o for o in objects if o["kind"] not in FOREIGN]})


@pytest.mark.parametrize("values", [ALL, SOME], ids=["all", "namespaced"])
def test_every_object_is_taken(render: Render, kubeconfig: str, place: str, values: tuple[str, ...]) -> None:
    apply = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts",
             "--field-manager=test", "--filename=-")  # fmt: skip
    done = kubectl(kubeconfig, *apply, stdin=moved(render(*values), place))
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert [line for line in warnings if 'volume "docker" uses restricted volume type' not in line] == []


def pods(objects: list[dict]) -> list[dict[str, Any]]:
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": thing["metadata"]["name"]},
         "spec": {**thing["spec"]["template"]["spec"], "serviceAccountName": "default"}}
        for thing in objects if thing["kind"] in ("Deployment", "Job")
    ]  # fmt: skip


def test_its_pods_pass_the_restricted_standard(render: Render, kubeconfig: str, place: str) -> None:
    made = pods(render("defaults.enabled=true"))
    create = ("create", "--dry-run=server", f"--namespace={place}", "--filename=-")
    done = kubectl(kubeconfig, *create, stdin="\n---\n".join(map(json.dumps, made)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("created (server dry run)") == 2
    made[0]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = kubectl(kubeconfig, *create, stdin=json.dumps(made[0]))
    assert 'violates PodSecurity "restricted' in refused.stderr, "this namespace lets anything in"


def test_the_operator_has_a_queue_of_its_own_at_the_api_server(release: Release, kubeconfig: str) -> None:
    flow = client.FlowcontrolApiserverV1Api(release.api)
    token = kubectl(kubeconfig, "create", "token", release.full_name, f"--namespace={release.name}").stdout.strip()
    configuration = client.Configuration.get_default_copy()
    for field in ("host", "ssl_ca_cert"):
        setattr(configuration, field, getattr(release.api.configuration, field))
    configuration.api_key = {"BearerToken": f"Bearer {token}"}
    operator = client.ApiClient(configuration)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{release.name}/leases/batchyard-operator"
    for path, schema in (("/api/v1/nodes?limit=1", release.full_name), (lease, f"{release.full_name}-lease")):
        answer = operator.rest_client.pool_manager.request(
            "GET", configuration.host + path, headers={"Authorization": f"Bearer {token}"}
        )
        uid = flow.read_flow_schema(schema).metadata.uid
        assert answer.headers["X-Kubernetes-PF-FlowSchema-UID"] == uid, (path, answer.data)


def test_an_upgrade_upgrades_kinds_and_an_uninstallation_keeps_them(helm: str, kubeconfig: str, tmp_path: Path) -> None:
    name = f"kinds-{uuid.uuid4().hex[:8]}"
    chart = tmp_path / "chart"
    (chart / "files/crds").mkdir(parents=True)
    (chart / "templates").mkdir()
    for path in ("Chart.yaml", "values.yaml", "templates/crds.yaml"):
        (chart / path).write_text((CHART / path).read_text())
    crd = yaml.safe_load((ROOT / "crds/schedulingpolicies.yaml").read_text())
    group = f"{name}.example.org"
    crd["metadata"]["name"], crd["spec"]["group"] = f"schedulingpolicies.{group}", group
    crd["spec"]["names"].pop("categories", None)
    crd["spec"]["names"].pop("shortNames", None)
    file, where = chart / "files/crds/one.yaml", ["--namespace", "default", "--kubeconfig", kubeconfig]

    def helm_run(*words: str) -> None:
        subprocess.run([helm, *words, *where], check=True, capture_output=True, text=True)

    def columns() -> str:
        path = "jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}"
        return kubectl(kubeconfig, "get", "crd", crd["metadata"]["name"], "--output", path).stdout

    try:
        file.write_text(yaml.safe_dump(crd, sort_keys=False))
        helm_run("install", name, str(chart))
        column = {"name": "News", "type": "string", "jsonPath": ".metadata.name"}
        crd["spec"]["versions"][0]["additionalPrinterColumns"].append(column)
        file.write_text(yaml.safe_dump(crd, sort_keys=False))
        assert "News" not in columns()
        helm_run("upgrade", name, str(chart))
        assert "News" in columns()
        kubectl(kubeconfig, "wait", "--for=condition=Established", "crd", crd["metadata"]["name"])
        mine = {"apiVersion": f"{group}/v1alpha1", "kind": "SchedulingPolicy", "metadata": {"name": "mine"}, "spec": {}}
        made = kubectl(kubeconfig, "apply", "--filename=-", stdin=json.dumps(mine))
        assert made.returncode == 0, made.stderr
        helm_run("uninstall", name)
        assert kubectl(kubeconfig, "get", f"schedulingpolicies.{group}", "mine", "--output=name").returncode == 0
    finally:
        kubectl(kubeconfig, "delete", "crd", crd["metadata"]["name"], "--ignore-not-found", "--wait=false")
