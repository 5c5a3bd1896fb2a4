"""The API server dies, its history is rewritten, its disk is full, the operator's disk is full."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.rest import until
from cluster.specs_of_jobs import simulated
from crash.own_cluster import OwnCluster
from crash.trial import Diskless, Trial, trial_on

LEASE = "/apis/coordination.k8s.io/v1/namespaces/batchyard-system/leases/batchyard-operator"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


@pytest.mark.parametrize("victims", [("kube-apiserver",), ("kube-apiserver", "etcd")])
def test_killed_and_started_again_while_jobs_run(trial: Trial, victims: tuple[str, ...]) -> None:
    trial.pool("main", 8)
    trial.keeper.start()
    names = trial.submit("main", 40, 500)
    until(lambda: trial.phases()["Succeeded"] >= 3, 60, trial.story)
    trial.cluster.kill(*victims)
    trial.cluster.start(*reversed(victims))
    names += trial.submit("main", 10, prefix="later-")
    trial.once_each(names)
    trial.pools_are_as_told("main")
    trial.all_retired("main")
    print(f"\nthe operator ended {len(trial.keeper.ends)} times")


def _snapshot(cluster: OwnCluster, to: Path) -> None:
    """Copy etcd's data as a power cut would leave it."""
    pid = cluster.process("etcd").pid
    os.kill(pid, signal.SIGSTOP)
    try:
        shutil.copytree(cluster.etcd, to)
    finally:
        os.kill(pid, signal.SIGCONT)


def _restore(trial: Trial, snapshot: Path) -> None:
    """As the Kubernetes documentation has it: everything of the control plane starts anew, the operator does not."""
    cluster = trial.cluster
    cluster.kill(*reversed(CONTROL_PLANE))
    trial.witness.forget()
    shutil.rmtree(cluster.etcd)
    shutil.copytree(snapshot, cluster.etcd)
    cluster.start("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    cluster.replace_kwok()


def _renewed(cluster: OwnCluster) -> None:
    """Wait until the leader has renewed its Lease: from then on it knows history when it sees it."""

    def version() -> object:
        return cluster.api.call("GET", LEASE)["metadata"]["resourceVersion"]

    before = version()
    until(lambda: version() != before, 30)


def test_an_older_snapshot_of_etcd_is_restored(own: OwnCluster, tmp_path: Path) -> None:
    """What was done since never happened: jobs that had ended run again, others are gone, and so are their nodes.

    The operator lives through it: its watches stand at versions that are yet to come, where nothing is ever told.
    """
    with trial_on(own, tmp_path, BATCHYARD_LEASE_SECONDS="30") as trial:
        lab = trial.lab
        trial.pool("main", 8, scaleDownDelaySeconds=2)
        trial.keeper.start()
        ended = trial.submit("main", 5, prefix="ended-")
        until(lambda: trial.phases()["Succeeded"] == 5, 60, trial.story)
        running = [lab.job(f"running-{number}", "main", template=simulated(5000, cpu="500m")) for number in range(6)]
        until(lambda: trial.phases()["Running"] == 6, 60, trial.story)
        _snapshot(own, tmp_path / "etcd")
        trial.submit("main", 20, prefix="forgotten-")
        until(lambda: trial.phases()["Succeeded"] == 31, 60, trial.story)
        trial.all_retired("main")
        trial.submit("main", 4, 60_000, prefix="never-was-")
        until(lambda: trial.phases()["Running"] == 4, 60, trial.story)
        _renewed(own)
        before = {node["metadata"]["name"] for node in lab.nodes("main")}
        _restore(trial, tmp_path / "etcd")
        assert not before & {node["metadata"]["name"] for node in lab.nodes("main")}
        later = trial.submit("main", 10, prefix="later-")
        trial.once_each(ended + running + later)
        trial.pools_are_as_told("main")
        trial.all_retired("main")
        print(f"\nthe operator ended {len(trial.keeper.ends)} times")


def _etcd(cluster: OwnCluster, path: str, body: object) -> dict[str, object]:
    """Ask etcd's own HTTP port, which is a socket in the cluster's directory."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(cluster.layout.cluster / "etcd.sock:0"))
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    found: dict[str, object] = json.loads(answer.read())
    assert answer.status == 200, found
    return found


def _alarm(cluster: OwnCluster, action: str) -> None:
    member = _etcd(cluster, "/v3/maintenance/status", {})["header"]["member_id"]  # type: ignore[index]
    _etcd(cluster, "/v3/maintenance/alarm", {"action": action, "memberID": member, "alarm": "NOSPACE"})


@pytest.fixture
def full(own: OwnCluster) -> Iterator[None]:
    yield
    _alarm(own, "DEACTIVATE")


@pytest.mark.usefixtures("full")
def test_etcd_has_no_space_left(trial: Trial) -> None:
    """Nothing can be written by anybody until somebody makes room; then everything goes on."""
    trial.pool("main", 8)
    trial.keeper.start()
    names = trial.submit("main", 60, 300)
    until(lambda: trial.phases()["Succeeded"] >= 3, 60, trial.story)
    _alarm(trial.cluster, "ACTIVATE")
    assert trial.cluster.refuses_writes()
    until(lambda: trial.failed_writes() >= 10, 60, trial.story)
    done = trial.phases()["Succeeded"]
    assert done < len(names), "nothing was left to do"
    _alarm(trial.cluster, "DEACTIVATE")
    trial.cluster.replace_kwok()  # it gives up on a pod whose status it could not write; a kubelet does not
    trial.once_each(names)
    trial.pools_are_as_told("main")
    trial.all_retired("main")
    print(f"\n{done} of {len(names)} jobs were done when the disk was full; it ended {len(trial.keeper.ends)} times")


def test_the_operator_needs_no_disk(own: OwnCluster, tmp_path: Path) -> None:
    """Its log cannot be written, nor any file: it works on."""
    with trial_on(own, tmp_path, Diskless, BATCHYARD_LOG_LEVEL="DEBUG") as trial:
        trial.pool("main", 4)
        trial.lab.operator.start()
        names = trial.submit("main", 10)
        trial.once_each(names)
        trial.all_retired("main")
        assert trial.lab.operator.stop() == 0
