"""Simulated nodes and pods behave as devcluster/README.md says."""

import json
import os
import signal
from typing import Any

import pytest
from devcluster_sandbox import Sandbox, eventually

pytestmark = pytest.mark.cluster
SHAPE = {"cpu": "16", "memory": "64Gi", "pods": "500"}


@pytest.fixture(scope="module")
def simulated(cluster: Sandbox) -> Sandbox:
    run = cluster.run("kwok", "up")
    assert run.returncode == 0, run.stderr
    create_node(cluster, "node", {"batchyard.dev/shape": json.dumps(SHAPE)})
    eventually(lambda: is_ready(cluster, "node"))
    return cluster


def create(sandbox: Sandbox, manifest: dict[str, Any]) -> None:
    run = sandbox.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    assert run.returncode == 0, run.stderr


def create_node(sandbox: Sandbox, name: str, annotations: dict[str, str], simulated: bool = True) -> None:
    labels = {"batchyard.dev/provider": "simulated"} if simulated else {}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    create(sandbox, {"apiVersion": "v1", "kind": "Node", "metadata": metadata})


def create_pod(sandbox: Sandbox, name: str, annotations: dict[str, str], **spec: Any) -> None:
    annotations = {f"batchyard.dev/simulated-{key}": value for key, value in annotations.items()}
    containers = [{"name": "main", "image": "x"}]
    tolerations = [{"operator": "Exists"}]
    whole = {"nodeName": "node", "restartPolicy": "Never", "containers": containers, "tolerations": tolerations, **spec}
    metadata = {"name": name, "annotations": annotations}
    create(sandbox, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole})


def get(sandbox: Sandbox, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sandbox.kubectl("get", kind, name, "-o", "json").stdout)
    return found


def is_ready(sandbox: Sandbox, name: str) -> bool:
    conditions = get(sandbox, "node", name)["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def ended(sandbox: Sandbox, name: str) -> dict[str, Any]:
    """Return the pod's status once it has ended."""

    def status() -> dict[str, Any] | None:
        status: dict[str, Any] = get(sandbox, "pod", name)["status"]
        return status if status["phase"] in ("Succeeded", "Failed") else None

    return eventually(status)


def exit_code(status: dict[str, Any]) -> int:
    code: int = status["containerStatuses"][0]["state"]["terminated"]["exitCode"]
    return code


def test_node_has_the_shape_it_was_created_with(simulated: Sandbox) -> None:
    status = get(simulated, "node", "node")["status"]
    assert status["allocatable"] == status["capacity"] == SHAPE


def test_pod_succeeds(simulated: Sandbox) -> None:
    create_pod(simulated, "succeeds", {})
    status = ended(simulated, "succeeds")
    assert (status["phase"], exit_code(status)) == ("Succeeded", 0)


def test_pod_fails_with_its_exit_code_and_reason(simulated: Sandbox) -> None:
    create_pod(simulated, "fails", {"exit-code": "137", "reason": "OOMKilled", "duration": "5"})
    status = ended(simulated, "fails")
    assert (status["phase"], exit_code(status)) == ("Failed", 137)
    assert status["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"


def test_running_pod_is_stopped_by_a_deadline_of_one_second(simulated: Sandbox) -> None:
    create_pod(simulated, "stopped", {"duration": "1h"})
    eventually(lambda: get(simulated, "pod", "stopped")["status"]["phase"] == "Running")
    simulated.kubectl("patch", "pod", "stopped", "-p", '{"spec": {"activeDeadlineSeconds": 1}}')
    status = ended(simulated, "stopped")
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


@pytest.mark.parametrize(("duration", "phase"), [("200", "Succeeded"), ("0.2s", "Succeeded"), ("1m30s", "Failed")])
def test_deadline_against_duration(simulated: Sandbox, duration: str, phase: str) -> None:
    name = f"deadline-{duration.replace('.', '-')}"
    create_pod(simulated, name, {"duration": duration}, activeDeadlineSeconds=2)
    assert ended(simulated, name)["phase"] == phase


def test_deleted_pod_vanishes(simulated: Sandbox) -> None:
    create_pod(simulated, "deleted", {"duration": "1h"})
    assert simulated.kubectl("delete", "pod", "deleted", "--timeout=20s").returncode == 0


def test_only_labelled_nodes_are_played(simulated: Sandbox) -> None:
    create_node(simulated, "foreign", {}, simulated=False)
    create_node(simulated, "never", {"batchyard.dev/simulated-never-ready": "true"})
    create_node(simulated, "later", {"batchyard.dev/simulated-start-delay": "1500ms"})
    eventually(lambda: is_ready(simulated, "later"))
    assert not is_ready(simulated, "foreign")
    assert not is_ready(simulated, "never")


def test_killed_kwok_is_replaced_and_plays_at_once(simulated: Sandbox) -> None:
    before = simulated.processes()["kwok"]
    os.kill(before.pid, signal.SIGKILL)
    create_pod(simulated, "orphan", {})
    assert simulated.run("kwok", "up").returncode == 0
    assert simulated.processes()["kwok"] != before
    assert ended(simulated, "orphan")["phase"] == "Succeeded"


def test_second_kwok_up_changes_nothing(simulated: Sandbox) -> None:
    before = simulated.processes()
    assert simulated.run("kwok", "up").returncode == 0
    assert simulated.processes() == before
