"""`down` leaves nothing of this cluster and touches nothing else."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from devcluster.processes import CLUSTER_MARK, NAME_MARK, others_run
from devcluster.settings import recall
from devcluster_sandbox import Layout, Sandbox, eventually

pytestmark = pytest.mark.cluster


def marked(sandbox: Sandbox) -> list[str]:
    """Return every process that was started with this cluster's mark, whatever it is called."""
    mark = f"{CLUSTER_MARK}={sandbox.layout.cluster}\0".encode()
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if mark in _content(path)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_nothing_is_left(sandbox: Sandbox) -> None:
    sandbox.up()
    port = int(recall(sandbox.layout)["port"])
    assert marked(sandbox)
    assert sandbox.run("down").returncode == 0
    assert not marked(sandbox)
    assert not sandbox.layout.cluster.exists()
    assert not sandbox.layout.shm.exists()
    assert not sandbox.layout.lock.exists()
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("deleted", [False, True])
def test_clusters_below_its_directory_go_with_it(sandbox: Sandbox, deleted: bool) -> None:
    inner = Sandbox(Layout(sandbox.layout.cluster / "inner", sandbox.layout.cache))
    inner.up()
    if deleted:
        shutil.rmtree(inner.layout.cluster)
    assert marked(inner)
    assert sandbox.run("down").returncode == 0
    assert not marked(inner)
    assert not inner.layout.shm.exists()
    assert not inner.layout.lock.exists()


def test_down_of_nothing_is_no_error(sandbox: Sandbox) -> None:
    assert sandbox.run("down").returncode == 0
    assert sandbox.run("status").returncode == 1


def test_down_after_an_interrupted_up(sandbox: Sandbox) -> None:
    up = sandbox.start("up")
    eventually(lambda: "kube-apiserver" in sandbox.processes())
    up.send_signal(signal.SIGINT)
    assert "Interrupted" in up.communicate()[1]
    assert up.returncode == 130
    assert sandbox.run("down").returncode == 0
    assert not marked(sandbox)


def test_strangers_live_on(sandbox: Sandbox) -> None:
    """A process that inherited the mark, or has another cluster's, is not ours to end."""
    sandbox.up()
    inherited = {**os.environ, CLUSTER_MARK: str(sandbox.layout.cluster), NAME_MARK: "etcd"}
    others = {**os.environ, CLUSTER_MARK: "/elsewhere", NAME_MARK: "sleep"}
    strangers = [subprocess.Popen(["sleep", "600"], env=environment) for environment in (inherited, others)]
    try:
        assert sandbox.run("down").returncode == 0
        assert [stranger.poll() for stranger in strangers] == [None, None]
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait()


def test_a_process_that_ignores_sigterm_is_killed(sandbox: Sandbox) -> None:
    sandbox.up()
    etcd = sandbox.processes()["etcd"]
    os.kill(etcd.pid, signal.SIGSTOP)
    assert sandbox.run("down").returncode == 0
    assert not marked(sandbox)


def test_volumes_of_this_cluster_go_and_others_stay(sandbox: Sandbox) -> None:
    def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)

    if docker("info").returncode:
        pytest.skip("no docker engine answers")
    sandbox.up()
    label = f"--label=batchyard.dev/cluster={recall(sandbox.layout)['uid']}"
    ours = docker("volume", "create", label).stdout.strip()
    foreign = docker("volume", "create", "--label=batchyard.dev/cluster=another").stdout.strip()
    try:
        assert sandbox.run("down").returncode == 0
        left = docker("volume", "ls", "--quiet").stdout.split()
        assert ours not in left
        assert foreign in left
    finally:
        docker("volume", "rm", foreign)


def test_who_is_not_the_last_is_known(sandbox: Sandbox, tmp_path: Path) -> None:
    """The engine and the nodes on it are everybody's: only the last cluster that goes takes them along."""
    sandbox.up()
    assert others_run(Layout(tmp_path / "elsewhere" / ".cluster", sandbox.layout.cache))
