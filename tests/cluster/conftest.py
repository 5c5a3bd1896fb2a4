"""One operator and one namespace for all tests here, on the real API server with real kubelets and simulated nodes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lab import Lab, cluster_directory, operator_kubeconfig, sweep
from cluster.operator_process import Operator
from cluster.recorder import Recorder
from cluster.rest import Api
from cluster.story import tell

_HERE = Path(__file__).parent
_LOG = pytest.StashKey[Path]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.nodes)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    log = item.config.stash.get(_LOG, None)
    if report.failed and log is not None and log.exists():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-80:])
        report.sections.append(("the operator's log", tail))
    return report


@pytest.fixture(scope="package")
def api() -> Api:
    kubeconfig = cluster_directory() / "kubeconfig"
    if not kubeconfig.exists():
        pytest.fail("these tests need the cluster: run `make cluster node-image kwok` first (make test does)")
    return Api.load(str(kubeconfig))


@pytest.fixture(scope="package")
def lab(api: Api, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Everything shared; afterwards nothing may be left and nothing may have been complained about."""
    folder = tmp_path_factory.mktemp("operator")
    settings = {"BATCHYARD_ADVICE_SECONDS": "1"}
    operator = Operator(operator_kubeconfig(folder / "kubeconfig"), folder / "operator.log", settings)
    request.config.stash[_LOG] = operator.log
    sweep(api)
    recorder = Recorder(api)
    recorder.start()
    run = f"t{uuid.uuid4().hex[:5]}"
    lab = Lab(api, run, operator, recorder, "")
    try:
        operator.start()
        lab.namespace = lab.new_namespace("jobs")
        yield lab
        assert operator.forbidden() == []
        lab.clear()
        assert operator.complaints() == []
        assert operator.stop() == 0
        assert recorder.wrongs == []
        assert recorder.broken == []
    finally:
        recorder.stop()
        if operator.alive:
            operator.kill()


@pytest.fixture(scope="package")
def story(lab: Lab) -> Lab:
    """The lab with the jobs of the whole story submitted at once, so that their waits pass side by side."""
    tell(lab)
    return lab
