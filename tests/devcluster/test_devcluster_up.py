"""`up` mends whatever it finds and is quick when there is nothing to mend."""

import os
import shutil
import signal
import socket
import time

import pytest
from devcluster_sandbox import Sandbox

pytestmark = pytest.mark.cluster
COMPONENTS = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}


def test_second_up_is_quick_and_changes_nothing(cluster: Sandbox) -> None:
    before = cluster.processes()
    started = time.monotonic()
    cluster.up()
    assert time.monotonic() - started < 2
    assert cluster.processes() == before
    assert set(before) == COMPONENTS


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_killed_component_is_restarted_and_data_is_kept(cluster: Sandbox, name: str) -> None:
    assert cluster.kubectl("create", "configmap", f"before-{name}").returncode == 0
    before = cluster.processes()
    os.kill(before[name].pid, signal.SIGKILL)
    cluster.up()
    after = cluster.processes()
    assert {other for other in COMPONENTS if after[other] != before[other]} == {name}
    assert cluster.kubectl("get", "configmap", f"before-{name}").returncode == 0


def test_everything_killed_and_stale_sockets_left(cluster: Sandbox) -> None:
    for process in cluster.processes().values():
        os.kill(process.pid, signal.SIGKILL)
    assert list(cluster.layout.cluster.glob("*.sock:0"))
    assert cluster.run("status").returncode == 1
    cluster.up()
    assert cluster.run("status").returncode == 0


def test_directory_deleted_under_a_running_cluster(cluster: Sandbox) -> None:
    orphans = cluster.processes()
    shutil.rmtree(cluster.layout.cluster)
    cluster.up()
    assert set(cluster.processes()) == COMPONENTS
    assert not set(orphans.values()) & set(cluster.processes().values())
    assert cluster.kubectl("get", "configmap", "kube-root-ca.crt").returncode == 0


def test_rights_are_checked(cluster: Sandbox) -> None:
    stranger = cluster.kubectl("--as=system:serviceaccount:default:default", "get", "secrets")
    assert "forbidden" in stranger.stderr


def test_scheduler_and_controllers_work(cluster: Sandbox) -> None:
    assert cluster.kubectl("create", "deployment", "web", "--image=x").returncode == 0
    waiting = cluster.kubectl("wait", "pod", "-l", "app=web", "--for=condition=PodScheduled=false", "--timeout=30s")
    assert waiting.returncode == 0, waiting.stderr


def test_port_that_was_asked_for_is_taken(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = sandbox.run("up", BATCHYARD_API_PORT=str(port))
    assert run.returncode == 1
    assert f"Port {port} is taken" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("after_seconds", [0.15, 0.6, 1.5, 3.0])
def test_up_killed_at_any_moment(sandbox: Sandbox, after_seconds: float) -> None:
    first = sandbox.start("up")
    time.sleep(after_seconds)  # the moment of the kill is the input of this test, nothing is waited for
    first.kill()
    first.communicate()
    sandbox.up()
    assert set(sandbox.processes()) == COMPONENTS


def test_two_ups_at_once(sandbox: Sandbox) -> None:
    both = [sandbox.start("up"), sandbox.start("up")]
    errors = [process.communicate(timeout=100)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert set(sandbox.processes()) == COMPONENTS
