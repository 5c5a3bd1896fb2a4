"""One cluster with one release for the whole story; BATCHYARD_E2E says on which ground it is played (`make e2e`)."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cluster.recorder import Recorder
    from cluster.rest import Api
    from e2e.examples import Examples
    from e2e.ground import Ground
    from e2e.people import Person
    from e2e.release import Release

GROUND = os.environ.get("BATCHYARD_E2E", "")
collect_ignore_glob = [] if GROUND else ["*"]


@dataclass
class Scene:
    """Everything that the chapters share."""

    ground: Ground
    api: Api
    release: Release
    recorder: Recorder
    administrator: Person
    examples: Examples
    folder: Path
    user: Person = field(init=False)


def _ground() -> Ground:
    if GROUND == "kind":
        from e2e.on_kind import Kind

        return Kind.here()
    from e2e.on_devcluster import OwnCluster

    return OwnCluster.here()


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An empty cluster; BATCHYARD_E2E_KEEP=1 leaves it for a look (until `make cluster-down`)."""
    from cluster.recorder import Recorder
    from cluster.rest import Api
    from e2e.examples import Examples
    from e2e.people import administrator
    from e2e.release import Release

    ground = _ground()
    try:
        ground.up()
        api = Api.load(str(ground.kubeconfig))
        release = Release(ground, api)
        folder = tmp_path_factory.mktemp("e2e")
        yield Scene(ground, api, release, Recorder(api), administrator(ground), Examples.read(ground), folder)
    finally:
        if "BATCHYARD_E2E_KEEP" not in os.environ:
            ground.down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    scene = getattr(item, "funcargs", {}).get("scene")
    if report.failed and scene is not None:
        report.sections.append(("the operators' logs", scene.release.logs()))
    return report
