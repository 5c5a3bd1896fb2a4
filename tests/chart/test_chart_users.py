"""Users with Kubernetes' own view, edit and admin see, submit and administer, each in their place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from chart_release import Release
from kubernetes import client

pytestmark = pytest.mark.cluster

OURS = "batchyard.dev"
RBAC = "rbac.authorization.k8s.io"
SECONDS = 20
SEE, SUBMIT, RUN = ("list", OURS, "batchjobs"), ("create", OURS, "batchjobs"), ("patch", OURS, "jobqueues")


@dataclass(frozen=True)
class People:
    """One user for each of Kubernetes' roles, bound in one namespace, and one who administers the whole cluster."""

    release: Release

    def may(self, role: str, action: tuple[str, str, str], namespace: str = "") -> bool:
        return self.release.may(f"{self.release.name}-{role}", action, namespace or self.release.name)


@pytest.fixture(scope="module")
def people(release: Release) -> Iterator[People]:
    rbac, name = client.RbacAuthorizationV1Api(release.api), release.name
    for role in ("view", "edit", "admin"):
        rbac.create_namespaced_role_binding(name, _binding(name, role, role))
    rbac.create_cluster_role_binding(_binding(name, "everywhere", "admin"))
    found = People(release)
    deadline = time.monotonic() + SECONDS  # the controller manager aggregates roles in its own time
    while not (found.may("view", SEE) and found.may("edit", SUBMIT) and found.may("everywhere", RUN)):
        assert time.monotonic() < deadline, "the roles were not added to Kubernetes' own"
        time.sleep(0.1)
    yield found
    rbac.delete_cluster_role_binding(f"{name}-everywhere")


def _binding(name: str, user: str, role: str) -> dict:
    return {
        "metadata": {"name": f"{name}-{user}"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": f"{name}-{user}"}],
    }


def test_who_may_see_submits_nothing(people: People) -> None:
    assert people.may("view", ("watch", OURS, "jobdefinitions"))
    assert not people.may("view", SUBMIT)
    assert not people.may("view", SEE, "default")


def test_who_may_edit_submits_and_stops_and_schedules(people: People) -> None:
    assert people.may("edit", SEE)
    for verb in ("create", "update", "patch", "delete"):
        for kind in ("batchjobs", "jobdefinitions", "jobschedules"):
            assert people.may("edit", (verb, OURS, kind)), (verb, kind)
    assert not people.may("edit", ("patch", OURS, "batchjobs/status")), "outcomes are the operator's to write"
    assert not people.may("edit", SUBMIT, "default")


def test_who_administers_a_namespace_has_no_say_about_queues(people: People) -> None:
    assert people.may("admin", SUBMIT)
    assert not people.release.may(f"{people.release.name}-admin", RUN), "they belong to the cluster"


def test_who_administers_the_cluster_has(people: People) -> None:
    for kind in ("computeenvironments", "jobqueues", "schedulingpolicies", "consumableresources"):
        assert people.release.may(f"{people.release.name}-everywhere", ("create", OURS, kind)), kind


def test_asking_the_leader_is_for_those_that_are_named(people: People) -> None:
    ask, where = ("get", "", "services/proxy"), people.release
    service = f"http:{where.full_name}:http"
    assert not where.may(f"{where.name}-view", ask, where.name, service)
    rbac = client.RbacAuthorizationV1Api(where.api)
    (rule,) = rbac.read_namespaced_role(f"{where.full_name}-explain", where.name).rules
    assert (rule.verbs, rule.resources, rule.resource_names) == (["get"], ["services/proxy"], [service])
