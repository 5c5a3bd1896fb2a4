"""What real pods do on a docker node: the facts that the decisions about attempts rest on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker_nodes import MIB, NAMESPACE, Lab, until
from kubernetes.stream import stream

pytestmark = pytest.mark.nodes


@pytest.fixture(scope="module")
def node(lab: Lab) -> Iterator[str]:
    seconds = lab.launch("docker-pods", cpu=1500, memory=1024 * MIB, pods=30)
    print(f"\na docker node was Ready after {seconds:.1f} s")
    return "docker-pods"


def end(pod: Any) -> Any:
    return pod.status.container_statuses[0].state.terminated


def test_a_pod_runs_and_its_logs_and_a_shell_in_it_are_reached_through_the_api_server(lab: Lab, node: str) -> None:
    lab.run("talks", node, "sh", "-c", "echo hello; sleep 1000")
    lab.phase("talks", "Running")
    assert until(lambda: lab.logs("talks")) == "hello\n"
    answer = stream(lab.core.connect_get_namespaced_pod_exec, "talks", NAMESPACE, command=["id", "-u"], stdout=True)
    assert answer.strip() == "0"


def test_the_exit_code_and_the_last_log_lines_reach_the_status(lab: Lab, node: str) -> None:
    lab.run("three", node, "sh", "-c", "echo this went wrong; exit 3")
    ended = end(lab.phase("three", "Failed", "Succeeded"))
    assert (ended.exit_code, ended.reason, ended.message) == (3, "Error", "this went wrong\n")


def test_too_much_memory_is_told_as_such(lab: Lab, node: str) -> None:
    lab.run("eats", node, "sh", "-c", 'x=$(head -c 64m /dev/zero | tr "\\0" x); echo "$x" | wc', memory="16Mi")
    ended = end(lab.phase("eats", "Failed", "Succeeded"))
    assert (ended.exit_code, ended.reason) == (137, "OOMKilled")


def test_a_deadline_put_on_a_running_pod_ends_it_with_term_grace_kill_and_it_stays(lab: Lab, node: str) -> None:
    script = 'trap "echo got TERM" TERM; echo up; while true; do sleep 0.1; done'
    lab.run("late", node, "sh", "-c", script, terminationGracePeriodSeconds=2)
    until(lambda: lab.phase("late", "Running") and "up" in lab.logs("late"))
    began = time.monotonic()
    lab.core.patch_namespaced_pod("late", NAMESPACE, {"spec": {"activeDeadlineSeconds": 1}})
    pod = lab.phase("late", "Failed")
    assert pod.status.reason == "DeadlineExceeded"
    assert end(pod).exit_code == 137
    assert time.monotonic() - began >= 2, "no grace was given"
    assert "got TERM" in lab.logs("late")
    assert lab.pod("late").metadata.deletion_timestamp is None


def test_a_pod_that_obeys_at_its_deadline_has_failed_all_the_same(lab: Lab, node: str) -> None:
    lab.run("obeys", node, "sh", "-c", 'trap "exit 0" TERM; while true; do sleep 0.1; done', activeDeadlineSeconds=2)
    pod = lab.phase("obeys", "Failed", "Succeeded")
    assert (pod.status.phase, pod.status.reason, end(pod).exit_code) == ("Failed", "DeadlineExceeded", 0)


def test_a_command_that_does_not_exist_fails_at_the_start(lab: Lab, node: str) -> None:
    lab.run("nothing", node, "/no/such/command")
    ended = end(lab.phase("nothing", "Failed", "Succeeded"))
    assert (ended.exit_code, ended.reason) == (128, "StartError")
    assert "/no/such/command" in ended.message


@pytest.mark.parametrize(
    ("pull", "reasons"), [("Never", {"ErrImageNeverPull"}), ("IfNotPresent", {"ErrImagePull", "ImagePullBackOff"})]
)
def test_an_image_that_is_nowhere_is_told_within_seconds(lab: Lab, node: str, pull: str, reasons: set[str]) -> None:
    name = f"nowhere-{pull.lower()}"
    lab.run(name, node, "true", image="registry.invalid/nope:1", pull=pull)

    def reason() -> str | None:
        statuses = lab.pod(name).status.container_statuses or []
        return statuses[0].state.waiting.reason if statuses and statuses[0].state.waiting else None

    until(lambda: reason() in reasons, 15)
    assert lab.pod(name).status.phase == "Pending"


def test_a_node_is_as_large_as_its_shape_and_holds_no_more(lab: Lab, node: str) -> None:
    allocatable = lab.node(node).status.allocatable
    assert (allocatable["cpu"], allocatable["memory"], allocatable["pods"]) == ("1500m", "1Gi", "30")
    lab.run("half", node, "sleep", "1000", memory="600Mi")
    lab.phase("half", "Running")
    lab.run("other-half", node, "sleep", "1000", memory="600Mi")
    pod = lab.phase("other-half", "Failed", "Running")
    assert pod.status.reason == "OutOfmemory"


def test_all_pods_together_cannot_take_more_memory_than_the_shape(lab: Lab, node: str) -> None:
    limit = "/sys/fs/cgroup/memory/kubepods/memory.limit_in_bytes", "/sys/fs/cgroup/kubepods/memory.max"
    _, output = lab.engine.containers.get(node).exec_run(["sh", "-c", f"cat {' '.join(limit)} 2>/dev/null"])
    assert int(output) == 1024 * MIB


def test_labels_and_taints_are_on_the_node_from_the_start(lab: Lab, node: str) -> None:
    found = lab.node(node)
    assert found.metadata.labels["batchyard.dev/x"] == "y"
    assert found.metadata.labels["node.kubernetes.io/instance-type"] == "c1"
    assert "batchyard.dev/compute-environment" in {taint.key for taint in found.spec.taints}


def test_the_node_speaks_as_itself_and_holds_nobody_elses_credentials(lab: Lab, node: str) -> None:
    container = lab.engine.containers.get(node)
    _, certificate = container.exec_run(["cat", "/var/lib/kubelet/pki/kubelet-client-current.pem"])
    assert b"BEGIN CERTIFICATE" in certificate
    _, files = container.exec_run(["sh", "-c", "cat /etc/batchyard/*"])
    admin = lab.core.api_client.configuration
    for secret in (admin.cert_file, admin.key_file):
        assert Path(secret).read_bytes().strip() not in files
    assert "token" not in str(container.attrs["Config"])
