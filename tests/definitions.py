"""The CustomResourceDefinitions of this tree on a real API server."""

from __future__ import annotations

import time
from pathlib import Path

import yaml
from kubernetes import client

_CRDS = Path(__file__).parents[1] / "crds"


def apply_definitions(api: client.ApiClient, seconds: float = 30) -> None:
    """Apply them all and wait until the API server serves our kinds."""
    extensions = client.ApiextensionsV1Api(api)
    names = [_apply(extensions, path) for path in sorted(_CRDS.glob("*.yaml"))]
    deadline = time.monotonic() + seconds
    while missing := [name for name in names if not _established(extensions, name)]:
        assert time.monotonic() < deadline, f"not established after {seconds} s: {missing}"
        time.sleep(0.05)


def _apply(extensions: client.ApiextensionsV1Api, path: Path) -> str:
    body = yaml.safe_load(path.read_text())
    name: str = body["metadata"]["name"]
    kind = "application/apply-patch+yaml"
    extensions.patch_custom_resource_definition(
        name, body, field_manager="batchyard-tests", force=True, _content_type=kind
    )
    return name


def _established(extensions: client.ApiextensionsV1Api, name: str) -> bool:
    status = extensions.read_custom_resource_definition(name).status
    return any(c.type == "Established" and c.status == "True" for c in (status and status.conditions) or [])
