"""Installed on the real API server, the operator may do what it needs, and nothing that would surprise anybody."""

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from chart_tree import CHART
from kubernetes import client, config

pytestmark = pytest.mark.cluster

OURS = "batchyard.dev"
MAY = [
    ("list", OURS, "batchjobs"),
    ("watch", OURS, "computeenvironments"),
    ("patch", OURS, "batchjobs/status"),
    ("patch", OURS, "jobqueues/status"),
    ("watch", OURS, "schedulingpolicies"),
    ("patch", OURS, "schedulingpolicies/status"),
    ("watch", OURS, "consumableresources"),
    ("patch", OURS, "consumableresources/status"),
    ("watch", OURS, "jobschedules"),
    ("patch", OURS, "jobschedules/status"),
    ("create", OURS, "batchjobs"),
    ("patch", OURS, "batchjobs"),
    ("delete", OURS, "batchjobs"),
    ("patch", OURS, "computeenvironments"),
    ("create", "", "pods"),
    ("delete", "", "pods"),
    ("deletecollection", "", "pods"),
    ("create", "", "services"),
    ("get", "", "services"),
    ("create", "", "nodes"),
    ("patch", "", "nodes/status"),
    ("create", "apps", "controllerrevisions"),
    ("list", "", "resourcequotas"),
    ("list", "", "limitranges"),
    ("create", "events.k8s.io", "events"),
    ("watch", "", "namespaces"),
]
MAY_NOT = [
    ("patch", OURS, "jobschedules"),
    ("create", OURS, "jobschedules"),
    ("patch", OURS, "jobqueues"),
    ("patch", OURS, "schedulingpolicies"),
    ("patch", OURS, "consumableresources"),
    ("delete", OURS, "computeenvironments"),
    ("delete", "", "services"),
    ("list", "", "services"),
    ("get", "", "secrets"),
    ("get", "", "pods/log"),
    ("create", "", "pods/exec"),
    ("create", "", "serviceaccounts/token"),
    ("create", "coordination.k8s.io", "leases"),
    ("delete", "", "namespaces"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("update", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("list", "", "configmaps"),
    ("create", "", "configmaps"),
]


@dataclass(frozen=True)
class Release:
    """An installed chart, and whom to ask about its rights."""

    api: client.AuthorizationV1Api
    namespace: str
    account: str

    def may(self, verb: str, group: str, resource: str, *, namespace: str = "default", name: str = "") -> bool:
        kind, _, sub = resource.partition("/")
        about = {
            "verb": verb,
            "group": group,
            "resource": kind,
            "subresource": sub,
            "namespace": namespace,
            "name": name,
        }
        user = f"system:serviceaccount:{self.namespace}:{self.account}"
        review = self.api.create_subject_access_review({"spec": {"user": user, "resourceAttributes": about}})
        return bool(review.status.allowed)


@pytest.fixture(scope="module")
def release(helm: str, kubeconfig: str) -> Iterator[Release]:
    name = f"chart-{uuid.uuid4().hex[:8]}"
    place = ["--namespace", name, "--kubeconfig", kubeconfig]
    settings = ["crds.install=false", "operator.install=false", "providers.docker.enabled=true"]
    install = [helm, "install", name, str(CHART), "--create-namespace", *place]
    subprocess.run([*install, "--set", ",".join(settings)], check=True, capture_output=True, text=True)
    api = config.new_client_from_config(kubeconfig)
    yield Release(client.AuthorizationV1Api(api), name, f"{name}-batchyard")
    subprocess.run([helm, "uninstall", name, *place], check=True, capture_output=True)
    client.CoreV1Api(api).delete_namespace(name)


@pytest.mark.parametrize(("verb", "group", "resource"), MAY, ids=lambda value: value or "core")
def test_the_operator_may(release: Release, verb: str, group: str, resource: str) -> None:
    assert release.may(verb, group, resource)


@pytest.mark.parametrize(("verb", "group", "resource"), MAY_NOT, ids=lambda value: value or "core")
def test_the_operator_may_not(release: Release, verb: str, group: str, resource: str) -> None:
    assert not release.may(verb, group, resource)


def test_it_leads_by_a_lease_in_its_own_namespace(release: Release) -> None:
    assert release.may("update", "coordination.k8s.io", "leases", namespace=release.namespace)


def test_it_issues_tokens_for_the_bootstrapper_only(release: Release) -> None:
    token = ("create", "", "serviceaccounts/token")
    assert release.may(*token, namespace=release.namespace, name="batchyard-node-bootstrapper")
    assert not release.may(*token, namespace=release.namespace, name=release.account)
    assert not release.may(*token, namespace=release.namespace, name="default")


@pytest.mark.parametrize("verb", ["list", "watch", "create", "patch"])
def test_outcomes_in_its_own_namespace(release: Release, verb: str) -> None:
    assert release.may(verb, "", "configmaps", namespace=release.namespace)
