"""A namespace of its own on the real API server, with the CustomResourceDefinitions of this tree."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from crd_server import Server
from kubernetes import client, config

from definitions import apply_definitions

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> client.ApiClient:
    """A client of the cluster, which knows our kinds."""
    found = config.new_client_from_config(kubeconfig)
    apply_definitions(found)
    return found


@pytest.fixture(scope="session")
def server(api: client.ApiClient) -> Iterator[Server]:
    core, name = client.CoreV1Api(api), f"crds-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    yield Server(client.CustomObjectsApi(api), name)
    core.delete_namespace(name)


@pytest.fixture
def fresh() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def kubectl(kubeconfig: str) -> str:
    own = ROOT / ".cluster" / "bin" / "kubectl"
    return str(own) if own.exists() else "kubectl"
