"""Installed on the real API server, the operator may do what it needs, and nothing that would surprise anybody."""

import pytest
from chart_release import Action, Release

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
    ("create", "", "persistentvolumeclaims"),
    ("get", "", "persistentvolumeclaims"),
    ("create", "", "nodes"),
    ("create", "apps", "controllerrevisions"),
    ("delete", "", "nodes"),
    ("create", "", "events"),
    ("watch", "", "namespaces"),
    ("list", "metrics.k8s.io", "pods"),
]
MAY_NOT = [
    ("patch", OURS, "jobschedules"),
    ("create", OURS, "jobschedules"),
    ("patch", OURS, "jobqueues"),
    ("patch", OURS, "schedulingpolicies"),
    ("patch", OURS, "consumableresources"),
    ("delete", OURS, "computeenvironments"),
    ("patch", "", "nodes"),
    ("patch", "", "nodes/status"),
    ("list", "", "resourcequotas"),
    ("list", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("delete", "apps", "controllerrevisions"),
    ("patch", "", "events"),
    ("delete", "", "services"),
    ("list", "", "services"),
    ("delete", "", "persistentvolumeclaims"),
    ("list", "", "persistentvolumeclaims"),
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
    ("list", "metrics.k8s.io", "nodes"),
    ("get", "", "nodes/proxy"),
    ("get", "", "nodes/stats"),
]


@pytest.mark.parametrize("action", MAY, ids=" ".join)
def test_the_operator_may(release: Release, action: Action) -> None:
    assert release.operator_may(action)


@pytest.mark.parametrize("action", MAY_NOT, ids=" ".join)
def test_the_operator_may_not(release: Release, action: Action) -> None:
    assert not release.operator_may(action)


def test_it_leads_by_one_lease_in_its_own_namespace(release: Release) -> None:
    lease = ("patch", "coordination.k8s.io", "leases")
    assert release.operator_may(lease, namespace=release.name, name="batchyard-operator")
    assert not release.operator_may(lease, namespace=release.name, name="another")


def test_it_issues_tokens_for_the_bootstrapper_only(release: Release) -> None:
    token = ("create", "", "serviceaccounts/token")
    assert release.operator_may(token, namespace=release.name, name="batchyard-node-bootstrapper")
    assert not release.operator_may(token, namespace=release.name, name=release.full_name)
    assert not release.operator_may(token, namespace=release.name, name="default")


@pytest.mark.parametrize("verb", ["list", "watch", "create", "patch"])
def test_outcomes_in_its_own_namespace(release: Release, verb: str) -> None:
    assert release.operator_may((verb, "", "configmaps"), namespace=release.name)
