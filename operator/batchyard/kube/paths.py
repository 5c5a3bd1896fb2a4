"""Paths of the API: where a resource lives, and which resource a path is about."""

from __future__ import annotations

from typing import NamedTuple

CORE = "/api/v1"
APPS = "/apis/apps/v1"
BATCHYARD = "/apis/batchyard.dev/v1alpha1"
COORDINATION = "/apis/coordination.k8s.io/v1"
KARPENTER = "/apis/karpenter.sh/v1"
METRICS = "/apis/metrics.k8s.io/v1beta1"
CLUSTER_API = "/apis/cluster.x-k8s.io/v1beta2"


def collection(group: str, resource: str, namespace: str = "") -> str:
    """Return the path of all objects of a resource, of one namespace or of the cluster.

    collection(CORE, "pods")          /api/v1/pods
    collection(CORE, "pods", "prod")  /api/v1/namespaces/prod/pods
    """
    return f"{group}/namespaces/{namespace}/{resource}" if namespace else f"{group}/{resource}"


def item(group: str, resource: str, name: str, namespace: str = "") -> str:
    """Return the path of one object; cluster-scoped without a namespace."""
    return f"{collection(group, resource, namespace)}/{name}"


def core(resource: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return a path in core/v1: pods, nodes, events, configmaps."""
    return _path(CORE, resource, namespace, "/".join(filter(None, (name, subresource))))


def apps(resource: str, namespace: str = "", name: str = "") -> str:
    """Return a path in apps/v1: controllerrevisions, daemonsets."""
    return _path(APPS, resource, namespace, name)


def batchyard(resource: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return a path in batchyard.dev/v1alpha1: batchjobs, jobqueues and the rest."""
    return _path(BATCHYARD, resource, namespace, "/".join(filter(None, (name, subresource))))


def lease(namespace: str, name: str = "") -> str:
    """Return the path of a lease, or of all leases of the namespace."""
    return _path(COORDINATION, "leases", namespace, name)


def _path(group: str, resource: str, namespace: str, rest: str) -> str:
    path = collection(group, resource, namespace)
    return f"{path}/{rest}" if rest else path


class Subject(NamedTuple):
    """What a path is about: `pods`, `batchjobs/status`; named if it is one object."""

    resource: str
    named: bool


def subject(path: str) -> Subject:
    """Say which resource a path names, without its names, so that it can label a metric."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    if not rest:
        return Subject("discovery", named=False)
    return Subject(f"{rest[0]}/{rest[2]}" if len(rest) > 2 else rest[0], named=len(rest) > 1)


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


def verb(method: str, *, named: bool, watch: bool = False) -> str:
    """Return the verb of RBAC for a request: get, list, watch, create, update, patch, delete, deletecollection."""
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    if method == "GET":
        return "watch" if watch else "get" if named else "list"
    return _VERBS.get(method, method.lower())
