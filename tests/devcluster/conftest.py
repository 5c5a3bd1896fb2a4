"""Clusters of the tests' own, taken down afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster_sandbox import Layout, Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """An empty place for a cluster, emptied again afterwards."""
    sandbox = Sandbox(Layout(tmp_path / "cluster", Layout.from_environment().cache))
    yield sandbox
    sandbox.run("down")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A healthy cluster that the tests of one file share; each leaves it healthy."""
    sandbox = Sandbox(Layout(tmp_path_factory.mktemp("shared") / "cluster", Layout.from_environment().cache))
    sandbox.up()
    yield sandbox
    sandbox.run("down")
