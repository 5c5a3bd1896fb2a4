"""Kubernetes Events: what users see under `kubectl describe`."""

from __future__ import annotations

from typing import Any

from batchyard.model.labels import GROUP, VERSION
from batchyard.model.plan import Tell


def event(verb: Tell, stamp: str, serial: int) -> tuple[str, dict[str, Any]]:
    """Return the namespace and body of an event; those of cluster-scoped objects live in `default`."""
    namespace = verb.namespace or "default"
    return namespace, {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{verb.name}.{serial:x}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": verb.kind,
            "namespace": verb.namespace or None,
            "name": verb.name,
            "uid": verb.uid,
        },
        "type": "Warning" if verb.warning else "Normal",
        "reason": verb.reason,
        "message": verb.message,
        "source": {"component": "batchyard"},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
