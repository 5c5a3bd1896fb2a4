"""From bodies to views: everything that decides is read, and what cannot be used says why."""

import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from batchyard.model import labels as names
from batchyard.model.machine import Taint
from batchyard.model.phase import Phase
from batchyard.model.resources import Resources
from batchyard.world import parse
from batchyard.world.nodes import node as node_view
from batchyard.world.raw import RawNode
from batchyard.world.specs import Budget, SpotFirst
from builders import NOW, definition_body, job_body, metadata, owned_by, raw_pod, template

SHAPE = {"name": "c8", "cpu": "8", "memory": "16Gi", "pricePerHour": "0.34", "spotPricePerHour": "0.12"}


def environment_body(**spec: Any) -> dict[str, Any]:
    given = {"maxVCpus": 16, "instanceTypes": [SHAPE], "provider": {"docker": {"image": "x"}}, **spec}
    return {"metadata": metadata("pool", finalizers=[names.FINALIZER]), "spec": given, "status": {"phase": "Valid"}}


@given(st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000))
def test_a_time_that_we_wrote_is_read_back(at: float) -> None:
    assert parse.seconds(parse.rfc3339(at)) == pytest.approx(at, abs=0.0011)


@pytest.mark.parametrize(
    ("text", "at"),
    [("2027-01-15T08:00:00Z", NOW), ("2027-01-15T08:00:00.250000Z", NOW + 0.25), ("2027-01-15T09:00:00+01:00", NOW)],
)
def test_kubernetes_times_are_read(text: str, at: float) -> None:
    assert parse.seconds(text) == at


def test_a_job_is_read_with_its_status() -> None:
    attempt = {"number": 1, "pod": "job-1", "startedAt": "2027-01-15T08:00:00Z", "exitCode": 3, "reason": "Error"}
    status = {"phase": "Running", "attempts": [attempt], "definitionRevision": 4, "array": {"unknown": "field"}}
    job = parse.job(job_body(status=status, retry={"attempts": 3, "backoff": {"initialSeconds": 5}}, priority=7))
    assert (job.name, job.namespace, job.uid, job.created) == ("job", "default", "uid-job", NOW)
    assert job.status.phase is Phase.Running
    assert job.status.definition_revision == 4
    assert job.status.attempts[0].exit_code == 3
    assert job.status.attempts[0].ended
    assert job.spec.retry is not None
    assert (job.spec.retry.attempts, job.spec.priority) == (3, 7)
    assert job.spec.retry.backoff is not None
    assert (job.spec.retry.backoff.initial_seconds, job.spec.retry.backoff.max_seconds) == (5, 300)


def test_a_job_without_status_is_submitted_and_kept_for_a_week() -> None:
    job = parse.job(job_body())
    assert job.status.phase is Phase.Submitted
    assert job.spec.ttl_seconds_after_finished == 604800


def test_an_environment_is_read() -> None:
    view = parse.environment(environment_body(capacityType="Spot", nodeTemplate={
        "labels": {"disk": "fast"}, "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
    }))  # fmt: skip
    assert not view.invalid
    assert (view.max_vcpus, view.capacity_type, view.provider, view.settings) == (16, "Spot", "docker", {"image": "x"})
    assert view.shapes[0].resources == Resources(cpu=8000, memory=16 * 2**30, pods=110)
    assert (view.shapes[0].price_per_hour, view.shapes[0].spot_price_per_hour) == ("0.34", "0.12")
    assert (view.labels, view.taints) == ({"disk": "fast"}, (Taint("gpu", "yes", "NoSchedule"),))
    assert view.finalizers == (names.FINALIZER,)


def test_a_shape_without_a_spot_price_costs_as_on_demand_and_devices_count() -> None:
    shape = {
        "name": "g",
        "cpu": 4,
        "memory": "8Gi",
        "pricePerHour": "1",
        "extended": {"nvidia.com/gpu": "2"},
        "pods": 20,
    }
    view = parse.environment(environment_body(instanceTypes=[shape])).shapes[0]
    assert view.spot_price_per_hour == "1"
    assert view.resources == Resources(cpu=4000, memory=8 * 2**30, pods=20, extended=(("nvidia.com/gpu", 2),))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"provider": None}, "provider"), ({"minVCpus": 99}, "minVCpus"), ({"instanceTypes": []}, "instanceTypes")],
)
def test_an_environment_that_cannot_be_used_says_why(change: dict[str, Any], words: str) -> None:
    body = environment_body(**change)
    body["spec"] = {name: value for name, value in body["spec"].items() if value is not None}
    assert words in parse.environment(body).invalid


def test_a_queue_is_read_and_a_bad_one_says_why() -> None:
    selector = {"matchLabels": {"team": "a"}}
    spec = {"priority": 5, "computeEnvironments": ["a", "b"], "namespaceSelector": selector, "maxRunningJobs": 3}
    view = parse.queue({"metadata": metadata("q"), "spec": spec})
    assert (view.priority, view.environments, view.selector, view.max_running) == (5, ("a", "b"), selector, 3)
    assert "computeEnvironments" in parse.queue({"metadata": metadata("q"), "spec": {"priority": 5}}).invalid


def test_the_rules_of_a_queue_about_money_and_spot_are_read_as_numbers() -> None:
    spec = {"priority": 5, "computeEnvironments": ["a"], "budget": {"amount": "0.10"}, "spot": {"maxWaitSeconds": 60}}
    spec["shareBudgets"] = [{"share": "b*", "amount": "7", "windowSeconds": 60, "onExceeded": "SpotOnly"}]
    view = parse.queue({"metadata": metadata("q"), "spec": spec})
    assert view.budgets == (
        Budget(amount=Decimal("0.10"), window_seconds=86_400, on_exceeded="Hold"),
        Budget(amount=Decimal(7), window_seconds=60, on_exceeded="SpotOnly", share="b*"),
    )
    assert all(isinstance(budget.amount, Decimal) for budget in view.budgets)
    assert view.spot == SpotFirst(max_wait_seconds=60)


def test_a_definition_is_read_and_a_bad_one_says_why() -> None:
    parameters = {"n": {"type": "Integer", "default": 3, "enum": [1, 3]}}
    view = parse.definition(definition_body(parameters=parameters, timeout={"attemptDurationSeconds": 90}))
    assert view.blueprint is not None
    assert view.blueprint.parameters["n"].enum == (1, 3)
    assert view.blueprint.timeout is not None
    assert view.blueprint.timeout.attempt_duration_seconds == 90
    bad = parse.definition(definition_body(retry={"attempts": 99}))
    assert bad.blueprint is None
    assert "attempts" in bad.invalid


def test_a_revision_is_read_and_a_strange_one_is_left_alone() -> None:
    meta = metadata(
        "d-u-3",
        namespace="default",
        labels={names.DEFINITION_UID: "u"},
        annotations={names.DEFINITION: "d"},
        ownerReferences=owned_by("u", "JobDefinition"),
    )
    view = parse.revision({"metadata": meta, "revision": 3, "data": {"template": template()}})
    assert view is not None
    assert (view.definition, view.definition_uid, view.number) == ("d", "u", 3)
    assert parse.revision({"metadata": meta, "revision": 3, "data": {"spec": "somebody's"}}) is None
    assert parse.revision({"metadata": metadata("s", namespace="x"), "data": {}}) is None


def pod_body(status: dict[str, Any] | None = None, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    labels = {names.JOB_UID: "uid-job", names.ATTEMPT: "2", names.ENVIRONMENT: "pool", names.REVISION: "4"}
    meta = metadata(
        "job-2", namespace="default", labels=labels, annotations=annotations, ownerReferences=owned_by("uid-job")
    )
    return {"metadata": meta, "spec": {**template()["spec"], "nodeName": "n1"}, "status": status or {}}


def test_a_pod_is_read() -> None:
    view = raw_pod(pod_body({"phase": "Running", "startTime": "2027-01-15T08:00:00Z", "containerStatuses": [
        {"name": "main", "state": {"running": {"startedAt": "2027-01-15T08:00:05Z"}}},
    ]}))  # fmt: skip
    assert (view.job, view.attempt, view.environment, view.revision) == ("uid-job", 2, "pool", 4)
    assert (view.node, view.acknowledged, view.running_since) == ("n1", NOW, NOW + 5)
    assert view.requests == Resources(cpu=1000, memory=2**30, pods=1)
    assert (view.grace, view.final, view.stop) == (30, False, None)


def test_a_pod_runs_when_all_its_main_containers_have_started() -> None:
    started = {"running": {"startedAt": "2027-01-15T08:00:05Z"}}
    later = {"running": {"startedAt": "2027-01-15T08:00:09Z"}}
    both = [{"name": "a", "state": started}, {"name": "b", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    init = [{"name": "i", "state": {"terminated": {"exitCode": 0, "startedAt": "2027-01-15T08:00:00Z"}}}]
    view = raw_pod(pod_body({"containerStatuses": both, "initContainerStatuses": init}))
    assert view.running_since is None
    assert view.containers[0].init
    both[1]["state"] = later
    assert raw_pod(pod_body({"containerStatuses": both})).running_since == NOW + 9


def test_a_pods_end_its_stop_order_and_its_conditions_are_read() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled", "message": "last words", "finishedAt": "2027-01-15T08:00:09Z"}
    conditions = [
        {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "lastTransitionTime": "2027-01-15T08:00:07Z",
        },
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes"},
    ]
    order = '{"reason":"TimedOut","message":"too long","at":5.5}'
    states = [{"name": "main", "state": {"terminated": ended}}]
    status = {"phase": "Failed", "conditions": conditions, "containerStatuses": states}
    view = raw_pod(pod_body(status, {names.STOP: order}))
    assert view.final
    assert (view.containers[0].exit_code, view.containers[0].message) == (137, "last words")
    assert view.containers[0].finished == NOW + 9
    assert view.stop is not None
    assert (view.stop.reason, view.stop.at) == ("TimedOut", 5.5)
    assert (view.disrupted, view.disrupted_at) == ("DeletionByTaintManager", NOW + 7)
    assert view.unschedulable == "0/3 nodes"


def test_a_pod_that_is_to_be_disrupted_no_more_is_as_any_other() -> None:
    withdrawn = {"type": "DisruptionTarget", "status": "False", "lastTransitionTime": "2027-01-15T08:00:07Z"}
    view = raw_pod(pod_body({"phase": "Running", "conditions": [withdrawn]}))
    assert (view.disrupted, view.disrupted_at) == ("", None)


@pytest.mark.parametrize("text", ["", "no json", "{}", '{"reason": 1}'])
def test_a_stop_order_that_cannot_be_read_is_none(text: str) -> None:
    assert raw_pod(pod_body(annotations={names.STOP: text})).stop is None


def test_a_node_is_read() -> None:
    status = {
        "allocatable": {"cpu": "7910m", "memory": "16Gi", "pods": "110", "ephemeral-storage": "1Gi"},
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}],
    }
    spec = {"taints": [{"key": names.INTERRUPTED, "effect": "NoSchedule"}], "unschedulable": True}
    body = {"metadata": metadata("n1", labels={names.ENVIRONMENT: "pool"}), "spec": spec, "status": status}
    view = node_view(convert(body, RawNode))
    assert view.allocatable == Resources(cpu=7910, memory=16 * 2**30, pods=110)
    assert (view.ready, view.ready_changed, view.unschedulable, view.environment) == (True, NOW, True, "pool")
    assert view.taints == (Taint(names.INTERRUPTED, "", "NoSchedule"),)


@pytest.mark.parametrize(
    "conditions", [[], [{"type": "Ready", "status": "Unknown"}], [{"type": "Ready", "status": "False"}]]
)
def test_a_node_that_does_not_say_ready_is_not(conditions: list[dict[str, str]]) -> None:
    body = {"metadata": metadata("n1"), "status": {"conditions": conditions}}
    assert not node_view(convert(body, RawNode)).ready


def test_years_have_four_digits() -> None:
    assert parse.rfc3339(parse.FIRST) == "0001-01-01T00:00:00Z"
    assert parse.rfc3339(parse.seconds("0987-06-05T04:03:02.5Z")) == "0987-06-05T04:03:02.500Z"


def test_times_are_not_remembered_for_as_long_as_an_operator_lives() -> None:
    tracemalloc.start()
    for at in range(60_000):
        parse.seconds(parse.rfc3339(NOW + at / 8))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 2 * 2**20, "45 jobs a second bring 90 new times"
