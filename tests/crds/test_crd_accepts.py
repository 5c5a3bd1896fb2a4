"""What is right is accepted, gets its defaults, and shows a phase before any operator has looked at it."""

import subprocess

import pytest
from crd_environments import CLASS, EC2, SHAPE
from crd_server import Server
from specs import GOOD, JOB_OF_DEFINITION, UNMANAGED

from batchyard.model.kind import (
    COMPUTE_ENVIRONMENT,
    CONSUMABLE_RESOURCE,
    JOB,
    JOB_DEFINITION,
    JOB_QUEUE,
    JOB_SCHEDULE,
    KINDS,
    SCHEDULING_POLICY,
    Kind,
)

pytestmark = pytest.mark.cluster

FIRST_PHASE = {
    COMPUTE_ENVIRONMENT: "Creating",
    JOB_QUEUE: "Creating",
    JOB_DEFINITION: "Checking",
    JOB: "Submitted",
    SCHEDULING_POLICY: "Checking",
    CONSUMABLE_RESOURCE: "Creating",
    JOB_SCHEDULE: "Active",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_good_spec_is_accepted_as_the_model_reads_it(server: Server, kind: Kind) -> None:
    accepted = server.create(kind, GOOD[kind])["spec"]
    assert kind.spec.model_validate(accepted) == kind.spec.model_validate(GOOD[kind])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_new_object_shows_its_phase_at_once(server: Server, kind: Kind, fresh: str) -> None:
    server.create(kind, GOOD[kind], fresh, keep=True)
    try:
        assert server.read(kind, fresh)["status"]["phase"] == FIRST_PHASE[kind]
    finally:
        server.delete(kind, fresh)


def test_a_job_gets_its_defaults(server: Server) -> None:
    spec = server.create(JOB, {**GOOD[JOB], "retry": {"onOutOfMemory": {}, "backoff": {}}})["spec"]
    assert (spec["capacityType"], spec["ttlSecondsAfterFinished"]) == ("Any", 604800)
    assert spec["retry"] == {
        "attempts": 1,
        "avoidFailedNodes": True,
        "backoff": {"initialSeconds": 0, "maxSeconds": 300},
        "onOutOfMemory": {"memoryFactor": "2"},
    }


def test_what_a_definition_may_say_gets_no_default_in_the_job(server: Server) -> None:
    spec = server.create(JOB, {"queue": "q", "definition": {"name": "d"}})["spec"]
    assert {"retry", "timeout", "priority"}.isdisjoint(spec)


def test_an_environment_gets_its_defaults(server: Server) -> None:
    spec = server.create(COMPUTE_ENVIRONMENT, GOOD[COMPUTE_ENVIRONMENT])["spec"]
    assert (spec["state"], spec["type"], spec["capacityType"], spec["minVCpus"]) == (
        "Enabled",
        "Managed",
        "OnDemand",
        0,
    )
    assert (spec["scaleDownDelaySeconds"], spec["nodeStartTimeoutSeconds"]) == (60, 600)
    assert spec["provider"] == {"docker": {"network": "host"}}
    assert spec["instanceTypes"][0]["pods"] == 110


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (JOB, JOB_OF_DEFINITION),
        (COMPUTE_ENVIRONMENT, UNMANAGED),
        (COMPUTE_ENVIRONMENT, {**GOOD[COMPUTE_ENVIRONMENT], "provider": {"karpenter": {"nodeClassRef": CLASS}}}),
        (
            COMPUTE_ENVIRONMENT,
            {**GOOD[COMPUTE_ENVIRONMENT], "instanceTypes": [{"name": "m7i.large"}, SHAPE], "provider": {"ec2": EC2}},
        ),
        (COMPUTE_ENVIRONMENT, {**GOOD[COMPUTE_ENVIRONMENT], "provider": {"clusterAPI": {}}}),
        (JOB_QUEUE, {**GOOD[JOB_QUEUE], "namespaceSelector": {"matchLabels": {"a": "b"}}, "maxRunningJobs": 3}),
        (JOB, {**GOOD[JOB], "stop": {"mode": "Cancel", "reason": "x" * 1024}}),
    ],
)
def test_other_good_specs(server: Server, kind: Kind, spec: dict) -> None:
    assert kind.spec.model_validate(server.create(kind, spec)["spec"]) == kind.spec.model_validate(spec)


def test_fields_of_pods_that_the_outline_does_not_know_are_kept(server: Server) -> None:
    spec = {"queue": "q", "template": {"spec": {**GOOD[JOB]["template"]["spec"], "somethingOfKubernetes2": {"a": [1]}}}}
    assert server.create(JOB, spec)["spec"]["template"]["spec"]["somethingOfKubernetes2"] == {"a": [1]}


def test_status_takes_what_the_model_writes(server: Server, fresh: str) -> None:
    status = JOB.status.model_validate(
        {
            "phase": "Runnable",
            "attempts": [{"number": 1, "pod": "p", "exitCode": 137, "counted": False, "cost": "0.000001"}],
            "waiting": {
                "position": 3,
                "environments": [{"name": "spot", "verdict": "TooLarge", "need": "9", "have": "8"}],
            },
            "cost": {"amount": "0.0123"},
            "createdAt": "2026-05-01T12:00:00.123456Z",
            "conditions": [{"type": "Dispatchable", "status": "False", "lastTransitionTime": "2026-05-01T12:00:00Z"}],
        }
    )
    server.create(JOB, GOOD[JOB], fresh, keep=True)
    try:
        written = server.set_status(JOB, fresh, status.to_api())["status"]
    finally:
        server.delete(JOB, fresh)
    assert JOB.status.model_validate(written) == status


def test_jobs_are_selected_by_queue_and_phase(server: Server, fresh: str) -> None:
    server.create(JOB, {**GOOD[JOB], "queue": fresh}, fresh, keep=True)
    try:
        place = ("batchyard.dev", "v1alpha1", server.namespace, "batchjobs")
        selector = f"spec.queue={fresh},status.phase=Submitted"
        found = server.api.list_namespaced_custom_object(*place, field_selector=selector)["items"]
    finally:
        server.delete(JOB, fresh)
    assert [job["metadata"]["name"] for job in found] == [fresh]


@pytest.mark.parametrize(
    "path",
    [
        *("batchjob.spec.retry", "batchjob.spec.array", "batchjob.spec.multiNode", "batchjob.spec.dependsOn"),
        *("batchjob.spec.containers", "batchjob.spec.consumables", "jobqueue.spec", "jobqueue.spec.stateTimeLimits"),
        *("computeenvironment.spec", "jobdefinition.spec", "schedulingpolicy.spec", "consumableresource.spec"),
    ],
)
def test_kubectl_explains(server: Server, kubeconfig: str, kubectl: str, path: str) -> None:
    command = [kubectl, "--kubeconfig", kubeconfig, "explain", path]
    explained = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "<no description>" not in explained
    assert "AWS:" in explained


def test_an_environment_on_spot_may_weigh_price_and_capacity(server: Server) -> None:
    chosen = {"capacityType": "Spot", "allocationStrategy": "SpotPriceCapacityOptimized", "maxPricePercent": 60}
    accepted = server.create(COMPUTE_ENVIRONMENT, {**GOOD[COMPUTE_ENVIRONMENT], **chosen})["spec"]
    assert {field: accepted[field] for field in chosen} == chosen
