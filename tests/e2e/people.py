"""A user without an administrator's rights: a ServiceAccount that may edit Batchyard's objects in one namespace."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from cluster.rest import Api, Body, until
from e2e.ground import Ground, run

NAMESPACE, USER = "e2e", "user"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
# The chart's roles for users, and Kubernetes' own for looking at pods and their logs.
ROLES = ("batchyard-edit", "batchyard-view", "view")


@dataclass(frozen=True)
class Person:
    """Somebody at a shell with kubectl."""

    kubectl: str
    kubeconfig: Path

    def run(self, *words: str, stdin: str = "") -> str:
        return run(self.kubectl, f"--kubeconfig={self.kubeconfig}", f"--namespace={NAMESPACE}", *words, input=stdin)

    def apply(self, documents: list[Body]) -> None:
        self.run("apply", "--validate=strict", "--filename=-", stdin=yaml.safe_dump_all(documents))

    def may(self, verb: str, resource: str, *options: str) -> bool:
        """Say whether the API server lets this person do it."""
        command = [self.kubectl, f"--kubeconfig={self.kubeconfig}", f"--namespace={NAMESPACE}", "auth", "can-i"]
        done = subprocess.run([*command, verb, resource, *options], capture_output=True, text=True, check=False)
        assert done.stdout in ("yes\n", "no\n"), done.stderr
        return done.stdout == "yes\n"


def administrator(ground: Ground) -> Person:
    return Person(ground.tool("kubectl"), ground.kubeconfig)


def user(ground: Ground, api: Api, folder: Path) -> Person:
    """Make the namespace, the account and its rights; return its owner."""
    api.create({"kind": "Namespace", "metadata": {"name": NAMESPACE}})
    until(lambda: api.find("ServiceAccount", "default", NAMESPACE))
    api.create({"kind": "ServiceAccount", "metadata": {"name": USER}}, NAMESPACE)
    subject = {"kind": "ServiceAccount", "name": USER, "namespace": NAMESPACE}
    for role in ROLES:
        _bind(api, role, subject)
    kubeconfig = folder / "user.kubeconfig"
    kubeconfig.write_text(json.dumps(kubeconfig_of(api, NAMESPACE, USER)))
    return Person(ground.tool("kubectl"), kubeconfig)


def _bind(api: Api, role: str, subject: Body) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    body = {"metadata": {"name": f"{USER}-{role}"}, "roleRef": reference, "subjects": [subject]}
    made = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", **body}
    api.call("POST", f"{_RBAC}/namespaces/{NAMESPACE}/rolebindings", made)


def kubeconfig_of(api: Api, namespace: str, account: str) -> Body:
    """Return a kubeconfig, good for an hour, of a ServiceAccount."""
    token = api.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", {"spec": {}})
    cluster = {"server": api.host, "certificate-authority-data": base64.b64encode(api.authority().encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": account,
        "clusters": [{"name": account, "cluster": cluster}],
        "users": [{"name": account, "user": {"token": token["status"]["token"]}}],
        "contexts": [{"name": account, "context": {"cluster": account, "user": account, "namespace": namespace}}],
    }
