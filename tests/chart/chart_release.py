"""A release of the chart's rights in a namespace of its own, and whom to ask about them."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chart_tree import CHART
from kubernetes import client, config

SETTINGS = ("crds.install=false", "operator.install=false", "providers.docker.enabled=true",
            "providers.simulated.enabled=true")  # fmt: skip
Action = tuple[str, str, str]  # verb, group, resource


@dataclass(frozen=True)
class Release:
    """An installed chart; `name` is also its namespace."""

    api: client.ApiClient
    name: str

    @classmethod
    @contextmanager
    def installed(cls, helm: str, kubeconfig: str) -> Iterator[Release]:
        name = f"chart-{uuid.uuid4().hex[:8]}"
        place = ["--namespace", name, "--kubeconfig", kubeconfig]
        install = [helm, "install", name, str(CHART), "--create-namespace", *place, "--set", ",".join(SETTINGS)]
        subprocess.run(install, check=True, capture_output=True, text=True)
        api = config.new_client_from_config(kubeconfig)
        try:
            yield cls(api, name)
        finally:
            subprocess.run([helm, "uninstall", name, *place], check=True, capture_output=True)
            client.CoreV1Api(api).delete_namespace(name)

    @property
    def full_name(self) -> str:
        return f"{self.name}-batchyard"

    def operator_may(self, action: Action, *, namespace: str = "default", name: str = "") -> bool:
        return self.may(f"system:serviceaccount:{self.name}:{self.full_name}", action, namespace, name)

    def may(self, user: str, action: Action, namespace: str = "", name: str = "") -> bool:
        verb, group, resource = action
        kind, _, sub = resource.partition("/")
        about = {"verb": verb, "group": group, "resource": kind, "subresource": sub, "namespace": namespace,
                 "name": name}  # fmt: skip
        review = client.AuthorizationV1Api(self.api).create_subject_access_review(
            {"spec": {"user": user, "resourceAttributes": about}}
        )
        return bool(review.status.allowed)
