"""A namespace of its own on the real API server for each test, with the CustomResourceDefinitions of this tree."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import World, kubeconfig_of
from kubernetes import client, config

from definitions import apply_definitions

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents and "world" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> client.ApiClient:
    """A client of the cluster, which knows our kinds."""
    found = config.new_client_from_config(kubeconfig)
    apply_definitions(found)
    return found


@pytest.fixture
def world(api: client.ApiClient, kubeconfig: str, tmp_path: Path) -> Iterator[World]:
    core, name = client.CoreV1Api(api), f"cli-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    yield World(api, name, kubeconfig_of(Path(kubeconfig), tmp_path / "kubeconfig", name))
    core.delete_namespace(name)
