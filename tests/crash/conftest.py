"""One cluster of their own for all tests here, which are free to break it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.own_cluster import OwnCluster
from crash.trial import Trial, trial_on

_HERE = Path(__file__).parent
logging.getLogger("urllib3").setLevel(logging.ERROR)  # that nobody answers is what these tests are about


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def own() -> Iterator[OwnCluster]:
    cluster = OwnCluster.make()
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def trial(own: OwnCluster, tmp_path: Path) -> Iterator[Trial]:
    with trial_on(own, tmp_path) as trial:
        yield trial
