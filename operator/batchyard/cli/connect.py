"""Whom the commands talk to: kubeconfig, context and namespace, found as kubectl finds them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import list_kube_config_contexts, load_incluster_config, load_kube_config
from kubernetes.config.config_exception import ConfigException
from yaml import YAMLError

from batchyard.cli.cluster import Cluster
from batchyard.cli.errors import Failure
from batchyard.cli.near import meant
from batchyard.cli.place import Place

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class _Found:
    configuration: Configuration
    namespace: str


def connect(place: Place) -> Cluster:
    """Return the connection that the flags name; Failure says which of them is wrong."""
    file = place.kubeconfig or os.environ.get("KUBECONFIG") or ""
    usual = Path.home() / ".kube" / "config"
    if not file and not usual.exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        found = _in_cluster()
    else:
        found = _from_file(file or str(usual), place.context)
    found.configuration.retries = False  # we say at once that nobody answers
    return Cluster(
        ApiClient(configuration=found.configuration), place.namespace or found.namespace, bool(place.namespace)
    )


def _from_file(file: str, context: str | None) -> _Found:
    loaded = Configuration()
    try:
        active = _context(file, context)
        load_kube_config(  # type: ignore[no-untyped-call]
            config_file=file, context=context, client_configuration=loaded, persist_config=False
        )
    except (ConfigException, YAMLError, OSError, TypeError) as error:
        why = " ".join(str(error).split())
        raise Failure(f"no usable kubeconfig at {file} ({why}); name one with --kubeconfig or $KUBECONFIG") from error
    return _Found(loaded, active.get("context", {}).get("namespace") or "default")


def _context(file: str, name: str | None) -> dict[str, Any]:
    contexts, active = list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
    if name is None:
        return dict(active)
    known = {context["name"]: dict(context) for context in contexts}
    if name not in known:
        fix = meant(name, known) or f"--context may be: {', '.join(sorted(known))}"
        raise Failure(f"no context {name!r} in {file}; {fix}")
    return known[name]


def _in_cluster() -> _Found:
    loaded = Configuration()
    load_incluster_config(client_configuration=loaded)  # type: ignore[no-untyped-call]
    return _Found(loaded, _ACCOUNT.read_text().strip() if _ACCOUNT.exists() else "default")
