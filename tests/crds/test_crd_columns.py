"""`kubectl get` answers the first question at a glance, within 100 columns."""

import subprocess
from collections.abc import Iterator

import pytest
from crd_server import Server
from specs import GOOD, UNMANAGED

from batchyard.model.kind import (
    COMPUTE_ENVIRONMENT,
    CONSUMABLE_RESOURCE,
    JOB,
    JOB_DEFINITION,
    JOB_QUEUE,
    SCHEDULING_POLICY,
    Kind,
)

pytestmark = pytest.mark.cluster

ATTEMPTS = [
    {"number": 1, "node": "spot-c8-1a2b", "computeEnvironment": "spot"},
    {"number": 2, "node": "spot-c8-9f3e", "computeEnvironment": "spot"},
]
STATUS: dict[Kind, dict] = {
    JOB: {
        "phase": "Runnable",
        "reason": "InsufficientCapacity",
        "message": "needs 32000Mi; the largest node of spot offers 31431Mi",
        "attempts": ATTEMPTS,
        "array": {"size": 10000, "progress": "9999/10000"},
        "cost": {"amount": "0.0123", "wasted": "0"},
    },
    JOB_QUEUE: {"phase": "Disabled", "jobs": {"runnable": 12000, "running": 51200, "succeeded": 123456, "failed": 420}},
    JOB_DEFINITION: {"phase": "Valid", "revision": 12},
    COMPUTE_ENVIRONMENT: {"phase": "Updating", "nodes": {"ready": 1000}, "vCpus": {"used": 800, "provisioned": 16000}},
    SCHEDULING_POLICY: {"phase": "Valid", "queues": ["default", "urgent"]},
    CONSUMABLE_RESOURCE: {"phase": "Valid", "inUse": 1000, "available": 99000, "waiting": 1200},
}
SPECS = {
    **GOOD,
    JOB: {**GOOD[JOB], "queue": "research-on-spot", "array": {"size": 10000}},
    COMPUTE_ENVIRONMENT: {**UNMANAGED, "state": "Disabled", "maxVCpus": 1600},
    CONSUMABLE_RESOURCE: {"total": 100000, "type": "NonReplenishable"},
}
LONGEST_AGE = len("2d23h")


@pytest.fixture(scope="module")
def listed(server: Server) -> Iterator[dict[Kind, str]]:
    """Give one object of each kind, with a name of 16 characters."""
    names = {kind: f"{kind.short}{'-' * (16 - len(kind.short) - 8)}{server.namespace[-8:]}" for kind in STATUS}
    for kind, own in names.items():
        server.create(kind, SPECS[kind], own, keep=True)
        server.set_status(kind, own, STATUS[kind])
    yield names
    for kind, own in names.items():
        server.delete(kind, own)


def table(kubectl: str, kubeconfig: str, namespace: str, *arguments: str) -> list[str]:
    command = [kubectl, "--kubeconfig", kubeconfig, "--namespace", namespace, "get", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_all_kinds_together_fit_100_columns(
    server: Server, kubectl: str, kubeconfig: str, listed: dict[Kind, str]
) -> None:
    # By name, so that what others keep on the same cluster does not widen the columns.
    things = [f"{kind.plural}.batchyard.dev/{name}" for kind, name in listed.items()]
    lines = [line.rstrip() for line in table(kubectl, kubeconfig, server.namespace, *things)]
    headers = [line for line in lines if line.startswith("NAME")]
    assert {len(name) for name in listed.values()} == {16}
    assert len(headers) == len(things)
    assert max(header.index("AGE") + LONGEST_AGE for header in headers) <= 100, "\n".join(lines)


def test_a_waiting_job_shows_phase_reason_attempt_and_how_far_its_array_is(
    server: Server, kubectl: str, kubeconfig: str, listed: dict[Kind, str]
) -> None:
    header, row = table(kubectl, kubeconfig, server.namespace, "batchjobs")
    assert header.split() == ["NAME", "PHASE", "REASON", "ATTEMPT", "ARRAY", "AGE"]
    assert row.split()[:5] == [listed[JOB], "Runnable", "InsufficientCapacity", "2", "9999/10000"]


def test_wide_shows_where_and_for_how_much(
    server: Server, kubectl: str, kubeconfig: str, listed: dict[Kind, str]
) -> None:
    _, row = table(kubectl, kubeconfig, server.namespace, "bj", listed[JOB], "--output=wide")
    assert "research-on-spot" in row
    assert "spot-c8-9f3e" in row
    assert "0.0123" in row
    assert "needs 32000Mi" in row


def test_the_category_lists_everything(server: Server, kubectl: str, kubeconfig: str, listed: dict[Kind, str]) -> None:
    everything = "\n".join(table(kubectl, kubeconfig, server.namespace, "batchyard"))
    assert all(name in everything for name in listed.values())
