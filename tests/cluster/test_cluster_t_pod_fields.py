"""What AWS Batch lets a container say, said as a Pod says it, on a real kubelet: seen from inside the container."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.lab import Lab, Refused
from cluster.rest import until
from cluster.specs_of_jobs import JOB_IMAGE, managed, shape

Body = dict[str, Any]
_SYS_ADMIN = 21  # linux/capability.h; no container has it that is not privileged
# Each line is a fact; the last lines of a failed container's log reach the job's status.
_SCRIPT = r"""
mine() { grep "^$1" /proc/self/status | tr -d '\t '; }
echo "user $(id -u) $(id -g) $(id -G)"
touch /no 2>/dev/null || echo root is read-only
mine CapBnd; mine NoNewPrivs; mine Seccomp:
[ "$(cat /proc/1/comm)" = sh ] || echo another process is the first
echo "memory $(df -m /scratch | tail -1 | tr -s ' ' | cut -d' ' -f1-2) $(df -m /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2)"
test -d /host/ssl -o -e /host/passwd && echo host is there; touch /host/no 2>/dev/null || echo host is read-only
echo "secret $(cat /secrets/key) $(cat /key) $KEY"
test -e /optional || echo never; ls -d /optional
echo "says $WORD $0 $*"
echo "machine $(uname -m) $(cat /shared/helper)"
exit 9
"""  # noqa: E501
_HELPER = "grep ^CapEff /proc/self/status | tr -d '\\t' >/shared/helper"

_MAIN: Body = {
    "name": "main",
    "image": JOB_IMAGE,
    "imagePullPolicy": "IfNotPresent",
    "command": ["sh", "-c"],
    "args": [_SCRIPT, "zero", "one two"],
    "env": [
        {"name": "WORD", "value": "hello"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "t", "key": "key"}}},
    ],
    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
    "securityContext": {
        "runAsUser": 1000, "runAsGroup": 3000, "runAsNonRoot": True, "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False, "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    },
    "volumeMounts": [
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "host", "mountPath": "/host", "readOnly": True},
        {"name": "secrets", "mountPath": "/secrets"},
        {"name": "secrets", "mountPath": "/key", "subPath": "key"},
        {"name": "optional", "mountPath": "/optional"},
        {"name": "shared", "mountPath": "/shared"},
    ],
}  # fmt: skip
_POD: Body = {
    "metadata": {"labels": {"team": "a"}, "annotations": {"note": "n"}},
    "spec": {
        "serviceAccountName": "worker",
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "imagePullSecrets": [{"name": "registry"}],
        "shareProcessNamespace": True,
        "securityContext": {"fsGroup": 2000},
        "terminationGracePeriodSeconds": 5,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "initContainers": [
            {
                "name": "helper", "image": JOB_IMAGE, "command": ["sh", "-c", _HELPER],
                "securityContext": {"privileged": True},
                "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
                "resources": {"requests": {"cpu": "50m", "memory": "16Mi"}},
            }
        ],
        "containers": [_MAIN],
        "volumes": [
            {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}},
            {"name": "host", "hostPath": {"path": "/etc"}},
            {"name": "secrets", "secret": {"secretName": "t"}},
            {"name": "optional", "secret": {"secretName": "not-there", "optional": True}},
            {"name": "shared", "emptyDir": {}},
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def inside(lab: Lab) -> tuple[list[str], Body]:
    """What the container saw, and its pod."""
    lab.environment("fields", managed("docker", [shape(1)], 1))
    lab.queue("fields", "fields")
    secrets = f"/api/v1/namespaces/{lab.namespace}/secrets"
    lab.api.call("POST", secrets, {"metadata": {"name": "t"}, "stringData": {"key": "open"}})
    lab.api.create({"kind": "ServiceAccount", "metadata": {"name": "worker"}}, lab.namespace)
    until(lambda: lab.api.find("ServiceAccount", "worker", lab.namespace))
    lab.job("fields", "fields", template=_POD)
    (attempt,) = lab.failed("fields", 120)["attempts"]
    assert attempt["exitCode"] == 9, attempt["message"]
    return attempt["message"].splitlines(), lab.api.get("Pod", "fields-1", lab.namespace)


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param("user 1000 3000 3000 2000", id="user-groups"),
        pytest.param("root is read-only", id="readonlyRootFilesystem"),
        pytest.param("CapBnd:0000000000000400", id="capabilities"),
        pytest.param("NoNewPrivs:1", id="allowPrivilegeEscalation"),
        pytest.param("Seccomp:2", id="seccompProfile"),
        pytest.param("another process is the first", id="shareProcessNamespace"),
        pytest.param("memory tmpfs 8 4", id="tmpfs-and-shared-memory"),
        pytest.param("host is there", id="hostPath"),
        pytest.param("host is read-only", id="readOnly"),
        pytest.param("secret open open open", id="secrets"),
        pytest.param("/optional", id="optional-secret"),
        pytest.param("says hello zero one two", id="command-args-environment"),
    ],
)
def test_a_container_finds_what_its_template_says(inside: tuple[list[str], Body], fact: str) -> None:
    assert fact in [line.rpartition("code 9: ")[2] for line in inside[0]]


def test_a_privileged_container_is_privileged(inside: tuple[list[str], Body]) -> None:
    (line,) = [line for line in inside[0] if line.startswith("machine ")]
    effective = int(line.rpartition(":")[2], 16)
    assert effective >> _SYS_ADMIN & 1


def test_the_pod_is_the_template_whole(inside: tuple[list[str], Body]) -> None:
    body = inside[1]
    assert body["metadata"]["labels"]["team"] == "a"
    assert body["metadata"]["annotations"]["note"] == "n"
    for field in (
        "serviceAccountName",
        "dnsPolicy",
        "imagePullSecrets",
        "hostNetwork",
        "terminationGracePeriodSeconds",
    ):
        assert body["spec"][field] == _POD["spec"][field]
    assert body["spec"]["nodeSelector"].items() >= {"kubernetes.io/os": "linux"}.items()
    assert body["status"]["podIP"] == body["status"]["hostIP"]


_KINDS: dict[str, Body] = {
    "computeenvironments": managed("docker", [shape(1)], 1),
    "jobqueues": {"computeEnvironments": ["nowhere"]},
    "schedulingpolicies": {},
    "consumableresources": {"total": 1},
    "jobdefinitions": {"template": {"spec": {"containers": [{"name": "main", "image": JOB_IMAGE}]}}},
    "batchjobs": {"queue": "nowhere", "template": {"spec": {"containers": [{"name": "main", "image": JOB_IMAGE}]}}},
}
_NAMES = dict(
    zip(
        _KINDS,
        ("ComputeEnvironment", "JobQueue", "SchedulingPolicy", "ConsumableResource", "JobDefinition", "Job"),
        strict=True,
    )
)


def _folder(lab: Lab, plural: str) -> str:
    namespaced = plural in ("jobdefinitions", "batchjobs")
    return f"/apis/batchyard.dev/v1alpha1{f'/namespaces/{lab.namespace}' if namespaced else ''}/{plural}"


@pytest.mark.parametrize("plural", _KINDS)
def test_every_kind_is_found_by_its_labels(lab: Lab, plural: str) -> None:
    folder, name = _folder(lab, plural), lab.named("labelled")
    metadata = {"name": name, "labels": {"project": lab.run}}
    kind = {"apiVersion": "batchyard.dev/v1alpha1", "kind": _NAMES[plural]}
    lab.api.call("POST", folder, {**kind, "metadata": metadata, "spec": _KINDS[plural]})
    try:
        found = lab.api.call("GET", f"{folder}?labelSelector=project%3D{lab.run}")["items"]
        assert [item["metadata"]["name"] for item in found] == [name]
    finally:
        lab.api.call("DELETE", f"{folder}/{name}")


def test_a_job_submitted_again_is_not_run_again(lab: Lab) -> None:
    template = {"spec": {"containers": [{"name": "main", "image": JOB_IMAGE}]}}
    lab.job("once", "nowhere", template=template)
    with pytest.raises(Refused) as refused:
        lab.job("once", "nowhere", template=template)
    assert refused.value.status == 409
